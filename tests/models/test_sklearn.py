import warnings

import numpy as np
import pandas as pd
import pytest
from adapters import find_problems
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data.containers import take
from pytest_mia.data.dataset import Dataset
from pytest_mia.models.answers import Labels, Logits, Probabilities, check_answer
from pytest_mia.models.select import adapter_for

RNG = np.random.default_rng(0)
Y = np.tile(["ant", "bee", "cat"], 20)
X = RNG.normal(size=(60, 4)) + 2 * np.unique(Y, return_inverse=True)[1][:, None]
CLASSES = np.array(["ant", "bee", "cat"])


def trained(model, X=X, y=Y, seed=1, classes=CLASSES):
    adapter = adapter_for(model, classes=classes)
    assert find_problems(adapter, model, Dataset(X, y)) == []
    return adapter, adapter.trainer.fit(model, X, y, seed)


def answer(model, X=X, y=Y, seed=1, classes=CLASSES, asked=None):
    adapter, model = trained(model, X, y, seed, classes)
    asked = X if asked is None else asked
    return check_answer(
        adapter.asker.answer(model, asked, None), asked.shape[0] if hasattr(asked, "shape") else len(asked)
    )


class TestKinds:
    def test_probabilities(self):
        given = answer(GaussianNB())
        assert isinstance(given, Probabilities)
        np.testing.assert_array_equal(given.values, GaussianNB().fit(X, Y).predict_proba(X))

    def test_decision_function_of_many_classes(self):
        given = answer(LinearSVC())
        assert isinstance(given, Logits)
        expected = LinearSVC().fit(X, Y)
        np.testing.assert_allclose(given.values, expected.decision_function(X), atol=1e-3)

    def test_decision_function_of_two_classes(self):
        two = Y != "cat"
        model = RidgeClassifier().fit(X[two], Y[two])
        given = answer(RidgeClassifier(), X[two], Y[two], classes=CLASSES[:2])
        assert isinstance(given, Logits)
        np.testing.assert_allclose(given.values[:, 1] - given.values[:, 0], model.decision_function(X[two]))

    def test_labels(self):
        given = answer(OnlyLabels())
        assert isinstance(given, Labels)
        assert set(given.codes) == {0, 1, 2}

    def test_pipelines_and_searches(self):
        for model in (
            make_pipeline(StandardScaler(), LogisticRegression()),
            GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 3]}, cv=2),
            BaggingClassifier(DecisionTreeClassifier(), n_estimators=3),
        ):
            given = answer(model)
            assert isinstance(given, Probabilities)
            assert (CLASSES[given.values.argmax(axis=1)] == Y).mean() > 0.8

    def test_frames_arrive_as_frames(self):
        frame = pd.DataFrame(X, columns=list("pqrs"), index=range(100, 160)).assign(kind=pd.Categorical(Y))
        columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"])], remainder="passthrough")
        given = answer(
            make_pipeline(columns, LogisticRegression(max_iter=1000)), frame, pd.Series(Y, index=frame.index)
        )
        assert (CLASSES[given.values.argmax(axis=1)] == Y).all()

    @pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
    def test_sparse(self, kind):
        expected = answer(LogisticRegression()).values
        np.testing.assert_allclose(answer(LogisticRegression(), kind(X)).values, expected, atol=1e-4)

    def test_texts(self):
        texts = [f"{label} {number}" for number, label in enumerate(Y)]
        given = answer(make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)), texts)
        assert (CLASSES[given.values.argmax(axis=1)] == Y).all()

    @pytest.mark.parametrize("labels", [[3, 5, 9], [0.0, 1.0, 2.0], [-1, 0, 1]])
    def test_labels_of_any_type(self, labels):
        y = np.array(labels)[np.unique(Y, return_inverse=True)[1]]
        np.testing.assert_array_equal(
            answer(GaussianNB(), y=y, classes=np.unique(y)).values, answer(GaussianNB()).values
        )

    def test_bool_labels(self):
        assert answer(GaussianNB(), y=Y == "ant", classes=np.array([False, True])).values.shape == (60, 2)

    def test_lightgbm(self):
        lightgbm = pytest.importorskip("lightgbm")
        model = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            given, again = (answer(model, seed=2**32 - 1) for _ in range(2))
        assert isinstance(given, Probabilities)
        assert (CLASSES[given.values.argmax(axis=1)] == Y).mean() > 0.9
        np.testing.assert_array_equal(given.values, again.values)
        assert model.n_jobs is None
        assert adapter_for(model, classes=CLASSES).trainer.fit(model, X, Y, 3).n_jobs == 1


