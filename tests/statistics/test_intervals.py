import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pytest_mia.statistics import (
    advantage_bounds,
    clopper_pearson,
    difference_bounds,
    mover_bounds,
    rate_bounds,
    rates_bounds,
)
from pytest_mia.statistics.counts import Counts

LEVELS = {"alpha_low": 0.05, "alpha_high": 0.05}


def one_target(tp, fn, fp, tn):
    return Counts((tp,), (tp + fn,), (fp,), (fp + tn,))


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("bounds")


class TestClopperPearson:
    def test_known_quantiles(self):
        low, high = clopper_pearson([0, 3, 10], [10, 10, 10], 0.05)
        assert low == pytest.approx([0, stats.beta.ppf(0.05, 3, 8), 0.05**0.1])
        assert high == pytest.approx([1 - 0.05**0.1, stats.beta.ppf(0.95, 4, 7), 1])

    def test_each_bound_is_where_the_tail_reaches_alpha(self):
        low, high = clopper_pearson(7, 40, 0.01)
        assert stats.binom.sf(6, 40, low) == pytest.approx(0.01)
        assert stats.binom.cdf(7, 40, high) == pytest.approx(0.01)

    def test_at_the_largest_alpha_each_bound_is_a_median(self):
        low, high = clopper_pearson(7, 40, 0.5)
        assert (low, high) == pytest.approx((stats.beta.median(7, 34), stats.beta.median(8, 33)))

    def test_no_trials_leave_everything_open(self):
        low, high = clopper_pearson([0], [0], 0.05)
        assert (low[0], high[0]) == (0, 1)

    @pytest.mark.parametrize(("flagged", "total"), [(3, 2), (-1, 2), (math.nan, 2)])
    def test_impossible_counts(self, flagged, total):
        with pytest.raises(ValueError, match="flagged must be from 0 to total"):
            clopper_pearson(flagged, total, 0.05)

    @pytest.mark.parametrize("alpha", [0, -0.1, 0.6, math.nan])
    def test_alpha_out_of_range(self, alpha):
        with pytest.raises(ValueError, match="alpha must be"):
            clopper_pearson(1, 2, alpha)


class TestMoverBounds:
    @pytest.mark.parametrize(
        ("counts", "low", "high"),
        [
            ((60, 100, 40, 100), 0.07693, 0.31664),
            ((260, 500, 250, 500), -0.03337, 0.07324),
            ((0, 50, 0, 50), -0.05816, 0.05816),
            ((50, 50, 0, 50), 0.91776, 1),
            ((5, 1000, 1, 1000), -0.00081, 0.00957),
            ((1030, 2000, 1000, 2000), -0.01135, 0.04133),
            ((100, 100, 100, 100), -0.02951, 0.02951),
        ],
    )
    def test_vectors(self, counts, low, high):
        assert mover_bounds(*counts, **LEVELS) == pytest.approx((low, high), abs=6e-6)

    def test_each_bound_has_its_own_level(self):
        low, _ = mover_bounds(60, 100, 40, 100, alpha_low=0.01, alpha_high=0.2)
        _, high = mover_bounds(60, 100, 40, 100, alpha_low=0.2, alpha_high=0.01)
        assert mover_bounds(60, 100, 40, 100, alpha_low=0.01, alpha_high=0.01) == (low, high)
        assert low < mover_bounds(60, 100, 40, 100, **LEVELS)[0]

    @pytest.mark.parametrize("counts", [(0, 0, 3, 10), (3, 10, 0, 0), (0, 0, 0, 0)])
    def test_an_empty_side_leaves_everything_open(self, counts):
        assert mover_bounds(*counts, **LEVELS) == (-1, 1)

    @pytest.mark.parametrize(("members", "nonmembers"), [(20, 20), (40, 40), (40, 15)])
    def test_exact_coverage(self, members, nonmembers):
        tables = itertools.product(range(members + 1), range(nonmembers + 1))
        low, high = np.transpose([mover_bounds(tp, members, fp, nonmembers, **LEVELS) for tp, fp in tables])
        for fpr, advantage in itertools.product((0.001, 0.05, 0.3, 0.5, 0.7), (0, 0.02, 0.1, 0.3)):
            ours = stats.binom.pmf(np.arange(members + 1), members, fpr + advantage)
            theirs = stats.binom.pmf(np.arange(nonmembers + 1), nonmembers, fpr)
            chance = np.outer(ours, theirs).ravel()
            assert chance[low <= advantage].sum() >= 0.95
            assert chance[high >= advantage].sum() >= 0.95


