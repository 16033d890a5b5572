import numpy as np
import pandas as pd
import pytest

from pytest_mia import Dataset, MIAUsageError, Target
from pytest_mia.core.request import AuditRequest
from pytest_mia.data.records import gather

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 2)), np.arange(60) % 2


def gathered(**parts):
    given = {"model_factory": object, "dataset": None} | parts
    return gather(AuditRequest(**given), seed=0)


def problems(**parts):
    with pytest.raises(MIAUsageError) as error:
        gathered(**parts)
    return error.value.problems


def part(rows, **extra):
    return Dataset(X[rows], Y[rows], **extra)


class TestRecipe:
    def test_labels_are_numbered(self):
        records = gathered(dataset=(X, np.where(Y, "yes", "no")))
        assert records.data.classes.tolist() == ["no", "yes"]
        assert records.data.labels.tolist() == Y.tolist()
        assert (records.audited, records.members, records.groups) == (60, None, None)

    def test_a_loss_needs_no_classes(self):
        records = gathered(dataset=(X, X[:, 0]), loss=print)
        assert len(records.data.classes) == 0
        assert np.bincount(records.data.labels).tolist() == [6] * 10

    @pytest.mark.parametrize("y", [None, [[0] * (1 + n % 3) for n in range(60)], X])
    def test_with_a_loss_y_may_be_anything(self, y):
        assert len(gathered(dataset=(X, y), loss=print).data.labels) == 60

    def test_records_of_the_attacker_follow_those_audited(self):
        records = gathered(dataset=part(slice(40)), shadow_dataset=part(slice(40, 60)))
        assert records.audited == 40
        assert records.data.X.tolist() == X.tolist()

    def test_slices_keep_their_values(self):
        frame = pd.DataFrame({"sex": np.where(Y, "f", "m")}, index=rng.permutation(60))
        slices = gathered(dataset=Dataset(X, Y, slices=frame)).slices
        assert list(slices["sex"]) == frame["sex"].tolist()