class OnlyLabels(BaseEstimator, ClassifierMixin):
    def fit(self, X, y):
        self.inner_ = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)
        return self

    def predict(self, X):
        return self.inner_.predict(X)


class Duck:
    """Speaks the protocol without scikit-learn's base classes."""

    def __init__(self):
        self.seen = None

    def fit(self, X, y):
        self.seen = np.unique(y)

    def predict_proba(self, X):
        return np.tile(np.arange(1.0, len(self.seen) + 1) / 10, (len(X), 1))


class TestDucks:
    def test_needs_no_base_class_nor_classes(self):
        assert answer(Duck()).values[0].tolist() == [0.1, 0.2, 0.3]

    def test_columns_that_can_not_be_told_are_refused(self):
        with pytest.raises(MIAUsageError, match=r"shape \(60, 2\).*named by classes_"):
            answer(Duck(), y=np.where(Y == "cat", "ant", Y))

    def test_one_column_of_probabilities(self):
        class OneColumn(Duck):
            def predict_proba(self, X):
                return np.full(len(X), 0.25)

        assert answer(OneColumn(), classes=CLASSES[:2]).values[0].tolist() == [0.75, 0.25]

    def test_scores_from_predict(self):
        class Scores(Duck):
            predict_proba = None

            def predict(self, X):
                return np.tile([0.5, 0.25, 0.25], (len(X), 1))

        assert isinstance(answer(Scores()), Probabilities)

    def test_many_labels_at_once_are_refused(self):
        class Many(Duck):
            def predict_proba(self, X):
                return [np.full((len(X), 2), 0.5)] * 3

        with pytest.raises(MIAUsageError, match="answers 3 labels at once"):
            answer(Many())

    def test_what_training_returned_must_be_a_model(self):
        adapter = adapter_for(Duck(), classes=CLASSES, training=lambda model, X, y: {"loss": 1.0})
        with pytest.raises(MIAUsageError, match=r"a dict, has none of predict_proba.*return the trained model or None"):
            adapter.asker.answer(adapter.trainer.fit(Duck(), X, Y, 0), X, Y)


class TestMissingClasses:
    rows = np.flatnonzero(Y != "bee")

    def test_probability_zero(self):
        given = answer(GaussianNB(), X[self.rows], Y[self.rows], asked=X)
        assert (given.values[:, 1] == 0).all()
        np.testing.assert_allclose(given.values[:, [0, 2]].sum(axis=1), 1)

    def test_binary_decision_on_two_of_three(self):
        model = RidgeClassifier().fit(X[self.rows], Y[self.rows])
        given = answer(RidgeClassifier(), X[self.rows], Y[self.rows], asked=X)
        assert isinstance(given, Logits)
        np.testing.assert_allclose(given.values[:, 2] - given.values[:, 0], model.decision_function(X))
        assert (given.values[:, 1] == -np.inf).all()

    def test_three_of_four_by_decision(self):
        given = answer(LinearSVC(), classes=np.array(["ant", "ape", "bee", "cat"]))
        assert np.isfinite(given.values[:, [0, 2, 3]]).all()
        assert (given.values[:, 1] == -np.inf).all()

    def test_a_half_with_one_class(self):
        rows = np.flatnonzero(Y == "bee")
        for model in (DecisionTreeClassifier(), DummyClassifier(), GaussianNB()):
            assert (answer(model, X[rows], Y[rows], asked=X).values == [0, 1, 0]).all()

    def test_one_class_by_decision(self):
        class Single(Duck):
            predict_proba = None
            classes_ = np.array(["bee"])

            def decision_function(self, X):
                return np.zeros(len(X))

        assert (answer(Single(), asked=X).values.argmax(axis=1) == 1).all()

    def test_classes_that_the_dataset_lacks_are_dropped(self):
        adapter = adapter_for(GaussianNB(), classes=CLASSES[:2])
        given = adapter.asker.answer(GaussianNB().fit(X, Y), X, None)
        np.testing.assert_array_equal(given.values, GaussianNB().fit(X, Y).predict_proba(X)[:, :2])

    def test_no_class_in_common_is_refused(self):
        adapter = adapter_for(GaussianNB(), classes=np.array([0, 1, 2]))
        with pytest.raises(MIAUsageError, match="of which 0 are among the 3"):
            adapter.asker.answer(GaussianNB().fit(X, Y), X, None)


