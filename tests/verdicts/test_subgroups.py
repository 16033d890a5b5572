"""For whom: records divided by a slice, a column, the class, or values that are given for it."""

import dataclasses
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from audits import audited
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import Dataset, MembershipLeakError, MIAUsageError, Target, gates
from pytest_mia.results.values import Guesses
from pytest_mia.statistics.counts import Counts
from pytest_mia.verdicts import subgroups

RNG = np.random.default_rng(0)
RECORDS = 240
EASY = np.arange(RECORDS) % 2 == 0
TOWN = np.where(np.arange(RECORDS) < 4, "Wolkenkuckucksheim", np.where(EASY, "Bonn", "Aachen"))
FRAME = pd.DataFrame({
    "measure": RNG.normal(size=RECORDS), "age": RNG.integers(18, 80, RECORDS), "sex": RNG.integers(0, 2, RECORDS),
    "town": TOWN,
})  # fmt: skip
Y = np.where(EASY, (FRAME["measure"] > 0), RNG.random(RECORDS) < 0.5).astype(int)


class Numbers(DecisionTreeClassifier):
    """A tree that leaves the towns alone; labels of odd records are drawn by chance, so it learns them by heart."""

    def fit(self, X, y):
        return super().fit(X[["measure", "age"]], y)

    def predict_proba(self, X):
        return super().predict_proba(X[["measure", "age"]])


def audit(dataset=(FRAME, Y), factory=Numbers, **settings):
    settings = {"shadows": 7, "attacks": ["gap", "loss"], "jobs": 1} | settings
    return pytest_mia.audit(factory, dataset, **settings)


@pytest.fixture(scope="module")
def result():
    return audit()


def named(judged):
    return {part.value: part for part in judged.slices if part.verdict is not None}


class TestEncoding:
    flagged, members, judged = (np.array(rows, dtype=bool) for rows in ([[1, 0, 1, 0]], [[1, 1, 0, 0]], [[1, 1, 1, 0]]))

    def test_every_guess_is_kept(self):
        kept = subgroups.guesses(self.flagged, self.members, self.judged, None)
        (part,) = subgroups.count_parts(
            "all", np.array(["x"] * 4), kept, subgroups.error_budget.levels(0.95, attacks=1)
        )
        assert part.counts == Counts((1,), (2,), (1,), (1,))

    def test_it_is_made_of_built_in_types_that_json_has(self):
        kept = subgroups.guesses(self.flagged, self.members, self.judged, np.array([0, 0, 1, 2]))
        words = json.loads(json.dumps(dataclasses.asdict(kept)))
        assert Guesses(tuple(words["targets"]), tuple(words["groups"])) == kept


class TestDivision:
    def test_all_records_are_in_one_part_each(self, result):
        judged = gates.membership_advantage(result, 1, by=EASY.astype(str))
        counts = [part.counts for part in named(judged).values()]
        for side in ("flagged_members", "members", "flagged_nonmembers", "nonmembers"):
            assert np.sum([getattr(each, side) for each in counts], axis=0).tolist() == [
                *getattr(result.selected, side)
            ]

    def test_a_column_of_the_records(self, result):
        by_towns = named(gates.membership_advantage(result, 0.5, by="town"))
        limit = (by_towns["Bonn"].advantage.high + by_towns["Aachen"].advantage.low) / 2
        judged = gates.membership_advantage(result, limit, by="town")
        assert [(part.value, part.records, part.verdict) for part in judged.slices] == [
            ("Aachen", 120 - 2, "leak"),
            ("(that of record 0)", 4, "inconclusive"),
            ("Bonn", 120 - 2, "pass"),
        ]

    def test_a_value_that_few_have_is_named_nowhere(self, result):
        judged = gates.membership_advantage(result, 0.05, by=pd.Series(TOWN[::-1], name="town"))
        assert "Wolkenkuckucksheim" not in json.dumps(judged.to_dict())
        assert f"(that of record {RECORDS - 4})" in {part.value for part in judged.slices}

    def test_the_part_that_is_learnt_by_heart_leaks(self, result):
        with pytest.raises(MembershipLeakError, match=r"sides=odd is above the limit"):
            result.assert_membership_advantage_below(0.3, by=pd.Series(np.where(EASY, "even", "odd"), name="sides"))

    def test_the_class(self, result):
        judged = gates.membership_advantage(result, 0.9, by="class")
        assert {part.by for part in named(judged).values()} == {"class"}
        assert set(named(judged)) == {"0", "1"}

    def test_a_slice_of_the_dataset_goes_before_a_column_of_its_name(self):
        slices = {"town": np.where(EASY, "x", "y")}
        result = audit(Dataset(FRAME, Y, slices=slices), shadows=3)
        assert set(named(gates.membership_advantage(result, 0.9, by="town"))) == {"x", "y"}

    def test_bins_of_a_number(self, result):
        judged = gates.membership_advantage(result, 0.9, by=pd.cut(FRAME["age"], [0, 40, 80]))
        assert {(part.by, part.value) for part in judged.slices} == {("age", "(0, 40]"), ("age", "(40, 80]")}

    def test_persons_are_counted_once(self):
        persons = np.arange(RECORDS) // 4
        result = audit(Dataset(FRAME, Y, groups=persons), shadows=3)
        halves = np.where(persons < 30, "first", "second")
        for part in gates.membership_advantage(result, 0.5, by=halves).slices:
            assert part.counts.share == 1 / 4
        # Twelve records of three persons are few.
        rare = np.where(persons < 3, "rare", "others")
        values = {part.value for part in gates.membership_advantage(result, 0.5, by=rare).slices}
        assert values == {"others", "(that of record 0)"}

    def test_a_release(self):
        model = Numbers().fit(FRAME[:120], Y[:120])
        target = Target(model, members=(FRAME[:120], Y[:120]), nonmembers=(FRAME[120:], Y[120:]))
        result = audit(None, target=target, shadows=3)
        judged = gates.membership_advantage(result, 0.1, by="sex")
        assert [part.verdict for part in judged.slices] == ["leak", "leak"]
        by_array = gates.membership_advantage(result, 0.1, by=FRAME["sex"])
        assert by_array.slices == judged.slices

    def test_an_audit_of_outputs(self):
        rng = np.random.default_rng(0)
        outputs, members = rng.dirichlet(np.ones(2), (4, 100)), rng.random((4, 100)) < 0.5
        result = pytest_mia.audit_outputs(outputs, members, np.arange(100) % 2)
        judged = gates.membership_advantage(result, 0.9, by=np.where(np.arange(100) < 50, "a", "b"))
        assert {part.records for part in judged.slices} == {50}


