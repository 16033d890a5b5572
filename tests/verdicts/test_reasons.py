import math

import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia.statistics import rate_bounds, records_to_leak, records_to_pass
from pytest_mia.statistics.counts import Interval
from pytest_mia.verdicts import reasons


class TestWhatWouldDecide:
    def said(self, estimate, limit=0.05, **changes):
        result, interval = audited(**changes), Interval(estimate, 0.0, 1.0, 0.95)
        (reason,) = reasons.what_would_decide(result.selected, result.records, result.kind, limit, interval)
        return reason

    def test_records_and_shadows_for_a_pass(self):
        needed = records_to_pass(0.05, targets=4, alpha=0.05, advantage=0.02, fpr=0.5)
        shadows = math.ceil(4 * needed / 500) - 1
        assert self.said(0.02, records=500) == (
            f"if the advantage is 0.020, {needed:,} records would be enough for a pass (there are 500), "
            f"or {shadows} shadows on these records"
        )

    def test_records_for_a_leak(self):
        needed = records_to_leak(0.05, targets=4, alpha=0.05, advantage=0.1, fpr=0.5)
        assert self.said(0.1, records=500).startswith(
            "if the advantage is 0.100, more records can't lead to a pass; "
            f"{needed:,} would show a leak (there are 500)"
        )

    @pytest.mark.parametrize(
        ("flagged", "estimate", "fpr"),
        [(0.0, 0.0, 0.05), (0.3, 0.0, 0.3), (1.0, 0.0, 0.95), (0.9, 0.2, 0.78), (0.5, 0.92, 0.06), (0.5, 0.93, 0.01)],
    )
    def test_the_false_positive_rate_is_that_of_the_attack_where_it_leaves_room(self, flagged, estimate, fpr):
        plan = {"targets": 4, "alpha": pytest.approx(0.05), "advantage": estimate, "fpr": pytest.approx(fpr)}
        asked = []
        with pytest.MonkeyPatch.context() as patch:
            for name in ("records_to_pass", "records_to_leak"):
                patch.setattr(reasons, name, lambda limit, **given: asked.append((limit, given)) or 12345)
            said = self.said(estimate, selected=counted(flagged, flagged))
        assert ("12,345 records would be enough" if estimate < 0.05 else "12,345 would show a leak") in said
        assert asked == [(0.05, {**plan, "power": 0.8})]

    def test_a_tail_has_hardly_any_false_positives(self):
        needed = records_to_pass(0.05, targets=4, alpha=0.05, advantage=0.02, fpr=0)
        interval = Interval(0.02, 0.0, 1.0, 0.95)
        (reason,) = reasons.what_would_decide(NONE, 50, "release", 0.05, interval, fpr=0.01)
        assert reason == f"if the TPR is 0.020, {needed:,} records would be enough for a pass (there are 50)"

    def test_a_negative_estimate_counts_as_no_leak(self):
        assert self.said(-0.1) == self.said(0.0)

    def test_a_release_has_no_more_shadows_to_offer(self):
        assert "shadows" not in self.said(0.02, kind="release")

    def test_dependent_records_are_needed_in_larger_numbers(self):
        one, half = (
            int(self.said(0.02, selected=counted(0.5, 0.5, share=share)).split()[5].replace(",", ""))
            for share in (1, 0.5)
        )
        assert half == pytest.approx(2 * one, abs=1)

    def test_at_least_one_record_more_than_there_are(self):
        assert "1,000,001 records" in self.said(0.02, records=1_000_000)

    @pytest.mark.parametrize("estimate", [0.046, 0.05, 0.054])
    def test_near_the_limit_nothing_would(self, estimate):
        assert (
            self.said(estimate)
            == f"the advantage {estimate:.3f} lies too near the limit 0.05 for more records to decide"
        )

    @pytest.mark.parametrize("limit", [0.001, 0.5, 0.99, 1.0])
    @pytest.mark.parametrize("estimate", [0.0, 0.3, 0.95, 0.999, 1.0])
    @pytest.mark.parametrize("selected", [NONE, LEAK, counted(0, 0), counted(1, 1), counted(1, 0)])
    def test_every_case_has_an_answer(self, limit, estimate, selected):
        assert self.said(estimate, limit, selected=selected)


def test_a_part_that_is_undecided_is_told_the_shadows_that_would_decide():
    (part,) = audited(slices={("sex", "m"): counted(0.52, 0.5, records=250)}).slices
    (told,) = reasons.of_parts([part], "recipe", 0.05)
    (hint,) = reasons.what_would_decide(part.counts, part.records, "recipe", 0.05, part.advantage)
    assert told == f"sex=m reaches {part.advantage}: {hint}"
    assert hint.endswith("shadows on these records")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_false_positive_rate_of_a_tail(share):
    rate, low, high = rate_bounds((20,) * 4, (1000,) * 4, alpha=0.05, share=share)
    assert reasons.flagged_nonmembers(counted(0.5, 0.02, share=share), 0.05) == (
        "80 of 4,000 non-members were accused wrongly: the threshold, learnt on the shadows, has an FPR of "
        f"{rate:.4f} ({low:.4f} to {high:.4f})"
    )
