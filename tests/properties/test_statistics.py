import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_mia.statistics import (
    advantage_bounds,
    auc,
    clopper_pearson,
    least_records,
    least_records_to_pass,
    mover_bounds,
    rate_bounds,
    records_to_leak,
    records_to_pass,
)
from pytest_mia.statistics.counts import Counts

alphas = st.floats(1e-4, 0.5)
thresholds = st.floats(0.01, 0.9)


@st.composite
def proportions(draw, smallest=0):
    total = draw(st.integers(smallest, 3000))
    return draw(st.integers(0, total)), total


@st.composite
def counts(draw):
    targets = draw(st.lists(st.tuples(proportions(), proportions()), max_size=9))
    return Counts(*(tuple(target[side][part] for target in targets) for side in (0, 1) for part in (0, 1)))


def reorder(given, order):
    sides = (given.flagged_members, given.members, given.flagged_nonmembers, given.nonmembers)
    return Counts(*(tuple(side[target] for target in order) for side in sides))


def swap(given):
    return Counts(given.flagged_nonmembers, given.nonmembers, given.flagged_members, given.members)


@given(proportions(smallest=1), alphas)
def test_exact_bounds_enclose_the_rate_and_mirror(proportion, alpha):
    flagged, total = proportion
    low, high = clopper_pearson(flagged, total, alpha)
    assert 0 <= low <= flagged / total <= high <= 1
    mirrored_low, mirrored_high = clopper_pearson(total - flagged, total, alpha)
    assert (1 - mirrored_high, 1 - mirrored_low) == pytest.approx((float(low), float(high)), abs=1e-9)


@given(proportions(smallest=1), proportions(smallest=1), alphas)
def test_swapping_members_and_nonmembers_mirrors_the_bounds(ours, theirs, alpha):
    low, high = mover_bounds(*ours, *theirs, alpha_low=alpha, alpha_high=alpha)
    assert mover_bounds(*theirs, *ours, alpha_low=alpha, alpha_high=alpha) == pytest.approx((-high, -low), abs=1e-12)


@given(counts(), alphas, alphas)
def test_bounds_enclose_the_estimate(given, alpha_low, alpha_high):
    estimate, low, high = advantage_bounds(given, alpha_low=alpha_low, alpha_high=alpha_high)
    assert -1 <= low <= estimate <= high <= 1
    rate, low, high = rate_bounds(given.flagged_members, given.members, alpha=alpha_low)
    assert 0 <= low <= rate <= high <= 1


@given(counts(), alphas, alphas)
def test_more_confidence_never_narrows(given, one, other):
    sure, unsure = min(one, other), max(one, other)
    _, low, high = advantage_bounds(given, alpha_low=unsure, alpha_high=unsure)
    _, lower, higher = advantage_bounds(given, alpha_low=sure, alpha_high=sure)
    assert lower <= low + 1e-12
    assert higher >= high - 1e-12


@given(counts())
def test_swapping_sides_negates_the_advantage(given):
    estimate, low, high = advantage_bounds(given, alpha_low=0.05, alpha_high=0.05)
    swapped = advantage_bounds(swap(given), alpha_low=0.05, alpha_high=0.05)
    assert swapped == pytest.approx((-estimate, -high, -low), abs=1e-12)


@given(counts(), st.randoms())
def test_the_order_of_the_targets_does_not_matter(given, random):
    order = list(range(len(given.members)))
    random.shuffle(order)
    shuffled = reorder(given, order)
    assert advantage_bounds(shuffled, alpha_low=0.05, alpha_high=0.05) == pytest.approx(
        advantage_bounds(given, alpha_low=0.05, alpha_high=0.05), abs=1e-12
    )


@given(proportions(smallest=1), st.integers(1, 9))
def test_guesses_that_ignore_membership_have_no_advantage(proportion, targets):
    flagged, total = proportion
    same = Counts(*[(flagged,) * targets, (total,) * targets] * 2)
    estimate, low, high = advantage_bounds(same, alpha_low=0.05, alpha_high=0.05)
    assert estimate == 0
    assert low < 0 < high


@given(thresholds, thresholds, st.integers(1, 65), alphas, st.floats(0, 0.99))
def test_a_looser_limit_needs_fewer_records_to_pass(one, other, targets, alpha, share):
    tight, loose = min(one, other), max(one, other)
    advantage = share * tight
    assume(advantage < tight)
    plan = {"targets": targets, "alpha": alpha}
    assert records_to_pass(loose, advantage=advantage, **plan) <= records_to_pass(tight, advantage=advantage, **plan)
    assert least_records_to_pass(loose, **plan) <= least_records_to_pass(tight, **plan)


@given(thresholds, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 65), alphas)
def test_a_larger_leak_needs_fewer_records_to_show(threshold, one, other, targets, alpha):
    small, large = (threshold + (1 - threshold) * share for share in sorted((one, other)))
    plan = {"targets": targets, "alpha": alpha}
    needed = records_to_leak(threshold, advantage=large, **plan)
    assert needed >= 2
    assert needed <= records_to_leak(threshold, advantage=small, **plan)


@given(thresholds, st.integers(2, 64), alphas, st.floats(0.1, 0.5), st.floats(0.5, 0.95))
def test_more_targets_and_less_power_need_fewer_records(threshold, targets, alpha, weak, strong):
    needed = records_to_pass(threshold, targets=targets, alpha=alpha, power=strong)
    assert records_to_pass(threshold, targets=targets + 1, alpha=alpha, power=strong) <= needed
    assert records_to_pass(threshold, targets=targets, alpha=alpha, power=weak) <= needed


@given(thresholds, st.integers(1, 65), alphas)
def test_any_verdict_is_reached_before_a_pass(threshold, targets, alpha):
    least = least_records(threshold, targets=targets, alpha=alpha)
    assert 2 <= least <= least_records_to_pass(threshold, targets=targets, alpha=alpha)


scored = st.integers(1, 60).flatmap(
    lambda records: st.tuples(
        arrays.arrays(float, records, elements=st.integers(-5, 5).map(float)), arrays.arrays(bool, records)
    )
)


@given(scored)
def test_auc_is_the_share_of_pairs_won(pair):
    scores, members = pair
    ours, theirs = scores[members][:, None], scores[~members]
    won = (ours > theirs) + 0.5 * (ours == theirs)
    assert auc(scores, members) == pytest.approx(won.mean() if won.size else 0.5)


@given(scored, st.randoms())
def test_auc_sees_the_order_of_the_scores_only(pair, random):
    scores, members = pair
    order = np.array(random.sample(range(len(scores)), len(scores)))
    assert auc(np.exp(scores), members) == auc(scores, members)
    assert auc(scores[order], members[order]) == auc(scores, members)
    assert auc(scores, ~members) == pytest.approx(1 - auc(scores, members))
    assert auc(-scores, members) == pytest.approx(1 - auc(scores, members))
