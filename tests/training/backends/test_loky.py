"""Training in processes of this machine: one is lost, others would train other models than this one."""

import dataclasses
import importlib
import os
import sys
import warnings

import numpy as np
import pytest
from elsewhere import trained as trained_there
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from pytest_mia import MIAWarning, ModelTrainingError
from pytest_mia.data.records import Data
from pytest_mia.training.backends import loky
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import train_all

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 4)), np.arange(120) % 2


@pytest.fixture
def figures(monkeypatch):
    """What three models answered that are trained by a function, here or in other processes."""
    monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
    draws = np.random.default_rng(1)
    jobs = [Job(number, number, DecisionTreeClassifier, draws.random(120) < 0.5) for number in range(3)]

    def trained(training, backend=None):
        method = Method(training, None, None, "cpu", 1)
        models = train_all(jobs, Data(X, Y, np.arange(2), Y), method, backend=backend)
        return [float(one.signals.correct.sum()) for one in models]

    return trained


@pytest.fixture
def depths(tmp_path, monkeypatch):
    """A module of the user's, from which a value is read."""
    (tmp_path / "mia_changed.py").write_text(
        "DEPTH = 1\n\ndef train(model, X, y):\n    return model.set_params(max_depth=DEPTH).fit(X, y)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("mia_changed")
    del sys.modules["mia_changed"]


def test_a_value_that_was_changed_in_a_module(figures, depths, monkeypatch):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        as_written = figures(depths.train, loky.Loky(2))
    assert not told
    monkeypatch.setattr(depths, "DEPTH", 9)
    with pytest.warns(MIAWarning, match="one at a time: their code reads a value that differs in other processes"):
        changed = figures(depths.train, loky.Loky(2))

    assert changed == figures(depths.train) != as_written


def test_classes_inside_of_functions_are_the_same_there(figures):
    """So are objects with slots, and code that reads the whole environment: these models are trained elsewhere."""
    here = os.getpid()

    @dataclasses.dataclass(slots=True)
    class Depth:
        depth: int = 2

        def set(self, model):
            return model.set_params(max_depth=self.depth if os.getpid() == here else 8 + ("MIA" in [*os.environ]))

    depth = Depth()
    there = figures(lambda model, X, y: depth.set(model).fit(X, y), loky.Loky(2))
    alone = figures(lambda model, X, y: depth.set(model).fit(X, y))

    assert there[0] == alone[0]
    assert there[1:] != alone[1:], "other processes train by another depth"


def test_classes_to_which_their_bases_give_something_are_the_same_there(figures):
    """Scikit-learn's give more to one that is made anew, as a class is that is sent as code."""
    here = os.getpid()

    class Elsewhere(DecisionTreeClassifier):
        def fit(self, X, y):
            return super().fit(X, y if os.getpid() == here else y[::-1])

    def train(model, X, y):
        return Elsewhere(max_depth=2).fit(X, y)

    assert "set_fit_request" not in vars(Elsewhere)
    assert figures(train, loky.Loky(2))[1:] != figures(train)[1:], "they are trained elsewhere, on other labels"


def test_the_environment_as_it_is_now(figures, monkeypatch):
    """Processes are kept for the next audit, which may find other variables."""

    def train(model, X, y):
        return model.set_params(max_depth=int(os.environ.get("MIA_TEST_DEPTH", "9"))).fit(X, y)

    found = []
    for depth in ("1", "5"):
        monkeypatch.setenv("MIA_TEST_DEPTH", depth)
        found.append(figures(train, loky.Loky(2)))

    assert found[1] == figures(train) != found[0]
    monkeypatch.delenv("MIA_TEST_DEPTH")
    assert figures(train, loky.Loky(2)) == figures(train) != found[1]


def test_a_lost_process_is_an_error(monkeypatch):
    monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
    here = os.getpid()

    class Deadly(GaussianNB):
        def fit(self, X, y):
            if os.getpid() != here:
                os._exit(1)
            return super().fit(X, y)

    with pytest.raises(ModelTrainingError, match=r"a worker process was ended .* .--mia-jobs=1"):
        trained_there(Deadly, backend=loky.Loky(2))