class TestReproducibility:
    def forest(self):
        return RandomForestClassifier(n_estimators=5, random_state=0, n_jobs=2, max_features=1)

    def test_every_seed_and_thread_parameter_is_set_also_inside(self):
        model = make_pipeline(StandardScaler(), BaggingClassifier(self.forest(), n_estimators=2, n_jobs=2))
        _, fitted = trained(model)
        values = fitted.get_params()
        seeds = [value for name, value in values.items() if name.endswith("random_state")]
        assert len(seeds) == 2
        assert len(set(seeds)) == 2
        assert all(0 < seed < 2**31 for seed in seeds)
        assert [value for name, value in values.items() if name.endswith("n_jobs")] == [None, None]

    def test_same_seed_same_model_and_another_seed_another(self):
        first, again, other = (answer(self.forest(), seed=seed).values for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_what_models_share_stays_as_it_was(self):
        shared = self.forest()
        trained(BaggingClassifier(shared, n_estimators=2))
        assert (shared.random_state, shared.n_jobs) == (0, 2)

    def test_arrays_and_generators_stay_as_they_were(self):
        before, state = X.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
        answer(self.forest())
        np.testing.assert_array_equal(X, before)
        np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def problems(model, X=X, y=Y, **given):
    return find_problems(adapter_for(model, classes=CLASSES, **given), model, Dataset(X, y))


class TestProblems:
    @pytest.mark.parametrize(
        "model",
        [
            GaussianNB().fit(X, Y),
            make_pipeline(StandardScaler(), GaussianNB()).fit(X, Y),
            GridSearchCV(GaussianNB(), {}, cv=2).fit(X, Y),
        ],
    )
    def test_fitted_models(self, model):
        assert problems(model) == [
            f"the {type(model).__name__} of mia_model_factory is fitted already; it must return an unfitted model"
        ]

    def test_fitted_ducks(self):
        model = Duck()
        model.weights_ = 1
        assert len(problems(model)) == 1

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("model", [LogisticRegression(), make_pipeline(KNeighborsClassifier()), SVC()])
    def test_features_that_are_refused(self, model, value):
        bad = X.copy()
        bad[[7, 9], 1] = value
        (problem,) = problems(model, bad)
        assert "in 2 of 60 records, first in record 7" in problem
        assert problems(model, pd.DataFrame(bad)) == [problem]

    @pytest.mark.parametrize(
        "model",
        [
            HistGradientBoostingClassifier(),
            DecisionTreeClassifier(),
            make_pipeline(SimpleImputer(), LogisticRegression()),
            make_pipeline(FunctionTransformer(np.nan_to_num), LogisticRegression()),
            GridSearchCV(make_pipeline(SimpleImputer(), GaussianNB()), {}),
            make_pipeline(ColumnTransformer([("numbers", SimpleImputer(), [0, 1])]), LogisticRegression()),
            Duck(),
        ],
    )
    def test_features_that_are_not(self, model):
        bad = X.copy()
        bad[7, 1] = np.nan
        assert problems(model, bad) == []
        answer(model, bad)

    @pytest.mark.parametrize(
        "model", [LinearRegression(), IsolationForest(), make_pipeline(StandardScaler(), LinearRegression())]
    )
    def test_no_classifier(self, model):
        assert any(f"{type(model).__name__} is no classifier" in problem for problem in problems(model))
        assert problems(model, loss=lambda model, X, y: np.zeros(len(X))) == []

    def test_ducks_say_what_they_are(self):
        class Regressor(Duck):
            _estimator_type = "regressor"

        assert "no classifier" in problems(Regressor())[0]

    def test_nothing_to_ask_by(self):
        class Silent:
            def fit(self, X, y): ...

        assert "none of predict_proba, decision_function, predict" in problems(Silent())[0]

    def test_votes_between_pairs(self):
        assert "set decision_function_shape='ovr'" in problems(make_pipeline(SVC(decision_function_shape="ovo")))[0]

    def test_what_can_not_be_trained(self):
        assert "returned int, which has no fit" in problems(3)[0]
        assert "returned the class GaussianNB; .* lambda: GaussianNB()" in problems(GaussianNB)[0].replace(
            "it must return a model, such as", ".*"
        )

    def test_all_at_once(self):
        bad = np.full_like(X, np.nan)
        assert len(problems(make_pipeline(LinearRegression()).fit(X, np.arange(60)), bad)) == 3


def test_the_halves_of_a_dataset_reach_the_model_in_their_type():
    class Recording(Duck):
        def fit(self, X, y):
            super().fit(X, y)
            self.given = type(X), type(y), X.shape

    frame, labels = pd.DataFrame(X), pd.Series(Y)
    rows = np.arange(0, 60, 2)
    adapter = adapter_for(Recording(), classes=CLASSES)
    assert adapter.trainer.fit(Recording(), take(frame, rows), take(labels, rows), 0).given == (
        pd.DataFrame,
        pd.Series,
        (30, 4),
    )
