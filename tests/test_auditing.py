import os
import random
import signal
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import pytest_mia
from pytest_mia import (
    Dataset,
    InvalidAuditError,
    MembershipLeakError,
    MIAUsageError,
    ModelTrainingError,
    Target,
    audit,
)
from pytest_mia.auditing import train
from pytest_mia.backends import loky
from pytest_mia.settings import Settings
from pytest_mia.subject import Subject

rng = np.random.default_rng(0)
RECORDS = 200
X = rng.normal(size=(RECORDS, 4))
Y = (np.argsort(np.argsort(X[:, 0] + rng.normal(size=RECORDS))) >= RECORDS // 2).astype(int)
INSIDE, OUTSIDE = slice(0, 100), slice(100, 200)
QUICK = {"shadows": 3, "jobs": 1, "attacks": ["gap", "loss", "lira_online", "mast"]}
Tree = DecisionTreeClassifier


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


class Counted(Tree):
    """Counts what it is trained on, but for the few records by which a class of the user's own is controlled."""

    sizes = []  # noqa: RUF012

    def fit(self, X, y):
        if len(X) > 20:
            Counted.sizes.append(len(X))
        return super().fit(X, y)


def sparse_records():
    return Tree, sparse.csr_array(X * (X > 0)), Y


def texts():
    words = np.array(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
    sentences = [" ".join(rng.choice(words, 8)) for _ in range(RECORDS)]
    return lambda: make_pipeline(TfidfVectorizer(), Tree()), sentences, np.array(["no", "yes"])[Y].tolist()


def categories():
    frame = pd.DataFrame({"size": X[:, 1].round(2), "place": pd.Categorical(np.where(X[:, 2] > 0, "north", "south"))})
    encode = make_column_transformer((OneHotEncoder(), ["place"]), remainder="passthrough")
    return lambda: make_pipeline(encode, Tree()), frame, pd.Series(Y, index=rng.permutation(RECORDS))


def tensors():
    torch = pytest.importorskip("torch")
    return Tree, torch.tensor(X, dtype=torch.float16), torch.tensor(Y)


def dictionaries():
    return (
        lambda: make_pipeline(DictVectorizer(), Tree()),
        [dict(zip("abcd", row, strict=True)) for row in X.tolist()],
        Y,
    )


KINDS = {
    "sparse": sparse_records,
    "texts": texts,
    "categories": categories,
    "tensors": tensors,
    "dictionaries": dictionaries,
}


def recipe(factory=Tree, dataset=(X, Y), **arguments):
    return audit(factory, dataset, **QUICK | arguments)


def release(model=None, inside=INSIDE, outside=OUTSIDE, factory=Tree, dataset=None, **arguments):
    model = Tree(random_state=0).fit(X[inside], Y[inside]) if model is None else model
    target = Target(model, (X[inside], Y[inside]), (X[outside], Y[outside]))
    return audit(factory, dataset, **QUICK | {"target": target} | arguments)


def figures(result):
    """Everything but what the clock and the command say, and what classes are called."""
    report = result.to_dict()
    for part in report["classes"]:
        del part["value"]
    return {name: value for name, value in report.items() if name not in {"seconds", "replay"}}


class TestRecipe:
    def test_a_tree_that_learns_by_heart_is_a_leak(self):
        result = recipe()
        assert (result.kind, result.models, result.shadows, result.records) == ("recipe", 4, 3, RECORDS)
        assert result.accuracy.train == 1
        assert result.advantage.low > 0.1
        with pytest.raises(MembershipLeakError):
            result.assert_membership_advantage_below(0.1)

    def test_a_claim_is_refuted_by_a_model_that_learns_by_heart(self):
        with pytest.raises(MembershipLeakError, match=r"^measured epsilon of at least"):
            recipe(lambda: Tree(random_state=0), (X, rng.integers(0, 2, RECORDS))).assert_epsilon_below(0.2)

    def test_the_gap_attack_is_the_gap_of_accuracy(self):
        result = recipe(lambda: Tree(min_samples_leaf=3), attacks=["gap"])
        assert result.attack == "gap"
        assert result.advantage.estimate == pytest.approx(result.accuracy.train - result.accuracy.test, abs=1e-12)

    def test_a_model_of_a_few_numbers_passes(self):
        assert recipe(GaussianNB).assert_membership_advantage_below(0.25).verdict == "pass"

    def test_every_attack_that_fits_is_run(self):
        names = {attack.name for attack in recipe(attacks=None).attacks}
        of_others = {"lira_online_residual", "nig_t_residual", "min_k", "min_k_plus"}
        of_others |= {a.name for a in pytest_mia.attacks.ATTACKS if a.signals == ("augmented_correct",)}
        assert names == {attack.name for attack in pytest_mia.attacks.ATTACKS} - of_others

    def test_classes_of_any_kind_give_the_same_figures(self):
        names = np.array(["no", "yes"])[Y]
        frame = pd.DataFrame(X, columns=list("abcd"), index=rng.permutation(RECORDS))
        expected = figures(recipe())
        assert figures(recipe(dataset=(X, names))) == expected
        assert figures(recipe(dataset=(X, Y.astype(bool)))) == expected
        assert figures(recipe(dataset=(frame, pd.Series(Y, index=rng.permutation(RECORDS))))) == expected

    @pytest.mark.parametrize("kind", ["sparse", "texts", "categories", "tensors", "dictionaries"])
    def test_records_of_every_kind(self, kind):
        factory, records, y = KINDS[kind]()
        result = recipe(factory, (records, y))
        assert result.records == RECORDS
        assert result.accuracy.train > result.accuracy.test
        assert result.advantage.low > 0

    def test_a_handful_of_records(self):
        result = recipe(dataset=(X[:6], np.arange(6) % 2), attacks=None)
        assert -1 <= result.advantage.low <= result.advantage.high <= 1

    def test_a_class_with_one_record(self):
        result = recipe(GaussianNB, dataset=(X, np.r_[Y[:-1], 2]))
        assert 0 < result.accuracy.test < 1

    def test_many_classes_with_few_records_each(self):
        y = np.arange(RECORDS) // 4
        result = recipe(Tree, dataset=(X, y), attacks=None)
        assert result.accuracy.train == 1
        assert result.advantage.low > 0.3


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
        assert "16 queries averaged per record, since answers vary" in result.notes

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
            MIAUsageError, match=r"none of the attacks shokri fits .* those that do: gap, calibrated_gap"
        ):
            recipe(LabelsAlone, attacks=["shokri"])


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


class TestGroups:
    groups = np.arange(RECORDS) // 4

    def test_records_of_a_group_go_together(self):
        kept = train(Subject(GaussianNB, Dataset(X, Y, self.groups)), Settings(shadows=3, jobs=1))
        for one in kept:
            assert (one.members.reshape(-1, 4) == one.members[::4, None]).all()

    def test_copies_go_together(self):
        copied = np.r_[np.arange(RECORDS), np.arange(20)]
        kept = train(Subject(GaussianNB, (X[copied], Y[copied])), Settings(shadows=3, jobs=1))
        for one in kept:
            assert (one.members[:20] == one.members[RECORDS:]).all()
        notes = recipe(dataset=(X[copied], Y[copied])).notes
        assert "20 records are copies of others; copies are drawn together" in notes

    def test_a_group_counts_as_one_record(self):
        alone, together = recipe(), recipe(dataset=Dataset(X, Y, self.groups))
        assert together.selected.share == 0.25
        widths = [result.advantage.high - result.advantage.low for result in (alone, together)]
        assert widths[1] > 1.5 * widths[0]


class TestSlices:
    def test_the_part_that_leaks_fails_the_gate(self):
        """Half of the records are told by their first feature; the labels of the others have to be learnt by heart."""
        easy = np.arange(800) < 400
        y = rng.integers(0, 2, 800)
        X = np.c_[9 * easy * (2 * y - 1), rng.normal(size=(800, 3))]
        result = recipe(dataset=Dataset(X, y, slices={"kind": np.where(easy, "easy", "hard")}), attacks=["gap"])
        parts = {part.value: part for part in result.slices}
        assert [part.by for part in result.slices] == ["kind", "kind"]
        assert (parts["easy"].records, parts["hard"].records) == (400, 400)
        assert parts["hard"].advantage.low > result.advantage.high > parts["easy"].advantage.high
        between = (result.advantage.high + parts["hard"].advantage.low) / 2
        assert result.assert_membership_advantage_below(between).verdict == "pass"
        with pytest.raises(MembershipLeakError, match="kind=hard"):
            result.assert_membership_advantage_below(between, by="kind")

    def test_those_of_a_release_too(self):
        sex = np.where(np.arange(RECORDS) % 3, "f", "m")
        model = Tree(random_state=0).fit(X[INSIDE], Y[INSIDE])
        sides = [Dataset(X[side], Y[side], slices={"sex": sex[side]}) for side in (INSIDE, OUTSIDE)]
        result = audit(Tree, (X, Y), target=Target(model, *sides), **QUICK)
        assert {part.value: part.records for part in result.slices} == {
            "f": (sex == "f").sum(),
            "m": (sex == "m").sum(),
        }
        assert sum(sum(part.counts.members) for part in result.slices) == 100


class TestRelease:
    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_tree_that_was_released_is_caught(self, shadows):
        result = release(shadows=shadows, attacks=None)
        assert (result.kind, result.models, result.shadows) == ("release", shadows + 1, shadows)
        assert result.records == RECORDS
        assert result.advantage.low > 0.1

    def test_without_shadows_nothing_is_trained(self):
        Counted.sizes.clear()
        release(factory=Counted, dataset=(X, Y), shadows=0, attacks=None)
        assert Counted.sizes == []

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_model_of_other_records_is_no_leak(self, shadows):
        other = rng.normal(size=(100, 4))
        model = Tree(random_state=0).fit(other, other[:, 0] > 0)
        assert release(model, shadows=shadows).advantage.low < 0.1

    def test_shadows_train_on_what_else_the_dataset_holds(self):
        Counted.sizes.clear()
        result = release(inside=slice(0, 50), outside=slice(50, 100), factory=Counted, dataset=(X, Y))
        assert Counted.sizes == [100, 100, 100]
        assert result.records == 100
        assert sum(result.selected.members) == sum(result.selected.nonmembers) == 50

    def test_shadows_train_on_the_attackers_own_records(self):
        Counted.sizes.clear()
        model = Tree(random_state=0).fit(X[:60], Y[:60])
        result = release(model, slice(0, 60), slice(60, 120), factory=Counted, shadow_dataset=(X[120:], Y[120:]))
        assert Counted.sizes == [40, 40, 40]
        assert result.advantage.low > 0

    def test_a_model_that_cannot_be_asked_is_found_before_shadows_are_trained(self):
        Counted.sizes.clear()
        with pytest.raises(ModelTrainingError, match="the released model could not be asked: NotFittedError"):
            release(Tree(), factory=Counted)
        assert Counted.sizes == []

    @pytest.mark.parametrize("seed", range(4))
    def test_sides_of_one_source_are_valid(self, seed):
        generator = np.random.default_rng(seed)
        X = generator.normal(size=(200, 4))
        y = (X[:, 0] > 0).astype(int)
        model = Tree(random_state=0).fit(X[:100], y[:100])
        target = Target(model, (X[:100], y[:100]), (X[100:], y[100:]))
        result = audit(Tree, None, target=target, seed=seed, **QUICK)
        assert result.assert_membership_advantage_below(0.9).verdict == "pass"

    @pytest.mark.parametrize("seed", range(4))
    def test_sides_of_two_sources_are_invalid(self, seed):
        """A model that leaks nothing would fail for the difference of the sides, and one that leaks could pass."""
        moved = X + (np.arange(RECORDS) >= 100)[:, None]
        model = Tree(random_state=0).fit(moved[INSIDE], Y[INSIDE])
        target = Target(model, (moved[INSIDE], Y[INSIDE]), (moved[OUTSIDE], Y[OUTSIDE]))
        result = audit(Tree, None, target=target, seed=seed, **QUICK)
        with pytest.raises(InvalidAuditError, match="can be told apart without any model"):
            result.assert_membership_advantage_below(0.1)

    def test_many_records_on_both_sides_are_invalid(self):
        result = release(outside=np.r_[100:200, 0:10])
        with pytest.raises(InvalidAuditError, match="10 of 110 non-members are members too"):
            result.assert_membership_advantage_below(0.9)

    def test_few_are_left_out(self):
        result = release(outside=np.r_[100:200, 0:3])
        assert result.records == RECORDS
        assert sum(result.selected.nonmembers) == 100
        assert "3 of 103 non-members were left out: they are members too" in result.notes


class TestGuesses:
    def test_an_attacker_who_guesses_another_model(self):
        result = recipe(shadow_factory=lambda: Tree(max_depth=6))
        assert (result.models, result.shadows) == (7, 3)
        assert result.advantage.low > 0.1

    def test_an_attacker_with_several_guesses(self):
        Counted.sizes.clear()
        recipe(shadow_factory=[Counted, lambda: Tree(max_depth=6)])
        assert Counted.sizes == [100, 100]

    def test_only_targets_are_judged(self):
        """Shadows that are always right don't count in the accuracy of the targets."""
        result = recipe(lambda: Tree(max_depth=1), shadow_factory=Tree, attacks=["gap"])
        assert result.accuracy.train < 0.9
        assert len(result.selected.members) == 4

    def test_a_release_against_a_guess_alone(self):
        assert release(factory=None, shadow_factory=Tree).advantage.low > 0.1

    def test_an_attacker_with_records_of_his_own(self):
        Counted.sizes.clear()
        result = recipe(Counted, (X[:120], Y[:120]), shadow_dataset=(X[120:], Y[120:]))
        assert Counted.sizes == [60] * 4 + [40] * 3
        assert result.records == 120
        assert result.advantage.low > 0.1


class TestTheUsersThings:
    """They are as they were."""

    def test_arrays(self):
        X_before, y_before = X.copy(), Y.copy()
        recipe(predict=lambda model, X: model.predict_proba(np.add(X, 0, out=X)))
        release(attacks=None)
        np.testing.assert_array_equal(X, X_before)
        np.testing.assert_array_equal(Y, y_before)

    def test_generators(self):
        torch = pytest.importorskip("torch")
        states = [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]  # noqa: NPY002
        recipe(lambda: Tree(max_features=1), attacks=None)
        release()
        assert [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()] == states  # noqa: NPY002

    def test_the_process(self):
        """Environment, folder, paths, filters of warnings, numpy's errors and handlers of signals."""

        def state():
            handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
            return dict(os.environ), os.getcwd(), [*sys.path], [*warnings.filters], np.geterr(), handlers

        before = state()
        recipe(attacks=None)
        release()
        assert state() == before

    def test_frames_and_sparse_matrices(self):
        frame, matrix = pd.DataFrame(X, index=np.arange(len(X))[::-1]), sparse.csr_matrix(X)
        copies = frame.copy(), matrix.copy()
        recipe(dataset=(frame, pd.Series(Y)))
        recipe(dataset=(matrix, Y))
        pd.testing.assert_frame_equal(frame, copies[0])
        assert (matrix != copies[1]).nnz == 0

    def test_arrays_that_cannot_be_written(self):
        fixed = X.copy(), Y.copy()
        for array in fixed:
            array.flags.writeable = False
        assert figures(recipe(dataset=fixed)) == figures(recipe())

    def test_threads(self):
        before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        recipe(attacks=None)
        release()
        after = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        assert after[: len(before)] == before
        assert threading.active_count() >= 1

    def test_a_released_model(self):
        model = Tree(random_state=0).fit(X[INSIDE], Y[INSIDE])
        nodes = model.tree_.__getstate__()["values"].copy()
        release(model)
        np.testing.assert_array_equal(model.tree_.__getstate__()["values"], nodes)


class TestTheSameFigures:
    """Bit for bit."""

    def factory(self):
        return Tree(max_features=1, min_samples_leaf=2)

    def test_when_repeated(self):
        assert figures(recipe(self.factory, attacks=None)) == figures(recipe(self.factory, attacks=None))
        assert figures(release()) == figures(release())

    def test_with_any_number_of_workers(self, monkeypatch):
        monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
        assert figures(recipe(self.factory, shadows=5, jobs=2)) == figures(recipe(self.factory, shadows=5))

    def test_another_seed_gives_others(self):
        assert figures(recipe(self.factory)) != figures(recipe(self.factory, seed=1))

    def test_when_the_call_that_is_shown_is_repeated(self):
        result = recipe(self.factory, seed=3)
        attacks = "('gap', 'loss', 'lira_online', 'mast')"
        call = f"pytest_mia.audit(model_factory, dataset, shadows=3, seed=3, attacks={attacks}, jobs=1)"
        assert result.replay == call
        names = {"pytest_mia": pytest_mia, "model_factory": self.factory, "dataset": (X, Y)}
        assert figures(eval(result.replay, names)) == figures(result)


class TestShadowModels:
    def test_every_model_of_a_recipe_with_its_members(self):
        kept = train(Subject(lambda: Tree(random_state=0), (X, Y)), Settings(shadows=3))
        assert len(kept) == 4
        for one in kept:
            assert one.members.sum() == pytest.approx(RECORDS / 2, abs=1)
            assert one.model.score(X[one.members], Y[one.members]) == 1
            assert one.model.score(X[~one.members], Y[~one.members]) < 1

    def test_those_that_attack_a_release(self):
        model = Tree().fit(X[INSIDE], Y[INSIDE])
        target = Target(model, (X[INSIDE], Y[INSIDE]), (X[OUTSIDE], Y[OUTSIDE]))
        kept = train(Subject(Tree, None, target=target), Settings(shadows=3))
        assert len(kept) == 3
        assert model not in [one.model for one in kept]

    def test_those_of_a_guess_alone(self):
        kept = train(Subject(Tree, (X, Y), shadow_factory=GaussianNB), Settings(shadows=3))
        assert [type(one.model) for one in kept] == [GaussianNB] * 3


def test_models_that_answer_the_share_of_each_class():
    """They answer alike whatever they are asked, so that there is nothing to judge."""
    with pytest.raises(InvalidAuditError):
        recipe(lambda: DummyClassifier(strategy="uniform")).assert_membership_advantage_below(0.9)
