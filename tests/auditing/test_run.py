import numpy as np
import pandas as pd
import pytest
import whole
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from whole import INSIDE, OUTSIDE, QUICK, RECORDS, Tree, X, Y, figures, finish, recipe, release

import pytest_mia
from pytest_mia import Dataset, MembershipLeakError, Target, audit
from pytest_mia.attacks import registry
from pytest_mia.auditing.run import train
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.training.backends import loky

rng = np.random.default_rng(1)


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
        of_others |= {a.name for a in registry.ATTACKS if "augmented" in a.signals[0]}
        assert names == {attack.name for attack in registry.ATTACKS} - of_others

    def test_classes_of_any_kind_give_the_same_figures(self):
        def figures(result):
            found = whole.figures(result)
            for part in found["classes"]:
                del part["value"]
            return found

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


class TestGroups:
    groups = np.arange(RECORDS) // 4

    def test_records_of_a_group_go_together(self):
        kept = finish(train(AuditRequest(GaussianNB, Dataset(X, Y, self.groups)), Settings(shadows=3, jobs=1)))
        for one in kept:
            assert (one.members.reshape(-1, 4) == one.members[::4, None]).all()

    def test_copies_go_together(self):
        copied = np.r_[np.arange(RECORDS), np.arange(20)]
        kept = finish(train(AuditRequest(GaussianNB, (X[copied], Y[copied])), Settings(shadows=3, jobs=1)))
        for one in kept:
            assert (one.members[:20] == one.members[RECORDS:]).all()
        notes = recipe(dataset=(X[copied], Y[copied])).notes
        assert "20 records are copies of others; copies are members together or not at all" in notes

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
        kept = finish(train(AuditRequest(lambda: Tree(random_state=0), (X, Y)), Settings(shadows=3)))
        assert len(kept) == 4
        for one in kept:
            assert one.members.sum() == pytest.approx(RECORDS / 2, abs=1)
            assert one.model.score(X[one.members], Y[one.members]) == 1
            assert one.model.score(X[~one.members], Y[~one.members]) < 1

    def test_those_that_attack_a_release(self):
        model = Tree().fit(X[INSIDE], Y[INSIDE])
        target = Target(model, (X[INSIDE], Y[INSIDE]), (X[OUTSIDE], Y[OUTSIDE]))
        kept = finish(train(AuditRequest(Tree, None, target=target), Settings(shadows=3)))
        assert len(kept) == 3
        assert model not in [one.model for one in kept]

    def test_those_of_a_guess_alone(self):
        kept = finish(train(AuditRequest(Tree, (X, Y), shadow_factory=GaussianNB), Settings(shadows=3)))
        assert [type(one.model) for one in kept] == [GaussianNB] * 3


def test_a_misspelt_setting_is_an_error_of_the_call():
    with pytest.raises(TypeError, match=r"audit\(\) got an unexpected keyword argument 'shadow'"):
        pytest_mia.audit(whole.Tree, (whole.X, whole.Y), shadow=3)