class TestGroups:
    def test_copies_are_drawn_together(self):
        twice = np.r_[np.arange(60), 3, 3, 7]
        records = gathered(dataset=(X[twice], Y[twice]))
        groups = records.groups
        assert groups[3] == groups[60] == groups[61]
        assert groups[7] == groups[62]
        assert len(np.unique(groups)) == 60
        assert records.notes == ("3 records are copies of others; copies are members together or not at all",)

    def test_the_same_features_with_another_label_are_another_record(self):
        assert gathered(dataset=(np.zeros((60, 2)) + Y[:, None] // 2, Y)).groups.tolist() == Y.tolist()

    def test_copies_join_the_groups_that_they_stand_in(self):
        ids = np.arange(60) // 2
        copied = X.copy()
        copied[4] = copied[2]
        groups = gathered(dataset=Dataset(copied, Y, groups=ids)).groups
        assert groups[2] == groups[3] == groups[4] == groups[5] != groups[6]

    @pytest.mark.parametrize(
        "ids", [["a", 1, "1", 2.5] * 15, pd.Series(list("abc") * 20, dtype="category"), np.arange(60) % 7]
    )
    def test_ids_of_any_kind(self, ids):
        groups = gathered(dataset=Dataset(X, Y, ids)).groups
        assert (
            len(set(zip(groups.tolist(), map(repr, ids), strict=True))) == len(set(map(repr, ids))) == len(set(groups))
        )
        sides = part(slice(30), groups=list(ids)[:30]), part(slice(30, 60), groups=list(ids)[30:])
        assert release(*sides).findings[0].startswith("30 of 30 non-members are members too, or of a member's group")

    def test_groups_of_the_audited_hold_when_the_attacker_has_none(self):
        """Were they dropped, records of one person would stand on both sides and hide the leak."""
        records = gathered(
            dataset=part(slice(40), groups=[f"p{n // 2}" for n in range(40)]), shadow_dataset=part(slice(40, 60))
        )
        assert records.groups[:40].tolist() == [n // 2 for n in range(40)]
        assert len(np.unique(records.groups)) == 40

    def test_a_group_may_have_records_with_the_attacker(self):
        records = gathered(
            dataset=part(slice(40), groups=[n // 2 for n in range(40)]),
            shadow_dataset=part(slice(40, 60), groups=[0] * 20),
        )
        assert (records.groups[40:] == records.groups[0]).all()


def release(inside, outside, **parts):
    return gathered(target=Target(None, inside, outside), **parts)


class TestRelease:
    def test_members_come_first(self):
        records = release(part(slice(25)), part(slice(25, 60)))
        assert records.members.tolist() == [True] * 25 + [False] * 35
        assert records.findings == ()

    def test_each_side_is_checked_by_itself(self):
        """Lengths that make up for each other would give every record the wrong label."""
        assert problems(target=Target(None, (X[:30], Y[:31]), (X[30:], Y[31:]))) == (
            "mia_target members: X holds 30 records and y 31; both need the same number",
            "mia_target nonmembers: X holds 30 records and y 29; both need the same number",
        )

    def test_one_side_may_hold_one_class(self):
        order = np.argsort(Y, kind="stable")
        records = release(part(order[:20]), part(order[20:]))
        assert records.audited == 60
        assert set(records.data.labels[records.members]) == {0}

    def test_both_together_need_two_classes(self):
        ones = np.flatnonzero(Y)
        expected = "mia_target: y holds one class only (1); at least 2 are needed"
        assert problems(target=Target(None, part(ones[:15]), part(ones[15:]))) == (expected,)

    def test_anything_but_a_target_is_refused(self):
        (problem,) = problems(target=(None, (X, Y), (X, Y)))
        assert problem.startswith("mia_target must be pytest_mia.Target(model, ")
        assert problem.endswith("got tuple")

    def test_groups_and_slices_of_both_sides_are_kept(self):
        records = release(
            part(slice(30), groups=np.arange(30) // 2, slices={"sex": ["f"] * 30, "age": [1] * 30}),
            part(slice(30, 60), groups=np.arange(100, 130) // 2, slices={"sex": ["m"] * 30}),
        )
        assert np.bincount(records.groups).tolist() == [2] * 30
        assert records.slices == {"sex": ["f"] * 30 + ["m"] * 30}

    def test_few_non_members_that_are_members_too_are_left_out(self):
        outside = np.r_[np.arange(30, 60), 4]
        records = release(part(slice(30)), Dataset(X[outside], Y[outside], slices={"place": np.arange(31)}))
        assert records.members.tolist() == [True] * 30 + [False] * 30
        assert records.data.X.tolist() == X.tolist()
        assert records.notes == ("the audit leaves out 1 of 31 non-members that are members too",)
        assert records.findings == ()

    def test_many_of_them_are_a_finding(self):
        outside = np.r_[np.arange(30, 60), 4, 5]
        (finding,) = release(part(slice(30)), part(outside)).findings
        assert finding.startswith("2 of 32 non-members are members too")

    def test_a_member_s_group_counts_like_the_member(self):
        ids = np.arange(60)
        ids[30:33] = 0
        (finding,) = release(part(slice(30), groups=ids[:30]), part(slice(30, 60), groups=ids[30:])).findings
        assert finding.startswith("3 of 30 non-members are members too, or of a member's group")

    def test_records_of_the_dataset_that_are_not_audited_are_the_attacker_s(self):
        records = release(part(slice(10)), part(slice(10, 20)), dataset=(X, Y))
        assert records.audited == 20
        assert records.data.X.tolist() == X.tolist()

    def test_the_attacker_s_own_records_take_their_place(self):
        records = release(part(slice(10)), part(slice(10, 20)), dataset=(X, Y), shadow_dataset=part(slice(50, 60)))
        assert records.data.X.tolist() == [*X[:20].tolist(), *X[50:].tolist()]


def test_all_problems_are_named_at_once():
    found = problems(dataset=(X, Y[:10]), shadow_dataset=(X, [None] * 60), target="model")
    assert [problem.split(":")[0].split(" must")[0] for problem in found] == [
        "mia_dataset",
        "mia_shadow_dataset",
        "mia_target",
    ]
