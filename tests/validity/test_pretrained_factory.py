import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from pytest_mia.data.records import Data
from pytest_mia.models.signals import Signals
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.validity import pretrained_factory
from pytest_mia.validity.user_code import UserCode

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 3)), np.arange(120) % 3
MEMBERS = rng.random(120) < 0.5
TREE, SMALL = DecisionTreeClassifier().fit(X, Y), DecisionTreeClassifier(max_depth=6).fit(X, Y)


def found(*fresh, after=TREE):
    """What is found of fresh models, where the first that was trained answers as `after` does."""
    first = Trained(0, Signals(correct=(after.predict(X) == Y).astype(float)), 1, "cpu", "")
    method = Method(None, lambda model, X: model.predict(X), None, "cpu", None)
    probe, job = FactoryProbe("mia_model_factory", None, fresh), Job(0, 0, None, MEMBERS)
    result = pretrained_factory.check(UserCode(job, Data(X, Y, np.arange(3), Y), (probe,), (first,), method))
    return next(iter(result.findings), None), next(iter(result.notes), None)


def test_models_that_know_all_before_they_are_trained_are_a_finding():
    finding, note = found(TREE, TREE)
    assert "answer alike before any training, and as well as after it (1.000 on records of the other half" in finding
    assert note is None


def test_those_that_training_makes_better_are_noted():
    """They may have seen these records, or others."""
    finding, note = found(SMALL, SMALL)
    assert finding is None
    right = SMALL.score(X[~MEMBERS], Y[~MEMBERS])
    assert note.startswith(f"models of mia_model_factory are right on {right:.3f} of the records before any training")


@pytest.mark.parametrize(
    "fresh",
    [(GaussianNB(), GaussianNB()), (TREE, SMALL), (DummyClassifier().fit(X, Y),) * 2],
    ids=["that can't be asked", "that answer each in its way", "that answer the same on all records"],
)
def test_nothing_is_said_of_models(fresh):
    assert found(*fresh) == (None, None)


def test_guesses_that_are_right_by_chance_are_no_knowledge():
    guesses = DecisionTreeClassifier(max_depth=2).fit(X, np.random.default_rng(0).permutation(Y))
    assert guesses.score(X[~MEMBERS], Y[~MEMBERS]) < 1 / 3 + pretrained_factory.BEYOND_CHANCE
    assert found(guesses, guesses) == (None, None)
