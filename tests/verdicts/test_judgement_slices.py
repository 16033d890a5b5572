import dataclasses
import math

import pytest
from audits import LEAK, LEAKS, NONE, PASS, UNDECIDED, audited, counted

from pytest_mia import MIAUsageError, gates
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.statistics import error_budget, least_records_to_pass

SLICES = {("sex", "f"): counted(0.52, 0.5), ("sex", "m"): LEAK, ("age", "old"): counted(0.8, 0.2)}


def parts(*counts):
    return {("part", str(place)): each for place, each in enumerate(counts)}


class TestSlices:
    def test_every_part_must_stay_below_the_limit(self):
        judged = gates.membership_advantage(audited(slices=SLICES), PASS, by="sex")
        assert judged.verdict == "pass"
        assert [part.verdict for part in judged.slices] == ["pass", "pass", None]

    def test_without_it_parts_are_not_judged(self):
        judged = gates.membership_advantage(audited(slices=SLICES), LEAKS)
        assert judged.verdict == "pass"
        assert {part.verdict for part in judged.slices} == {None}

    def test_a_part_above_the_limit_is_a_leak(self):
        judged = gates.membership_advantage(audited(slices=SLICES), LEAKS, by="sex")
        assert judged.verdict == "leak"
        assert [(part.value, part.verdict) for part in judged.slices] == [("m", "leak"), ("f", "pass"), ("old", None)]
        assert judged.judged == judged.slices[0].advantage
        assert judged.reasons[0].startswith("sex=m is above the limit: 0.200 (")
        assert "though the selected attack loss reaches 0.000" in judged.reasons[0]

    def test_every_part_that_leaks_is_named_beside_what_all_records_show(self):
        judged = gates.membership_advantage(audited(LEAK, slices=parts(LEAK, NONE, LEAK)), LEAKS, by="part")
        assert judged.judged == judged.advantage
        assert [reason.partition(":")[0] for reason in judged.reasons[1:]] == [
            "part=0 is above the limit",
            "part=2 is above the limit",
        ]

    def test_a_part_that_is_undecided_leaves_all_undecided(self):
        judged = gates.membership_advantage(audited(slices=SLICES), UNDECIDED, by="sex")
        assert judged.verdict == "inconclusive"
        assert judged.judged == judged.slices[0].advantage
        assert judged.reasons[0].startswith("sex=m reaches 0.200")

    def test_a_part_without_records_leaves_all_undecided(self):
        slices = SLICES | {("sex", "x"): counted(0, 0, records=0)}
        judged = gates.membership_advantage(audited(slices=slices), 0.9, by="sex")
        assert judged.verdict == judged.slices[0].verdict == "inconclusive"

    def test_a_part_too_small_for_any_pass_is_inconclusive_whatever_its_bound(self):
        """MOVER's bound on 0 of 15 and 15 of 15 lies below the limit by chance; 15 of each can't show that."""
        small = counted(0.0, 1.0, records=15, targets=2)
        slice_ = dataclasses.replace(audited(slices=parts(small)).slices[0], records=30)
        result = dataclasses.replace(audited(counted(0.5, 0.5, records=9000)), slices=(slice_,))
        judged = gates.membership_advantage(result, 0.05, by="part")
        (part,) = judged.slices
        assert part.advantage.high < 0.05
        assert (judged.verdict, part.verdict) == ("inconclusive", "inconclusive")
        least = least_records_to_pass(0.05, targets=2, alpha=0.05)
        assert part.needed == least > 30
        assert judged.reasons[0] == (
            f"part=0 has 30 records, too few for any model to pass at 0.05: {least} are needed, or "
            f"{math.ceil(2 * least / 30) - 1} shadows on these records"
        )

    @pytest.mark.parametrize(("records", "verdict_"), [(0, "pass"), (-1, "inconclusive")])
    def test_the_floor_is_where_a_constant_model_passes(self, records, verdict_):
        least = least_records_to_pass(0.1, targets=1, alpha=0.05)
        nothing = counted(0.0, 0.0, records=(least + 1) // 2 + records, targets=1)
        result = audited(counted(0.0, 0.0, records=9000), slices=parts(nothing), kind="release")
        judged = gates.membership_advantage(result, 0.1, by="part")
        assert judged.slices[0].verdict == verdict_
        assert "shadows" not in "".join(judged.reasons)

    def test_a_part_that_is_too_small_to_pass_may_leak(self):
        result = audited(counted(0.5, 0.5, records=9000), slices=parts(counted(1.0, 0.0, records=10)))
        assert gates.membership_advantage(result, 0.05, by="part").verdict == "leak"

    def test_attacks_have_half_of_the_error_and_parts_the_other(self):
        """Each part looks for a leak too, so each bound must be surer the more there are."""
        judged = gates.membership_advantage(audited(LEAK, LEAK, slices=SLICES), PASS, by="sex")
        levels = error_budget.levels(0.95, attacks=2, parts=True)
        assert levels.selected_low == levels.parts_low == pytest.approx(0.02)
        assert judged.slices[0].advantage.low == error_budget.advantage_bounds(LEAK, alpha_low=0.01, alpha_high=0.05)[1]
        assert judged.slices[0].advantage.high == error_budget.selected_interval(LEAK, levels).high
        assert judged.attacks[1].advantage == error_budget.other_interval(LEAK, levels)
        assert judged.advantage == error_budget.selected_interval(LEAK, levels)

    def test_each_part_that_leaks_makes_it_easier_for_the_others(self):
        """Holm's procedure: the second of three is compared at a half of the error, no longer at a third."""
        second = counted(0.6, 0.45)
        shown = [
            error_budget.advantage_bounds(second, alpha_low=0.025 / left, alpha_high=0.05)[1] for left in (3, 2, 1)
        ]
        limit = (shown[0] + shown[1]) / 2
        for first, expected in ((LEAK, "leak"), (NONE, "inconclusive")):
            judged = gates.membership_advantage(audited(slices=parts(first, second, NONE)), limit, by="part")
            assert {part.value: part.verdict for part in judged.slices}["1"] == expected

    def test_very_many_parts_are_counted(self):
        judged = gates.membership_advantage(audited(slices=parts(*[LEAK] * 15)), LEAKS, by="part")
        assert len(judged.reasons) == 11
        assert judged.reasons[-1] == "5 other parts of the records do not pass either"
        assert "15 leak, 0 inconclusive, 0 pass, by part" in judged.message

    def test_classes_are_parts_too(self):
        classes = tuple(dataclasses.replace(part, by="class") for part in audited(slices=parts(NONE, LEAK)).slices)
        judged = gates.membership_advantage(audited(classes=classes), LEAKS, by="class")
        assert judged.verdict == "leak"
        assert [part.verdict for part in judged.slices] == ["leak", "pass"]
        assert judged.classes == ()

    def test_remedies_are_judged_by_the_same_parts(self):
        remedies = tuple(RemedyResult(str(n), "", audited(slices=parts(each))) for n, each in enumerate([NONE, LEAK]))
        judged = gates.membership_advantage(audited(slices=parts(LEAK), what_if=remedies), LEAKS, by="part")
        assert [each.audit.slices[0].verdict for each in judged.what_if] == ["pass", "leak"]

    @pytest.mark.parametrize(("slices", "known"), [(SLICES, "age, sex"), (None, "it has none")])
    def test_a_slice_that_does_not_exist(self, slices, known):
        with pytest.raises(MIAUsageError, match=rf"by must name a slice of the dataset \({known}\), or .* got 'place'"):
            audited(slices=slices).assert_membership_advantage_below(0.1, by="place")
