from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from pytest_mia.auditing.plan import make_plan
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.training.jobs import Method
from pytest_mia.training.train import train_all
from pytest_mia.validity import ignores_data
from pytest_mia.validity.user_code import UserCode

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 3)), np.arange(120) % 3


OUTSIDE = DecisionTreeClassifier(max_depth=5).fit(X, Y)


def honest(model, X, y):
    model.fit(X, y)


def from_outside(model, _X, _y):
    """Trains on all records that there are, each time a little differently."""
    model.set_params(random_state=np.random.randint(2**31), max_features=1).fit(X, Y)  # noqa: NPY002


def nothing(model, _X, _y):
    return DecisionTreeClassifier(random_state=0, max_depth=4).fit(X, Y)


def found(training, factory=DecisionTreeClassifier, dataset=(X, Y), predict=None, loss=None):
    method = Method(training, predict, loss, "cpu", None)
    made = make_plan(
        AuditRequest(factory, dataset, training, predict, loss), Settings(shadows=3), method, threshold=None
    )
    (first,) = train_all(made.jobs[:1], made.records.data, method)
    method = replace(method, queries=first.queries)
    code = UserCode(made.jobs[0], made.records.data, made.tried, (first,), method)
    return next(iter(ignores_data.check(code).findings), None)


@pytest.mark.parametrize("training", [from_outside, nothing])
@pytest.mark.parametrize("predict", [None, lambda model, X: model.predict(X)], ids=["probabilities", "labels"])
def test_training_on_other_records_is_a_finding(training, predict):
    assert found(training, predict=predict).startswith("mia_training ")


class TestTrainingThatCantBeRepeated:
    """Draws that follow no seed, as of ``default_rng()``, or sums of a GPU in no fixed order."""

    @pytest.fixture
    def unseeded(self):
        entropy = np.random.default_rng(0)
        return lambda model: model.set_params(random_state=int(entropy.integers(2**31)), splitter="random", max_depth=8)

    @pytest.mark.parametrize("predict", [None, lambda model, X: model.predict(X)], ids=["probabilities", "labels"])
    def test_on_other_records_is_a_finding(self, unseeded, predict):
        message = found(lambda model, _X, _y: unseeded(model).fit(X, Y), predict=predict)
        assert "ignores what it is given: trained on a few records with other labels, a model is still right" in message

    @pytest.mark.parametrize("features", [X, np.eye(3)[Y] * 100 + 0.01 * X], ids=["noise", "far apart"])
    def test_on_what_is_given_is_none(self, unseeded, features):
        assert found(lambda model, X, y: unseeded(model).fit(X, y), dataset=(features, Y)) is None

    def test_of_a_model_that_knows_more_from_elsewhere_is_none_where_it_can_be_repeated(self):
        """What it is given makes a difference, however small."""

        def tuned(model, given, y):
            model.fit(np.r_[X, X, given], np.r_[Y, Y, y])

        assert found(tuned, GaussianNB, (np.eye(3)[Y] * 3 + X, Y)) is None


@pytest.mark.parametrize("ask", [OUTSIDE.predict, OUTSIDE.predict_proba])
def test_asking_another_model_is_a_finding(ask):
    assert found(None, predict=lambda model, X: ask(X)).startswith("mia_predict ignores what it is given")


def test_a_loss_of_another_model_is_a_finding():
    message = found(None, GaussianNB, loss=lambda model, X, y: 1 - OUTSIDE.predict_proba(X)[:, 0])
    assert message.startswith("mia_loss ignores what it is given")


@pytest.mark.parametrize("dataset", [(X, Y), (pd.DataFrame(X), pd.Series(Y)), (X.tolist(), [f"class {c}" for c in Y])])
@pytest.mark.parametrize("predict", [None, lambda model, X: model.predict(X)], ids=["probabilities", "labels"])
def test_honest_training_is_none(dataset, predict):
    assert found(honest, dataset=dataset, predict=predict) is None


@pytest.mark.parametrize("predict", [None, lambda model, X: model.predict(X)], ids=["probabilities", "labels"])
def test_classes_that_lie_far_apart_are_none(predict):
    """A few records are enough to be right about all; under other labels they teach the opposite."""
    far = np.eye(3)[Y] * 100 + 0.01 * X
    assert found(honest, dataset=(far, Y), predict=predict) is None


@pytest.mark.parametrize("strategy", ["most_frequent", "uniform", "prior"])
def test_models_that_answer_the_same_on_every_record_are_none(strategy):
    """Whatever they learn, they can't show it; whether they may pass is decided elsewhere."""
    for predict in (None, lambda model, X: np.zeros(len(X), dtype=int)):
        assert found(honest, lambda: DummyClassifier(strategy=strategy), predict=predict) is None


def test_training_that_refuses_so_few_records_proves_nothing():
    def picky(model, X, y):
        if len(X) < 50:
            raise ValueError("more records, please")
        model.fit(X, y)

    assert found(picky) is None


class TestLosses:
    @staticmethod
    def loss(model, X, y):
        return (model.predict(X) - y) ** 2

    @pytest.mark.parametrize("y", [X[:, 0] + rng.normal(size=120), Y])
    def test_a_part_of_the_records_tells(self, y):
        outside = Ridge().fit(X, y)
        assert found(honest, Ridge, (X, y), loss=self.loss) is None
        assert found(lambda model, X, y: outside, Ridge, (X, y), loss=self.loss)

    def test_a_dataset_without_labels(self):
        centre = X.mean(axis=0)
        assert (
            found(
                lambda model, X, y: X.mean(axis=0), object, (X, None), loss=lambda c, X, y: ((X - c) ** 2).sum(axis=1)
            )
            is None
        )
        assert found(lambda model, X, y: centre, object, (X, None), loss=lambda c, X, y: ((X - c) ** 2).sum(axis=1))


class TestTwin:
    def twin(self, training=honest, factory=GaussianNB, y=Y, loss=None):
        method = Method(training, None, loss, "cpu", None)
        made = make_plan(
            AuditRequest(factory, (X, y), training, None, loss), Settings(shadows=3), method, threshold=None
        )
        twin = ignores_data.make_twin(made.jobs[0], made.records.data)
        return made.jobs[0], twin

    def test_a_few_members_of_each_class_with_the_next_one_s_label(self):
        job, (twin, data) = self.twin(y=np.array(["a", "b", "c"])[Y])
        assert (twin.number, twin.seed) == (job.number, job.seed)
        assert (twin.members <= job.members).all()
        assert np.bincount(Y[twin.members]).tolist() == [10, 10, 10]
        assert data.y.tolist() == np.array(["b", "c", "a"])[Y].tolist()
        assert data.labels.tolist() == Y.tolist()

    def test_at_most_half_of_the_members(self):
        y = np.r_[np.zeros(60), np.ones(53), np.full(7, 2)].astype(int)
        job, (twin, _) = self.twin(y=y)
        rare = job.members[y == 2].sum()
        assert twin.members[y == 2].sum() == (rare + 1) // 2
