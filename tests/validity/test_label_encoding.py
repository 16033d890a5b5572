"""Answers that call the classes otherwise than y does."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import InvalidAuditError

QUICK = {"shadows": 3, "jobs": 1, "attacks": ["gap", "loss"]}
X, Y = make_classification(600, 20, n_informative=8, n_classes=6, n_clusters_per_class=1, random_state=0)
TWO = (Y > 2).astype(int)


def audited(predict, y=Y, factory=DecisionTreeClassifier, features=X):
    return pytest_mia.audit(factory, (features, y), predict=predict, **QUICK)


def assert_found(result):
    with pytest.raises(InvalidAuditError, match=r"(?s)name\s+the\s+classes\s+in\s+another\s+way\s+than\s+y\s+does"):
        result.assert_membership_advantage_below(0.5)


@pytest.mark.parametrize(
    ("predict", "y"),
    [
        (lambda model, X: model.predict(X) + 1, Y),
        (lambda model, X: model.predict(X) - 1, Y + 1),
        (lambda model, X: 1 - model.predict(X), TWO),
        (lambda model, X: model.predict(X) + 1, TWO),
        (lambda model, X: np.roll(model.predict_proba(X), 1, axis=1), Y),
        (lambda model, X: model.predict_proba(X)[:, ::-1], TWO),
    ],
    ids=["from 1", "from 0", "the other way round", "two from 1", "columns in another order", "two columns turned"],
)
def test_other_codes(predict, y):
    result = audited(predict, y)
    assert result.advantage.high < 0.05, "an attack finds the leak by itself: the test shows nothing"
    assert_found(result)


def test_a_model_that_memorises_nothing():
    """It is as often wrong on others, and still never right."""
    assert_found(audited(lambda model, X: (model.predict(X) + 1) % 6, factory=lambda: LogisticRegression(C=0.001)))


def test_outputs_of_models_trained_elsewhere():
    rng = np.random.default_rng(0)
    members = rng.random((6, 600)) < 0.5
    guessed = np.where(members | (rng.random(members.shape) < 0.6), Y, (Y + 1) % 6)
    assert pytest_mia.audit_outputs(guessed, members, Y, attacks=["gap"]).findings == ()
    assert_found(pytest_mia.audit_outputs((guessed + 1) % 6, members, Y, attacks=["gap"]))


@pytest.mark.parametrize(
    "factory",
    [
        lambda: DummyClassifier(strategy="most_frequent"),
        # It is right on less than half, for which nothing but its own choice is to blame.
        lambda: DummyClassifier(strategy="constant", constant=1),
    ],
    ids=["the most frequent", "the rarer class"],
)
def test_a_model_that_learns_nothing_is_no_finding(factory):
    result = audited(lambda model, X: model.predict(X), (np.arange(600) % 3 == 0).astype(int), factory)
    assert not any("otherwise" in each for each in result.findings)


def test_several_labels_are_seldom_all_right():
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(400, 3)), rng.normal(size=(400, 12))
    labels = (features @ rng.normal(size=(3, 12)) + 9 * noise > 0).astype(int)
    result = audited(None, labels, lambda: MultiOutputClassifier(LogisticRegression()), features)
    assert result.accuracy.train < 0.01, "they are right often enough to show nothing"
    assert result.findings == ()
