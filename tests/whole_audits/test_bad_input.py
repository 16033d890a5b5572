"""Bad input gets a clear error that names every problem, before anything is trained."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier
from whole import finish

from pytest_mia import Dataset, MIAUsageError, Target, audit, audit_outputs
from pytest_mia.auditing.run import run
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 3)), np.arange(60) % 2
FITS = []


class Counted(DecisionTreeClassifier):
    """Counts what it is trained on."""

    def fit(self, X, y):
        FITS.append(len(X))
        return super().fit(X, y)


@pytest.fixture
def refused():
    """The problems that an audit is refused for; nothing was trained."""

    def problems(factory=Counted, dataset=(X, Y), **arguments):
        FITS.clear()
        with pytest.raises(MIAUsageError) as error:
            audit(factory, dataset, **{"shadows": 3, "jobs": 1} | arguments)
        assert FITS == []
        return error.value.problems

    return problems


def test_without_problems_models_are_trained():
    FITS.clear()
    audit(Counted, (X, Y), shadows=3, jobs=1, attacks=["loss"])
    assert FITS == [30] * 4 + [16]  # and a few records more, to see whether they make a difference


def test_no_factory(refused):
    assert refused(None) == (
        "mia_model_factory is missing; give a callable without arguments that returns an untrained model",
    )


def test_no_dataset(refused):
    (problem,) = refused(dataset=None)
    assert problem.startswith("mia_dataset: got NoneType as dataset; give a tuple (X, y), a pytest_mia.Dataset(X, y, ")


def test_a_factory_that_returns_the_same_object_twice(refused):
    one = Counted()
    (problem,) = refused(lambda: one)
    assert problem.startswith(
        "mia_model_factory returned the same object twice; it must return a fresh model at each call"
    )


def test_a_model_that_is_fitted_already(refused):
    def fitted():
        return DecisionTreeClassifier().fit(X, Y)

    (problem,) = refused(fitted)
    assert problem.startswith("the DecisionTreeClassifier of mia_model_factory is fitted already")


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (object, "mia_model_factory returned object, which has no fit and is no torch module; give mia_training"),
        (lambda: Counted, "mia_model_factory returned the class Counted; it must return a model, such as Counted()"),
        (lambda: None, "mia_model_factory returned None; it must return a model"),
        (Counted(), "mia_model_factory must be callable without arguments, got Counted"),
        (
            Ridge,
            "Ridge is no classifier; give mia_predict for class probabilities, or mia_loss",
        ),
    ],
)
def test_something_that_cannot_be_trained(refused, factory, problem):
    (found,) = refused(factory)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("dataset", "problem"),
    [
        ((X, Y[:50]), "mia_dataset: X holds 60 records and y 50; both need the same number"),
        (Dataset(X, Y, groups=Y[:50]), "mia_dataset: X holds 60 records and groups 50; both need the same number"),
        (
            Dataset(X, Y, slices={"sex": Y[:50]}),
            "mia_dataset: X holds 60 records and slice 'sex' 50; both need the same number",
        ),
    ],
)
def test_lengths_that_differ(refused, dataset, problem):
    assert refused(dataset=dataset) == (problem,)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame])
def test_features_that_the_model_refuses(refused, monkeypatch, value, kind):
    monkeypatch.setattr(LogisticRegression, "fit", lambda *_: FITS.append(0))
    spoiled = X.copy()
    spoiled[[7, 9], 1] = value
    (problem,) = refused(LogisticRegression, (kind(spoiled), Y))
    assert problem == (
        "LogisticRegression refuses NaN and infinite features, which X holds in 2 of 60 records, first in record 7; "
        "put an imputer in front of it, or leave these records out"
    )


@pytest.mark.parametrize("y", [np.where(Y, 1.0, np.nan), [None, 1] * 30, pd.Series(["a", None] * 30)])
def test_labels_that_are_missing(refused, y):
    (problem,) = refused(dataset=(X, y))
    assert problem.startswith("mia_dataset: y: no label in 30 of 60 records, first in record ")


def test_one_class_only(refused):
    assert refused(dataset=(X, np.ones(60, dtype=int))) == (
        "mia_dataset: y holds one class only (1); at least 2 are needed",
    )


def test_fewer_records_than_any_verdict_needs(refused):
    (problem,) = refused(dataset=(X[:2], Y[:2]), threshold=0.05)
    assert problem == "2 records are too few for any verdict; at least 3 are needed, half of them non-members"


def test_fewer_non_members_than_any_verdict_needs(refused):
    model = DecisionTreeClassifier().fit(X[:58], Y[:58])
    (problem,) = refused(target=Target(model, (X[:58], Y[:58]), (X[58:], Y[58:])), threshold=0.05)
    assert problem == "4 records are too few for any verdict; at least 6 are needed, half of them non-members"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shadows", 2),
        ("confidence", 1.0),
        ("seed", -1),
        ("device", "gpu"),
        ("jobs", 0),
        ("queries", 0),
        ("inconclusive", "no"),
    ],
)
def test_an_option_out_of_range(refused, name, value):
    (problem,) = refused(**{name: value})
    assert problem.startswith(f"{name} must be ")
    assert problem.endswith(f"got {value!r}")


def test_an_unknown_attack(refused):
    (problem,) = refused(attacks=["loss", "lyra"])
    assert problem.startswith("unknown attack 'lyra'; the attacks are gap, loss, modified_entropy, ")


def test_a_device_that_is_not_there(refused):
    torch = pytest.importorskip("torch")
    (problem,) = refused(lambda: torch.nn.Linear(3, 2), device="cuda:99")
    assert problem.startswith("device cuda:99 is not available; this machine has cpu")


def test_no_shadows_for_a_recipe(refused):
    (problem,) = refused(shadows=0)
    assert problem.startswith("shadows must be at least 3 to audit a recipe, got 0; give mia_target")


def test_a_function_that_takes_other_arguments(refused):
    assert refused(predict=lambda model: model)[0].startswith(
        "mia_predict is called with (model, X), but <lambda> takes"
    )


def test_both_a_loss_and_a_way_to_predict(refused):
    (problem,) = refused(predict=lambda model, X: X, loss=lambda model, X, y: y)
    assert problem.startswith("mia_predict and mia_loss are both given")


def test_a_target_of_another_kind(refused):
    (problem,) = refused(target=DecisionTreeClassifier())
    assert problem.startswith("mia_target must be pytest_mia.Target(model, ")


def test_both_outputs_and_a_target_are_refused():
    with pytest.raises(MIAUsageError, match="mia_outputs and mia_target were both given"):
        finish(run(AuditRequest(None, None, target=Target(0, 1, 2), outputs=(0, 1, 2)), Settings()))


def test_all_problems_at_once(refused):
    one = Counted()
    found = refused(lambda: one, (X, Y[:9]), shadow_dataset=(X, None), shadow_factory=[None], attacks=["lyra"])
    assert [problem.split(" ")[0] for problem in found] == [
        "unknown",
        "mia_dataset:",
        "mia_shadow_dataset:",
        "mia_model_factory",
        "mia_shadow_factory",
    ]


def test_outputs_with_several_problems():
    with pytest.raises(MIAUsageError) as error:
        audit_outputs(np.zeros((3, 60, 2)), np.zeros((3, 60)), Y[:9])
    assert len(error.value.problems) == 3
