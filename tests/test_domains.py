"""Whole audits of all but tables with classes: regressions, several labels, language models, texts, series, people."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor
from worlds import Bigrams

import pytest_mia
from pytest_mia import Dataset, MembershipLeakError, MIAUsageError, Target, TokenLogProbabilities, TorchTraining
from pytest_mia.attacks import ATTACKS

torch = pytest.importorskip("torch")
ON_COPIES = ("label_noise", "augmentation")

DIABETES = load_diabetes(return_X_y=True)
SINGLE = [attack.name for attack in ATTACKS if attack.name != "combined" and not attack.name.endswith(ON_COPIES)]
"""Attacks that learn nothing of what others find, and ask about no changed copies: those take most of the time."""


def audit(factory, dataset, *, attacks=SINGLE, **given):
    return pytest_mia.audit(factory, dataset, jobs=1, device="cpu", attacks=attacks, **given)


def assert_leaks(result, at_least=0.05):
    assert not result.findings
    with pytest.raises(MembershipLeakError):
        result.assert_membership_advantage_below(at_least)


def assert_not_accused(result):
    assert not result.findings
    assert result.advantage.low < 0.03
    assert all(attack.advantage.low < 0.05 for attack in result.attacks)


def other_than(X):
    """A generator that differs from half to half, and knows nothing else of the records."""
    return np.random.default_rng(list(hashlib.sha256(np.asarray(X).tobytes()).digest()))


def names(result):
    return {attack.name for attack in result.attacks}


class TestRegression:
    @pytest.mark.parametrize("factory", [lambda: KNeighborsRegressor(1), DecisionTreeRegressor])
    def test_regressors_that_memorise_are_caught(self, factory):
        result = audit(factory, DIABETES)
        assert_leaks(result, 0.5)
        assert {"lira_online_residual", "nig_t_residual", "loss", "nig_t"} <= names(result)
        assert result.accuracy.train is result.accuracy.test is None

    @pytest.mark.parametrize("factory", [lambda: Ridge(100), DummyRegressor])
    def test_regressors_that_do_not_are_not_accused(self, factory):
        assert_not_accused(audit(factory, DIABETES))

    @pytest.mark.parametrize("seed", range(3))
    def test_predictions_that_do_not_depend_on_the_records(self, seed):
        """Noise that every model draws anew: no attack tells members from others."""
        rng = np.random.default_rng(seed)
        X = np.arange(400.0)[:, None]
        result = audit(
            dict,
            (X, rng.normal(size=400)),
            seed=seed,
            training=lambda model, X, y: model.update(
                noise=np.random.default_rng(len(X) + int(X.sum())).normal(size=400)
            ),
            predict=lambda model, X: model["noise"][X[:, 0].astype(int)],
        )
        assert_not_accused(result)
        assert np.mean([attack.auc for attack in result.attacks]) == pytest.approx(0.5, abs=0.04)

    def test_several_outputs(self):
        X, y = DIABETES
        both = np.column_stack([y, 1e6 * X[:, 0]])
        result = audit(lambda: KNeighborsRegressor(2), (X, both))
        assert_leaks(result)
        assert "lira_online_residual" not in names(result)

    @pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
    def test_a_module_with_one_output(self, shape):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(80, 20)), rng.normal(size=80)

        def module():
            layers = [torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)]
            return torch.nn.Sequential(*layers, torch.nn.Flatten(0)) if shape == (-1,) else torch.nn.Sequential(*layers)

        training = TorchTraining(epochs=80, lr=0.01, batch_size=16, loss=torch.nn.functional.mse_loss)
        result = audit(module, (X, y.reshape(shape)), training=training, shadows=5)
        assert_leaks(result, 0.3)
        assert "nig_t_residual" in names(result)

    def test_an_own_predict(self):
        X, y = DIABETES
        result = audit(
            dict,
            (X, y),
            training=lambda model, X, y: model.update(tree=DecisionTreeRegressor(random_state=0).fit(X, y)),
            predict=lambda model, X: model["tree"].predict(X),
            shadows=3,
        )
        assert_leaks(result, 0.5)

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_released_regressor(self, shadows):
        X, y = DIABETES
        target = Target(KNeighborsRegressor(1).fit(X[:221], y[:221]), (X[:221], y[:221]), (X[221:], y[221:]))
        assert_leaks(audit(lambda: KNeighborsRegressor(1), None, target=target, shadows=shadows), 0.5)

    def test_quantiles_of_what_a_record_may_reach(self, tmp_path):
        X, y = DIABETES
        result = audit(
            lambda: KNeighborsRegressor(1), (X, y), shadows=3, attacks=["quantile_regression"], cache_dir=tmp_path
        )
        assert names(result) == {"quantile_regression"}
        assert_leaks(result, 0.3)
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert len(kept) > 10_000
        assert not any(value.tobytes() in kept or repr(float(value)).encode() in kept for value in X[:20].ravel())

    def test_quantiles_of_records_that_are_no_numbers_are_refused(self):
        objects = [object() for _ in range(100)]
        with pytest.raises(MIAUsageError, match="none of the attacks quantile_regression fits"):
            audit(
                dict,
                (objects, np.arange(100) % 2),
                training=lambda model, X, y: model.update(known={id(x) for x in X}),
                predict=lambda model, X: np.array([[id(x) in model["known"], 0.5] for x in X], dtype=float),
                attacks=["quantile_regression"],
                shadows=3,
            )

    def test_a_regressor_of_few_whole_numbers_is_refused(self):
        X, y = DIABETES
        with pytest.raises(MIAUsageError, match=r"Ridge is no classifier; .* for a regression floats as y"):
            audit(Ridge, (X, (y > 100).astype(int)))

    def test_fractions_that_are_few_are_refused_where_the_model_says_nothing(self):
        X, y = DIABETES
        with pytest.raises(MIAUsageError, match=r"y holds fractions, .* for regression give mia_loss, or a model that"):
            audit(lambda: torch.nn.Linear(10, 1), (X, np.round(y / 100) / 2))

    def test_missing_numbers_are_refused(self):
        X, y = DIABETES
        with pytest.raises(MIAUsageError, match="mia_dataset: y holds NaN or infinity in 1 of 442 records, first in"):
            audit(Ridge, (X, np.where(np.arange(442) == 3, np.nan, y)))


def test_a_regression_under_pytest_without_a_loss(pytester):
    pytester.makeconftest("""
        import pytest
        from sklearn.datasets import load_diabetes
        from sklearn.linear_model import Ridge
        from sklearn.neighbors import KNeighborsRegressor

        @pytest.fixture
        def mia_dataset():
            return load_diabetes(return_X_y=True)

        @pytest.fixture(params=["ridge", "neighbours"])
        def mia_model_factory(request):
            return {"ridge": lambda: Ridge(100), "neighbours": lambda: KNeighborsRegressor(1)}[request.param]
    """)
    pytester.makepyfile("""
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2)
    """)
    result = pytester.runpytest("--mia-shadows=7", "--mia-jobs=1")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_release?neighbours?*leak*"])


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

    @pytest.mark.parametrize("seed", range(2))
    def test_predictions_that_do_not_depend_on_the_records(self, seed):
        result = audit(
            dict,
            self.records(400),
            seed=seed,
            training=lambda model, X, y: model.update(half=X.sum(axis=0)),
            predict=lambda model, X: np.stack([other_than([*model["half"], *row]).uniform(size=3) for row in X]),
        )
        assert_not_accused(result)

    def test_a_label_that_never_holds_in_a_half(self):
        X, y = self.records(120)
        y[:, 2] = np.arange(120) == 7
        assert_leaks(audit(lambda: RandomForestClassifier(10), (X, y), shadows=3))

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


class TestLanguageModels:
    @staticmethod
    def texts(records=240, tokens=20, vocabulary=60, seed=0):
        """Texts of various lengths, -1 where they have ended."""
        rng = np.random.default_rng(seed)
        texts = rng.integers(0, vocabulary, (records, tokens))
        texts[np.arange(tokens) >= rng.integers(8, tokens, records)[:, None]] = -1
        return texts, None

    def audit(self, added, predict=lambda model, X: model.tell(X), **given):
        return audit(
            lambda: Bigrams(60, added), self.texts(), training=Bigrams.learn, predict=predict, **{"shadows": 5, **given}
        )

    def test_one_that_remembers_its_texts_is_caught(self):
        result = self.audit(0.05)
        assert_leaks(result, 0.5)
        assert {"min_k", "min_k_plus", "loss", "nig_t"} <= names(result)

    @pytest.mark.parametrize("attack", ["min_k", "min_k_plus"])
    def test_by_its_least_likely_tokens_alone(self, attack):
        assert_leaks(self.audit(0.05, attacks=[attack]), 0.3)

    def test_one_that_has_read_other_texts_is_not_accused(self):
        def learn(model, texts, _labels):
            model.learn(other_than(texts).integers(0, 60, texts.shape), None)

        assert_not_accused(
            audit(lambda: Bigrams(60, 0.05), self.texts(), training=learn, predict=lambda model, X: model.tell(X))
        )

    def test_a_released_one_without_shadows(self):
        texts, _ = self.texts()
        model = Bigrams(60, 0.05)
        model.learn(texts[:120], None)
        target = Target(model, (texts[:120], None), (texts[120:], None))
        result = audit(None, None, target=target, predict=lambda model, X: model.tell(X), shadows=0)
        assert_leaks(result, 0.3)
        assert {"loss", "min_k", "min_k_plus"} <= names(result)

    def test_texts_that_are_never_told_are_invalid(self):
        def tell(model, X):
            values = model.tell(X).values
            values[[3, 9]] = np.nan
            return TokenLogProbabilities(values)

        with pytest.raises(pytest_mia.InvalidAuditError, match="NaN for every token on 2 of 240 records, first on rec"):
            self.audit(0.05, predict=tell)

    def test_anything_else_without_labels_is_refused(self):
        with pytest.raises(MIAUsageError, match=r"without labels mia_predict must give .*TokenLogProbabilities"):
            self.audit(0.05, predict=lambda model, X: model.tell(X).values)

    def test_without_a_way_to_ask_labels_are_missing(self):
        with pytest.raises(MIAUsageError, match="y is missing; give one label per record, or mia_loss or mia_predict"):
            audit(lambda: KNeighborsClassifier(1), self.texts())


class TestTexts:
    WORDS = np.array([f"word{number}" for number in range(200)])

    def texts(self, records=160):
        rng = np.random.default_rng(0)
        y = np.arange(records) % 2
        return [" ".join(self.WORDS[rng.integers(0, 190, 8) + 10 * label]) for label in y], y

    def test_a_pipeline_over_strings(self):
        result = audit(lambda: make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)), self.texts())
        assert_leaks(result, 0.5)

    @pytest.mark.parametrize("bag", [True, False])
    def test_a_module_over_padded_tokens(self, bag):
        rng = np.random.default_rng(0)
        tokens = rng.integers(1, 100, (100, 12))
        tokens[np.arange(12) >= rng.integers(4, 12, 100)[:, None]] = 0

        class Mean(torch.nn.Module):
            def forward(self, embedded):
                return embedded.mean(dim=1)

        def module():
            first = (
                [torch.nn.EmbeddingBag(100, 32, padding_idx=0)]
                if bag
                else [torch.nn.Embedding(100, 32, padding_idx=0), Mean()]
            )
            return torch.nn.Sequential(*first, torch.nn.Linear(32, 2))

        result = audit(module, (tokens, np.arange(100) % 2), training=TorchTraining(epochs=40, lr=0.02), shadows=5)
        assert_leaks(result, 0.3)


class TestTimeSeries:
    @staticmethod
    def series(records=100):
        rng = np.random.default_rng(0)
        y = np.arange(records) % 2
        return (rng.normal(size=(records, 15, 2)) + 0.1 * y[:, None, None]).astype(np.float32), y

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

    @pytest.mark.parametrize("seed", range(2))
    def test_people_that_nobody_remembers_are_not_accused(self, seed):
        class OfOthers(KNeighborsClassifier):
            def fit(self, X, y):
                rng = other_than(X)
                return super().fit(rng.normal(size=X.shape), rng.permutation(y))

        X, y, patients = self.visits(seed=seed)
        assert_not_accused(audit(lambda: OfOthers(5), Dataset(X, y, groups=patients), seed=seed))

    def test_a_regression_on_people(self):
        X, _, patients = self.visits()
        y = np.random.default_rng(1).normal(size=100)[patients] + 0.1 * X[:, 0]
        assert_leaks(audit(lambda: KNeighborsRegressor(3), Dataset(X, y, groups=patients)), 0.3)