class TestAdvantageBounds:
    def test_one_target_is_mover(self):
        bounds = advantage_bounds(one_target(60, 40, 40, 60), **LEVELS)
        assert bounds == (pytest.approx(0.2), *mover_bounds(60, 100, 40, 100, **LEVELS))

    def test_targets_that_differ_get_the_t_interval(self):
        counts = Counts((500, 600, 900), (1000,) * 3, (500, 500, 500), (1000,) * 3)
        estimate, low, high = advantage_bounds(counts, alpha_low=0.05, alpha_high=0.1)
        advantages = [0, 0.1, 0.4]
        error = stats.sem(advantages)
        assert estimate == pytest.approx(1 / 6)
        assert low == pytest.approx(max(-1, 1 / 6 - stats.t.ppf(0.95, 2) * error))
        assert high == pytest.approx(1 / 6 + stats.t.ppf(0.9, 2) * error)

    def test_targets_that_agree_get_the_interval_of_half_the_pool(self):
        """Their spread shows nothing, and what two targets agree in by chance counts for both."""
        counts = Counts((30,) * 4, (50,) * 4, (20,) * 4, (50,) * 4)
        _, low, high = advantage_bounds(counts, **LEVELS)
        assert (low, high) == pytest.approx(mover_bounds(60, 100, 40, 100, **LEVELS))

    def test_margins_are_laid_around_the_mean_when_sizes_differ(self):
        counts = Counts((10, 60), (20, 100), (10, 50), (20, 100))
        estimate, low, high = advantage_bounds(counts, alpha_low=0.4, alpha_high=0.4)
        pooled = mover_bounds(35, 60, 30, 60, alpha_low=0.4, alpha_high=0.4)
        assert estimate == pytest.approx(0.05)
        assert (low - estimate, high - estimate) == pytest.approx((pooled[0] - 10 / 120, pooled[1] - 10 / 120))

    @pytest.mark.parametrize("flagged", [0, 30])
    def test_constant_outputs_have_advantage_exactly_0(self, flagged):
        estimate, low, high = advantage_bounds(Counts((flagged,) * 3, (30,) * 3, (flagged,) * 3, (30,) * 3), **LEVELS)
        assert estimate == 0
        assert low < 0 < high

    def test_targets_with_an_empty_side_are_left_out(self):
        counts = Counts((60, 0, 5), (100, 0, 5), (40, 3, 0), (100, 10, 0))
        assert advantage_bounds(counts, **LEVELS) == advantage_bounds(one_target(60, 40, 40, 60), **LEVELS)

    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            (Counts((60, 1), (100, 1), (40, 3), (100, 10)), (0.2 + 0.7) / 2),
            (Counts((60, 7), (100, 10), (40, 0), (100, 1)), (0.2 + 0.7) / 2),
        ],
    )
    def test_a_side_of_one_record_counts(self, counts, expected):
        assert advantage_bounds(counts, **LEVELS)[0] == pytest.approx(expected)

    def test_records_in_groups_count_as_the_share_that_is_independent(self):
        halved = Counts((60,), (100,), (40,), (100,), share=0.5)
        assert advantage_bounds(halved, **LEVELS) == (pytest.approx(0.2), *mover_bounds(30, 50, 20, 50, **LEVELS))

    @pytest.mark.parametrize("counts", [Counts((), (), (), ()), Counts((0, 2), (0, 4), (1, 0), (3, 0))])
    def test_nothing_to_compare_leaves_everything_open(self, counts):
        assert advantage_bounds(counts, **LEVELS) == (0, -1, 1)

    def test_bounds_stay_within_the_possible(self):
        counts = Counts((10, 0), (10, 10), (0, 10), (10, 10))
        assert advantage_bounds(counts, **LEVELS) == (0, -1, 1)

    def test_answers_are_plain_floats(self):
        counts = Counts((3, 4), (5, 5), (1, 2), (5, 5))
        assert {type(number) for number in advantage_bounds(counts, **LEVELS)} == {float}
        assert {type(number) for number in rate_bounds((3, 4), (5, 5), alpha=0.05)} == {float}

    @pytest.mark.parametrize(
        ("way", "targets", "sides"),
        [
            ("alike", 1, (20, 20)),
            ("alike", 1, (2000, 500)),
            ("alike", 4, (15, 15)),
            ("differ", 4, (300, 300)),
            ("differ", 17, (100, 100)),
            ("counted_twice", 2, (100, 100)),
            ("counted_twice", 8, (300, 300)),
            ("counted_twice", 33, (100, 100)),
        ],
    )
    def test_coverage(self, benchmark, way, targets, sides):
        """A small part of the benchmark; bounds from the whole pool would hold in 0.89 of the runs where chance counts
        twice, and without Student's margin in 0.87 of those where targets differ."""
        runs = 400
        allowed = 0.95 - 3 * math.sqrt(0.95 * 0.05 / runs)
        assert min(benchmark.worst(getattr(benchmark, way), targets=targets, sides=sides, runs=runs)) >= allowed

    def test_bounds_are_not_needlessly_wide(self, benchmark):
        """Where chance does count twice, bounds err in one of a hundred runs at least."""
        world = benchmark.World(fpr=0.5, advantage=0.1)
        held = benchmark.coverage(world, benchmark.counted_twice, targets=17, sides=(500, 500), runs=400)
        assert max(held) <= 0.99

    def test_the_simulation_sees_bounds_that_fail(self, benchmark):
        """One target can't show that targets differ, so its bounds must be seen to fail when they do."""
        assert max(benchmark.worst(benchmark.differ, targets=1, sides=(300, 300), runs=400)) < 0.9


