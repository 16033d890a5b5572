import dataclasses

import pytest

from pytest_mia.statistics import advantage_bounds, rate_bounds
from pytest_mia.statistics.counts import Counts
from pytest_mia.statistics.error_budget import levels, other_interval, selected_interval

COUNTS = Counts((60, 59, 60, 61), (100,) * 4, (40, 41, 40, 40), (100,) * 4)


@pytest.mark.parametrize("attacks", [1, 2, 17])
@pytest.mark.parametrize("looks", [1, 3])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_false_leaks_at_all_looks_and_by_all_attacks_share_the_error(attacks, looks, confidence):
    found = levels(confidence, attacks=attacks, looks=looks)
    others = attacks * found.other_low if attacks > 1 else 0
    assert looks * (found.selected_low + others) == pytest.approx(1 - confidence)
    assert found.confidence == confidence


@pytest.mark.parametrize("looks", [1, 3])
def test_a_pass_needs_no_correction(looks):
    """It is said once, of one attack, which was selected on other data."""
    assert levels(0.95, attacks=17, looks=looks).high == pytest.approx(0.05)


def test_most_of_the_error_goes_to_the_selected_attack():
    found = levels(0.95, attacks=10)
    assert found.selected_low == pytest.approx(0.04)
    assert found.other_low == pytest.approx(0.001)


def test_intervals_use_their_level():
    found = levels(0.95, attacks=10)
    for interval, low in ((selected_interval, found.selected_low), (other_interval, found.other_low)):
        made = interval(COUNTS, found)
        assert (made.estimate, made.low, made.high) == advantage_bounds(COUNTS, alpha_low=low, alpha_high=found.high)
        assert made.confidence == 0.95
    assert other_interval(COUNTS, found).low < selected_interval(COUNTS, found).low


def test_five_records_that_go_together_bound_as_one_does():
    """Counts and shares of five times as many records give the same bounds."""
    fivefold = Counts((300, 295, 300, 305), (500,) * 4, (200, 205, 200, 200), (500,) * 4, share=1 / 5)
    found = levels(0.95, attacks=3)
    one, five = selected_interval(COUNTS, found), selected_interval(fivefold, found)
    assert (five.estimate, five.low, five.high) == pytest.approx((one.estimate, one.low, one.high))
    assert rate_bounds(fivefold.flagged_members, fivefold.members, alpha=0.05, share=1 / 5) == pytest.approx(
        rate_bounds(COUNTS.flagged_members, COUNTS.members, alpha=0.05)
    )
    alone = selected_interval(dataclasses.replace(fivefold, share=1.0), found)
    assert alone.high < five.high
