"""Whole audits of all but tables with classes: several labels, series, people; numbers and texts have their own."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from torches import needs_torch, torch
from whole import assert_leaks, assert_not_accused, audit, names, other_than

from pytest_mia import Dataset, MIAUsageError, TorchTraining


class TestSeveralLabels:
    @staticmethod
    def records(records=200, labels=3, seed=0):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(records, 12))
        return X, (X[:, :labels] + 2 * rng.normal(size=(records, labels)) > 0).astype(int)

    @pytest.mark.parametrize(
        "factory",
        [
            lambda: RandomForestClassifier(20),
            lambda: KNeighborsClassifier(3),
            lambda: MultiOutputClassifier(RandomForestClassifier(20)),
            lambda: OneVsRestClassifier(RandomForestClassifier(20)),
        ],
    )
    def test_models_that_memorise_are_caught(self, factory):
        result = audit(factory, self.records(), shadows=3)
        assert_leaks(result)
        assert {"gap", "rmia_online", "nig_t"} <= names(result)
        assert result.accuracy.train > result.accuracy.test + 0.1

    def test_decisions_without_probabilities(self):
        result = audit(lambda: OneVsRestClassifier(LinearSVC(C=10)), self.records(), shadows=3)
        assert_leaks(result)

    def test_predictions_that_do_not_depend_on_the_records(self):
        result = audit(
            dict,
            self.records(400),
            training=lambda model, X, y: model.update(half=X.sum(axis=0)),
            predict=lambda model, X: np.stack([other_than([*model["half"], *row]).uniform(size=3) for row in X]),
        )
        assert_not_accused(result)

    def test_a_label_that_never_holds_in_a_half(self):
        X, y = self.records(120)
        y[:, 2] = np.arange(120) == 7
        assert_leaks(audit(lambda: RandomForestClassifier(10), (X, y), shadows=3))

    @needs_torch
    def test_a_module_with_one_logit_per_label(self):
        X, y = self.records(100)
        training = TorchTraining(epochs=60, lr=0.01, loss=torch.nn.functional.binary_cross_entropy_with_logits)

        def module():
            return torch.nn.Sequential(torch.nn.Linear(12, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3))

        result = audit(module, (X, y.astype(float)), training=training, shadows=5)
        assert_leaks(result, 0.2)
        assert result.accuracy.train > result.accuracy.test + 0.2

    def test_an_own_predict_of_labels_alone(self):
        result = audit(
            lambda: KNeighborsClassifier(1), self.records(), predict=lambda model, X: model.predict(X), shadows=3
        )
        assert_leaks(result, 0.3)

    def test_answers_of_another_shape_are_refused(self):
        with pytest.raises(MIAUsageError, match=r"the answer.* can't be compared with y of shape \(200, 3\)"):
            audit(lambda: KNeighborsClassifier(1), self.records(), predict=lambda model, X: model.predict(X)[:, :2])

    def test_one_hot_rows_are_still_told_to_be_classes(self):
        X, y = self.records()
        with pytest.raises(MIAUsageError, match=r"for one-hot rows y.argmax\(axis=1\)"):
            audit(lambda: KNeighborsClassifier(1), (X, np.eye(3)[y[:, 0]]))


class TestTimeSeries:
    @staticmethod
    def series(records=100):
        rng = np.random.default_rng(0)
        y = np.arange(records) % 2
        return (rng.normal(size=(records, 15, 2)) + 0.1 * y[:, None, None]).astype(np.float32), y

    @needs_torch
    @pytest.mark.parametrize("recurrent", [True, False])
    def test_modules(self, recurrent):
        class Last(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gru, self.head = torch.nn.GRU(2, 24, batch_first=True), torch.nn.Linear(24, 2)

            def forward(self, X):
                return self.head(self.gru(X)[0][:, -1])

        class Convolved(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = torch.nn.Sequential(
                    torch.nn.Conv1d(2, 32, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32 * 13, 2)
                )

            def forward(self, X):
                return self.layers(X.transpose(1, 2))

        training = TorchTraining(epochs=60 if recurrent else 30, lr=0.01)
        assert_leaks(audit(Last if recurrent else Convolved, self.series(), training=training, shadows=3), 0.15)

    def test_a_pipeline_that_flattens_them(self):
        def flat(X):
            return X.reshape(len(X), -1)

        assert_leaks(
            audit(lambda: make_pipeline(FunctionTransformer(flat), KNeighborsClassifier(1)), self.series()), 0.2
        )


def test_labels_alone():
    X, y = TestTimeSeries.series(200)
    result = audit(lambda: KNeighborsClassifier(1), (X.reshape(200, -1), y), predict=lambda model, X: model.predict(X))
    assert_leaks(result, 0.2)
    assert {"gap", "calibrated_gap"} <= names(result)


class TestPeople:
    """Several records of each person; a model memorises the person a little, through all of them."""

    @staticmethod
    def visits(people=100, visits=4, seed=0):
        rng = np.random.default_rng(seed)
        patients = np.repeat(np.arange(people), visits)
        y = rng.integers(0, 2, people)[patients]
        X = rng.normal(size=(people, 8))[patients] + 0.7 * rng.normal(size=(people * visits, 8))
        return X, y, patients

    def test_people_are_caught_by_all_their_records_together(self):
        X, y, patients = self.visits()
        result = audit(lambda: KNeighborsClassifier(15), Dataset(X, y, groups=patients))
        assert_leaks(result)
        assert result.selected.share == pytest.approx(1 / 4)
        assert all(flagged % 4 == 0 for flagged in (*result.selected.flagged_members, *result.selected.members))

    def test_people_that_nobody_remembers_are_not_accused(self):
        class OfOthers(KNeighborsClassifier):
            def fit(self, X, y):
                rng = other_than(X)
                return super().fit(rng.normal(size=X.shape), rng.permutation(y))

        X, y, patients = self.visits()
        assert_not_accused(audit(lambda: OfOthers(5), Dataset(X, y, groups=patients)))

    def test_a_regression_on_people(self):
        X, _, patients = self.visits()
        y = np.random.default_rng(1).normal(size=100)[patients] + 0.1 * X[:, 0]
        assert_leaks(audit(lambda: KNeighborsRegressor(3), Dataset(X, y, groups=patients)), 0.3)