class TestPrivacy:
    def test_a_result_from_the_cache_is_divided_alike_and_its_entry_holds_no_value(self, result, tmp_path, no_patches):
        for _ in range(2):
            again = audit(cache_dir=tmp_path)
        assert again.cache.hits == 8
        for by in ("town", "class", EASY.astype(str)):
            first, second = (gates.membership_advantage(each, 0.4, by=by) for each in (again, result))
            assert (first.slices, first.reasons) == (second.slices, second.reasons)
        assert not any(b"Aachen" in path.read_bytes() for path in tmp_path.glob("*.entry"))

    def test_a_pickle_holds_no_value_and_says_that_it_has_none(self, result):
        kept = pickle.dumps(result)
        assert b"Aachen" not in kept
        with pytest.raises(MIAUsageError, match="got 'town'"):
            pickle.loads(kept).assert_membership_advantage_below(0.5, by="town")
        pickle.loads(kept).assert_membership_advantage_below(1, by=EASY.astype(str))


class TestRefusal:
    @pytest.mark.parametrize(
        ("by", "told"),
        [
            ("place", r"a slice of the dataset \(class\) or a column of X, or hold one value per record, got 'place'"),
            ("age", "age has 61 different values, and at most 20 parts can be judged; .* pandas.cut"),
            ("measure", "measure has 240 different values, and at most 20"),
            ([str(place) for place in range(RECORDS)], "by has 240 different values, and at most 100"),
            (EASY[:5], "by holds 5 values, and 240 records are audited; give one value for each, in their order"),
            (3, "by must be a name, or one value per record, got int"),
            (
                np.ones((RECORDS, 2)),
                r"by must be a name, or one value per record, got numpy.ndarray of shape \(240, 2\)",
            ),
            (["a", ["b"]] * 120, "by must be a name, or one value per record, got list"),
            (pd.date_range("2020", periods=RECORDS), "by has 240 different values, and at most 20"),
        ],
    )
    def test_what_divides_nothing(self, result, by, told):
        with pytest.raises(MIAUsageError, match=told):
            gates.membership_advantage(result, 0.5, by=by)

    @pytest.mark.parametrize("by", ["place", "age", [str(n) for n in range(RECORDS)], np.ones((RECORDS, 2)), 3])
    def test_most_of_it_before_anything_is_trained(self, result, by):
        told = []
        for given in ((FRAME, Y), [FRAME, Y], Dataset(FRAME, Y)):
            with pytest.raises(MIAUsageError) as error:
                subgroups.check_records(by, given)
            told.append(str(error.value))
        with pytest.raises(MIAUsageError) as error:
            subgroups.divide(result, by)
        assert {*told} == {str(error.value)}

    @pytest.mark.parametrize(
        ("by", "given"),
        [
            ("town", (FRAME, Y)),
            ("class", (FRAME, Y)),
            ("side", Dataset(FRAME, Y, slices={"side": EASY})),
            (EASY, (FRAME, Y)),
            ("anything", None),
            ("anything", pd.DataFrame()),
        ],
    )
    def test_what_may_do_is_let_through(self, by, given):
        subgroups.check_records(by, given)

    def test_no_value_stands_in_the_message(self, result):
        with pytest.raises(MIAUsageError) as error:
            gates.membership_advantage(result, 0.5, by="measure")
        assert not any(str(value)[:6] in str(error.value) for value in FRAME["measure"])

    def test_a_result_without_guesses(self):
        with pytest.raises(MIAUsageError, match="keeps no guesses"):
            gates.membership_advantage(audited(), 0.5, by=["a"] * 2000)


EVIL = ("<script>alert(1)</script>", "a\x1b[31mred\nline\r\u2028end", "x" * 10_000, "::error::", "|`*", "")


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_names_stay_in_their_line(result, evil):
    by = pd.Series(np.where(EASY, evil, f"{evil}2"), name=evil)
    message = gates.membership_advantage(result, 0.01, by=by).message
    assert "\x1b" not in message
    assert max(map(len, message.splitlines())) < 250
    assert {line[:2] for line in message.splitlines()[1:]} == {"  "}


def test_nobody_is_accused_by_chance():
    """A model from which nothing can be told, in ten parts: no part leaks."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(600, 2)), rng.integers(0, 2, 600)
    result = audit((X, y), GaussianNB, shadows=3)
    judged = gates.membership_advantage(result, 0.05, by=(np.arange(600) % 10).astype(str))
    assert "leak" not in {part.verdict for part in judged.slices}
