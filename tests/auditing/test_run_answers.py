import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor
from whole import INSIDE, OUTSIDE, RECORDS, Tree, X, Y, recipe

from pytest_mia import InvalidAuditError, MIAUsageError, Target, audit

rng = np.random.default_rng(1)


class LabelsAlone(ClassifierMixin, BaseEstimator):
    """A tree that tells no probabilities."""

    def fit(self, X, y):
        self.tree_ = Tree(random_state=0).fit(X, y)
        return self

    def predict(self, X):
        return self.tree_.predict(X)


class Untrained(ClassifierMixin, BaseEstimator):
    """Answers by a formula, whatever it was given to learn."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-X[:, 0]))
        return np.stack([1 - p, p], axis=1)


class TestAnswers:
    def test_labels_alone(self):
        result = recipe(LabelsAlone, attacks=None)
        names = {"gap", "calibrated_gap", "label_noise", "calibrated_label_noise"}
        assert {attack.name for attack in result.attacks} == names
        assert result.advantage.low > 0.1
        assert any("40 noisy copies of each record" in note for note in result.notes)

    def test_the_users_way_to_ask(self):
        result = recipe(predict=lambda model, X: np.tile([0.25, 0.75], (len(X), 1)) + 0.1 * model.predict_proba(X))
        assert result.accuracy.train == pytest.approx(Y.mean(), abs=0.02)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16])
    def test_probabilities_in_few_bits(self, dtype):
        ours = recipe(lambda: Tree(min_samples_leaf=3), predict=lambda model, X: model.predict_proba(X).astype(dtype))
        exact = recipe(lambda: Tree(min_samples_leaf=3))
        assert ours.advantage.estimate == pytest.approx(exact.advantage.estimate, abs=0.05)

    @pytest.mark.parametrize(
        ("answer", "problem"),
        [
            (lambda model, X: model.predict_proba(X)[:9], InvalidAuditError),
            (lambda model, X: model.predict_proba(X)[:, [0, 1, 1]], MIAUsageError),
            (lambda model, X: 0.5, MIAUsageError),
            (lambda model, X: None, MIAUsageError),
        ],
        ids=["rows", "columns", "a number", "nothing"],
    )
    def test_answers_of_another_shape(self, answer, problem):
        with pytest.raises(problem, match="answer") as error:
            recipe(GaussianNB, predict=answer)
        assert "while training model 0 (seed" in error.value.__notes__[0]

    def test_answers_that_vary_are_averaged(self):
        result = recipe(predict=lambda model, X: model.predict_proba(X) * np.random.uniform(0.5, 1, (len(X), 2)))  # noqa: NPY002
        assert "the answers to 16 queries per record were averaged, because the model's answers vary" in result.notes

    def test_models_that_all_answer_alike_are_invalid(self):
        """A training that does nothing would pass every limit."""
        result = recipe(Untrained)
        with pytest.raises(InvalidAuditError, match="4 models trained on different halves give exactly the same"):
            result.assert_membership_advantage_below(0.9)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_answers_that_are_no_numbers_end_the_audit(self, value):
        def predict(model, X):
            answers = model.predict_log_proba(X)
            answers[[30, 31], 1] = value
            return answers

        with pytest.raises(InvalidAuditError, match="on 2 of 200 records, first on record 30") as error:
            recipe(GaussianNB, predict=predict)
        assert "while training model 0 (seed" in error.value.__notes__[0]

    def test_models_that_answer_in_different_ways(self):
        def predict(model, X):
            return model.predict(X) if model.n_samples % 2 else model.predict_proba(X)

        def train(model, X, y):
            model.fit(X, y).n_samples = int(X[:, 0].sum() * 1000)

        with pytest.raises(MIAUsageError, match="models answer in different ways: the first with "):
            recipe(predict=predict, training=train)

    def test_no_attack_that_was_asked_for_fits(self):
        with pytest.raises(
            MIAUsageError, match=r"none of the attacks shokri fits .* the attacks that fit: gap, calibrated_gap"
        ):
            recipe(LabelsAlone, attacks=["shokri"])


def test_models_that_answer_the_share_of_each_class():
    """They answer alike whatever they are asked, so that there is nothing to judge."""
    with pytest.raises(InvalidAuditError):
        recipe(lambda: DummyClassifier(strategy="uniform")).assert_membership_advantage_below(0.9)


class TestLosses:
    targets = X[:, 0] + rng.normal(size=RECORDS)

    @staticmethod
    def loss(model, X, y):
        return (model.predict(X) - y) ** 2

    def test_regression_by_heart_is_a_leak(self):
        result = recipe(DecisionTreeRegressor, (X, self.targets), loss=self.loss, attacks=None)
        assert result.advantage.low > 0.9
        assert (result.accuracy.train, result.accuracy.test) == (None, None)

    def test_regression_with_few_parameters_leaks_little(self):
        result = recipe(LinearRegression, (X, self.targets), loss=self.loss)
        assert result.assert_membership_advantage_below(0.3).verdict == "pass"

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_release(self, shadows):
        model = KNeighborsRegressor(1).fit(X[INSIDE], self.targets[INSIDE])
        target = Target(model, (X[INSIDE], self.targets[INSIDE]), (X[OUTSIDE], self.targets[OUTSIDE]))
        result = audit(lambda: KNeighborsRegressor(1), None, loss=self.loss, target=target, shadows=shadows, jobs=1)
        assert result.advantage.low > 0.5
