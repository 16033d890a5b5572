import functools
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from pytest_mia import ModelTrainingError, Target
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.data.records import Data
from pytest_mia.training.factories import call_factory, find_kind, find_problems, try_factories
from pytest_mia.training.jobs import Method

X, Y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
DATA = Data(X, Y, np.array([0, 1]), Y)
METHOD = Method(None, None, None, "cpu", None)
FITTED = LogisticRegression().fit(X, Y)


def found(factory, data=DATA, shadows=7, **others):
    request, settings = AuditRequest(factory, (X, Y), **others), Settings(shadows=shadows)
    return find_problems(request, settings, METHOD, data, try_factories(request, settings))


@pytest.mark.parametrize(
    "factory", [LogisticRegression, functools.partial(LogisticRegression, C=2.0), lambda: LogisticRegression()]
)
def test_a_fresh_model_at_each_call_is_right(factory):
    assert found(factory) == []


def test_a_factory_may_be_an_object_without_a_hash():
    @dataclass
    class Recipe:
        C: float

        def __call__(self):
            return LogisticRegression(C=self.C)

    assert found(Recipe(2.0)) == []


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (None, "mia_model_factory is missing; give a callable without arguments that returns an untrained model"),
        (LogisticRegression(), "mia_model_factory must be callable without arguments, got LogisticRegression"),
        (lambda: None, "mia_model_factory returned None; it must return a model; check that it ends with a return"),
        (
            lambda: LogisticRegression,
            "mia_model_factory returned the class LogisticRegression; "
            "it must return a model, such as LogisticRegression()",
        ),
    ],
)
def test_factories_that_give_no_model(factory, problem):
    assert found(factory) == [problem]


def test_one_model_for_all_and_fitted_already():
    same, fitted = found(lambda: FITTED)
    assert same.startswith("mia_model_factory returned the same object twice; it must return a fresh model")
    assert fitted.startswith("the LogisticRegression of mia_model_factory is fitted already")


def test_a_factory_is_tried_even_if_the_records_are_unfit():
    (problem,) = found(lambda: FITTED, data=None)
    assert "same object twice" in problem


def test_a_device_that_is_not_there_is_a_problem_like_others():
    torch = pytest.importorskip("torch")
    method = Method(None, None, None, "cuda:99", None)
    request = AuditRequest(lambda: torch.nn.Linear(2, 2), None)
    (problem,) = find_problems(request, Settings(), method, DATA, try_factories(request, Settings()))
    assert problem.startswith("device cuda:99 is not available")


def test_what_the_users_factory_raises_is_shown_as_his_own():
    def broken():
        raise KeyError("alpha")

    with pytest.raises(ModelTrainingError, match="KeyError: 'alpha'") as error:
        found(broken)
    assert "in broken" in str(error.value)


class TestKind:
    """What the audited model says that it is."""

    def kind(self, factory, **given):
        request = AuditRequest(factory, (X, Y), **given)
        return find_kind(request, try_factories(request, Settings()))

    def test_of_the_factory_s_model(self):
        assert self.kind(LogisticRegression) == "classifier"
        assert self.kind(Ridge, shadow_factory=LogisticRegression) == "regressor"
        assert self.kind(lambda: {}) is None
        assert self.kind(None) is None

    def test_of_the_released_model(self):
        assert self.kind(Ridge, target=Target(FITTED, (X, Y), (X, Y))) == "classifier"


class TestGuesses:
    def test_every_guess_is_tried(self):
        guesses = [LogisticRegression, lambda: None, Ridge]
        first, second = found(LogisticRegression, shadow_factory=guesses)
        assert first == "mia_shadow_factory returned None; it must return a model; check that it ends with a return"
        assert second.startswith("Ridge is no classifier")

    def test_an_empty_list(self):
        (problem,) = found(LogisticRegression, shadow_factory=[])
        assert problem.startswith("mia_shadow_factory is an empty list")

    def test_a_release_needs_no_factory_but_the_guess(self):
        target = Target(FITTED, (X, Y), (X, Y))
        assert found(None, target=target, shadow_factory=LogisticRegression) == []
        assert found(None, target=target) == [
            "mia_model_factory is missing; give a callable without arguments that returns an untrained model"
        ]

    def test_a_release_without_shadows_needs_none(self):
        calls = []
        assert found(lambda: calls.append(0), target=Target(FITTED, (X, Y), (X, Y)), shadows=0) == []
        assert calls == []


def test_a_factory_that_fails_is_an_error_of_training():
    with pytest.raises(ModelTrainingError, match="the model factory failed: ZeroDivisionError"):
        call_factory(lambda: 1 / 0, seed=0)