def test_a_difference_has_the_margins_of_both_sides_squared_and_added():
    """3-4-5 triangles: what pulls it down is the lower margin of the new and the upper one of the old."""
    before, after = (0.1, 0.1 - 0.12, 0.1 + 0.04), (0.3, 0.3 - 0.03, 0.3 + 0.05)
    assert difference_bounds(before, after) == pytest.approx((0.2, 0.2 - 0.05, 0.2 + 0.13))


class TestRateBounds:
    def test_one_target_is_clopper_pearson(self):
        low, high = clopper_pearson(3, 40, 0.05)
        assert rate_bounds((3,), (40,), alpha=0.05) == pytest.approx((3 / 40, float(low), float(high)))

    def test_targets_that_agree_get_the_interval_of_half_the_pool(self):
        low, high = clopper_pearson(6, 80, 0.05)
        assert rate_bounds((3,) * 4, (40,) * 4, alpha=0.05) == pytest.approx((3 / 40, float(low), float(high)))

    def test_targets_that_differ_get_the_t_interval(self):
        margin = stats.t.ppf(0.95, 2) * stats.sem([0.4, 0.5, 0.6])
        assert rate_bounds((400, 500, 600), (1000,) * 3, alpha=0.05) == pytest.approx((0.5, 0.5 - margin, 0.5 + margin))

    def test_targets_without_records_are_left_out(self):
        assert rate_bounds((3, 0), (40, 0), alpha=0.05) == rate_bounds((3,), (40,), alpha=0.05)
        assert rate_bounds((0,), (0,), alpha=0.05) == (0, 0, 1)
        assert rate_bounds((), (), alpha=0.05) == (0, 0, 1)

    def test_bounds_stay_within_the_possible(self):
        assert rate_bounds((0, 10), (10, 10), alpha=0.05) == (0.5, 0, 1)


class TestRatesBounds:
    def test_each_threshold_by_itself(self):
        flagged, total = np.array([[0, 5, 9.5], [2, 5, 12], [0, 0, 0]]), [10, 12, 0]
        found = np.transpose(rates_bounds(flagged, total, alpha=0.05, share=0.5))

        for column, bounds in zip(flagged.T, found, strict=True):
            assert tuple(bounds) == rate_bounds(column.tolist(), total, alpha=0.05, share=0.5)

    def test_a_target_with_one_record_counts_and_guesses_are_independent_unless_said(self):
        flagged, total = np.array([[1.0], [4.0]]), [1, 10]
        estimates, lows, highs = rates_bounds(flagged, total, alpha=0.4)
        margin = stats.t.ppf(0.6, 1) * stats.sem([1, 0.4])
        low, high = clopper_pearson(2.5, 5.5, 0.4)
        expected = (0.7, 0.7 - max(margin, 5 / 11 - low), min(1, 0.7 + max(margin, high - 5 / 11)))
        assert (estimates[0], lows[0], highs[0]) == pytest.approx(expected)
        assert rates_bounds(flagged[1:], total[1:], alpha=0.05) == rates_bounds(
            flagged[1:], total[1:], alpha=0.05, share=1.0
        )

    def test_without_records_nothing_is_known(self):
        estimates, lows, highs = rates_bounds(np.zeros((1, 2)), [0], alpha=0.05)

        assert (estimates.tolist(), lows.tolist(), highs.tolist()) == ([0, 0], [0, 0], [1, 1])
