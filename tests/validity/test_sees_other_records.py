import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pytest_mia
from pytest_mia import InvalidAuditError
from pytest_mia.cache import pickling

rng = np.random.default_rng(0)
Y = np.arange(120) % 2
X = rng.normal(size=(120, 3)) + Y[:, None]
TEXT = "looks at records that it isn't given"


def audit(factory=GaussianNB, dataset=(X, Y), **options):
    return pytest_mia.audit(factory, dataset, shadows=3, jobs=1, attacks=["gap", "loss"], **options)


def scaled_by(table):
    """Trains on records that are scaled by all there are."""

    def train(model, X, y):
        whole = table.toarray() if sparse.issparse(table) else np.asarray(table)
        return make_pipeline(StandardScaler().fit(whole).__class__(), model).fit(X + whole.mean(axis=0), y)

    return train


def from_a_global(model, given, y):
    model.fit(given - X.mean(axis=0), y)


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, sparse.csr_array], ids=["array", "frame", "sparse"])
def test_what_is_fitted_on_all_records_is_found(kind):
    result = audit(lambda: LogisticRegression(), training=scaled_by(kind(X)))
    with pytest.raises(InvalidAuditError) as error:
        result.assert_membership_advantage_below(0.9)
    assert f"mia_training {TEXT}: it holds all 120 records" in " ".join(str(error.value).split())


def test_a_global_variable():
    assert any(TEXT in finding for finding in audit(training=from_a_global).findings)


def test_the_way_to_ask():
    def predict(model, given):
        return model.predict_proba(given - X.mean(axis=0))

    assert [finding.partition(":")[0] for finding in audit(predict=predict).findings] == [f"mia_predict {TEXT}"]


def test_a_class_of_the_users_own_is_left_alone():
    """A copy of it would be the class itself, with other functions."""

    class Centred(GaussianNB):
        def fit(self, given, y):
            return super().fit(given - X.mean(axis=0), y)

    fit = Centred.fit
    assert not audit(Centred).findings
    assert not audit(training=lambda model, given, y: Centred.fit(model, given, y), factory=Centred).findings
    assert Centred.fit is fit
    assert Centred.fit.__globals__ is globals()


def test_honest_code_that_knows_the_records_is_none():
    """It asks them for their number of columns, or for those that it is given."""
    columns = X

    def train(model, X, y):
        assert X.shape[1] == columns.shape[1]
        model.fit(X, y)

    assert not audit(training=train).findings


def test_training_that_differs_each_time_proves_nothing():
    def train(model, given, y):
        model.fit(given + np.random.default_rng().normal(0, 0.1 + 0 * X.mean(), given.shape), y)

    assert not audit(training=train).findings


def test_code_that_can_not_be_copied_proves_nothing(monkeypatch):
    def fail(*_):
        raise TypeError("no")

    monkeypatch.setattr(pickling.Pickler, "dump", fail)
    assert not audit(training=from_a_global).findings


def test_the_users_arrays_stay_as_they_were():
    before = X.copy()
    audit(training=from_a_global)
    assert np.array_equal(X, before)
