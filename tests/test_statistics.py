import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pytest_mia.figures import Counts
from pytest_mia.statistics import (
    COUNTED_TWICE,
    MOST_RECORDS,
    advantage_bounds,
    auc,
    clopper_pearson,
    difference_bounds,
    least_records,
    least_records_to_pass,
    measurable,
    mover_bounds,
    rate_bounds,
    rates_bounds,
    records_to_leak,
    records_to_pass,
)

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


class TestSampleSizes:
    @pytest.mark.parametrize(
        ("threshold", "advantage", "fpr", "per_side"),
        [
            (0.05, 0, 0.5, 1258),
            (0.05, 0.0125, 0.5, 2238),
            (0.05, 0.025, 0.5, 5005),
            (0.02, 0, 0.5, 7847),
            (0.02, 0.01, 0.5, 31107),
            (0.1, 0, 0.5, 326),
            (0.1, 0.05, 0.5, 1261),
            (0.05, 0, 0.25, 956),
            (0.05, 0.025, 0.1, 2038),
        ],
    )
    def test_table_of_passes(self, threshold, advantage, fpr, per_side):
        records = records_to_pass(threshold, targets=1, alpha=0.05, advantage=advantage, fpr=fpr)
        assert records == pytest.approx(2 * per_side, rel=0.02)

    @pytest.mark.parametrize(
        ("threshold", "advantage", "fpr", "per_side"),
        [
            (0.05, 0.075, 0.5, 4972),
            (0.05, 0.1, 0.5, 1243),
            (0.05, 0.15, 0.5, 312),
            (0.05, 0.1, 0.1, 645),
            (0.02, 0.03, 0.5, 31057),
            (0.1, 0.3, 0.5, 74),
        ],
    )
    def test_table_of_leaks(self, threshold, advantage, fpr, per_side):
        records = records_to_leak(threshold, targets=1, alpha=0.05, advantage=advantage, fpr=fpr)
        assert records == pytest.approx(2 * per_side, rel=0.02)

    @pytest.mark.parametrize("targets", [1, 4, 8, 33])
    def test_the_power_is_kept(self, benchmark, targets):
        """Planned for the worst case, in which chance counts twice."""
        threshold, runs, rng = 0.1, 1000, np.random.default_rng(0)
        size = records_to_pass(threshold, targets=targets, alpha=0.05) // 2
        totals = (size,) * targets
        sides = [benchmark.counted_twice(rng, 0.5, size, (runs, targets)).tolist() for _ in range(2)]
        bounds = [
            advantage_bounds(Counts(ours, totals, theirs, totals), **LEVELS)
            for ours, theirs in zip(*sides, strict=True)
        ]
        assert np.mean([high < threshold for _, _, high in bounds]) == pytest.approx(0.8, abs=0.045)

    @pytest.mark.parametrize("targets", [33, 257])
    def test_many_targets_need_twice_what_independent_guesses_would(self, targets):
        """In the normal approximation; the spread between so many targets is the smaller of both margins."""
        per_side = 2 * 0.5 * ((stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) / 0.005) ** 2
        assert records_to_pass(0.005, targets=targets, alpha=0.05) == pytest.approx(2 * per_side / targets, rel=0.01)

    def test_few_targets_need_what_student_s_margin_would_have(self):
        targets, gap, u = 3, 0.01, (np.arange(10_000) + 0.5) / 10_000
        error = math.sqrt(0.5 / (records_to_pass(gap, targets=targets, alpha=0.05) * targets / 2))
        student = stats.t.ppf(0.95, targets - 1) * np.sqrt(stats.chi2.ppf(u, targets - 1) / (targets - 1))
        margins = error * np.maximum(student, stats.norm.ppf(0.95) * math.sqrt(COUNTED_TWICE))
        power = stats.norm.cdf((gap - margins) / (error * math.sqrt(COUNTED_TWICE))).mean()
        assert power == pytest.approx(0.8, abs=0.005)

    def test_the_false_positive_rate_moves_only_as_far_as_rates_allow(self):
        leak = [records_to_leak(0.05, targets=1, alpha=0.05, advantage=0.1, fpr=fpr) for fpr in (0.02, 0.1)]
        moved = [records_to_pass(0.05, targets=1, alpha=0.05, advantage=-0.2, fpr=fpr) for fpr in (0.02, 0.2, 0.3)]
        assert leak[0] < leak[1]
        assert moved[0] == moved[1] < moved[2]

    def test_the_worst_false_positive_rate_and_a_power_of_four_fifths_unless_said(self):
        plan, said = {"threshold": 0.05, "targets": 1, "alpha": 0.05}, {"fpr": 0.5, "power": 0.8}
        assert records_to_pass(**plan) == records_to_pass(**plan, **said, advantage=0)
        assert records_to_leak(**plan, advantage=0.1) == records_to_leak(**plan, **said, advantage=0.1)

    @pytest.mark.parametrize("advantage", [0.05, 0.2])
    def test_no_size_lets_a_leak_pass(self, advantage):
        with pytest.raises(ValueError, match="can't pass"):
            records_to_pass(0.05, targets=8, alpha=0.05, advantage=advantage)

    @pytest.mark.parametrize("advantage", [0.05, 0, -0.3])
    def test_no_size_shows_a_leak_that_is_none(self, advantage):
        with pytest.raises(ValueError, match="can't leak"):
            records_to_leak(0.05, targets=8, alpha=0.05, advantage=advantage)

    def test_hopeless_sizes_end(self):
        assert records_to_pass(0.05, targets=8, alpha=0.05, advantage=0.05 - 1e-17) == MOST_RECORDS
        assert records_to_leak(0.05, targets=8, alpha=0.05, advantage=0.05 + 1e-16) == MOST_RECORDS
        assert least_records_to_pass(0, targets=8, alpha=0.05) == MOST_RECORDS

    @pytest.mark.parametrize(("targets", "per_side"), [(1, 7), (8, 7 * COUNTED_TWICE)])
    def test_a_certain_attack_needs_what_its_bound_needs(self, targets, per_side):
        """With advantage 1 nothing varies, so the first size at which the bound can clear the limit is enough."""
        records = records_to_leak(0.5, targets=targets, alpha=0.05, advantage=1)
        assert records == math.ceil(2 * per_side / targets)
        assert mover_bounds(7, 7, 0, 7, **LEVELS)[0] > 0.5 >= mover_bounds(6, 6, 0, 6, **LEVELS)[0]

    def test_a_negative_advantage_passes_sooner(self):
        sooner = records_to_pass(0.05, targets=1, alpha=0.05, advantage=-0.05, fpr=0.02)
        assert sooner < records_to_pass(0.05, targets=1, alpha=0.05, fpr=0.02)

    @pytest.mark.parametrize(("threshold", "per_side"), [(0.02, 149), (0.05, 59), (0.1, 29)])
    def test_least_records_to_pass(self, threshold, per_side):
        assert least_records_to_pass(threshold, targets=1, alpha=0.05) == 2 * per_side
        assert mover_bounds(0, per_side, 0, per_side, **LEVELS)[1] < threshold
        assert mover_bounds(0, per_side - 1, 0, per_side - 1, **LEVELS)[1] >= threshold

    def test_least_records_is_reached_by_a_perfect_attack(self):
        assert least_records(0.05, targets=1, alpha=0.05) == 6
        assert mover_bounds(3, 3, 0, 3, **LEVELS)[0] > 0.05
        assert mover_bounds(2, 2, 0, 2, **LEVELS)[0] <= 0.05

    def test_least_records_is_reached_by_a_constant_model_at_high_limits(self):
        assert least_records(0.9, targets=1, alpha=0.05) == least_records_to_pass(0.9, targets=1, alpha=0.05) == 4
        assert least_records(1, targets=1, alpha=0.05) == 2

    def test_targets_share_the_work(self):
        assert least_records_to_pass(0.05, targets=8, alpha=0.05) == math.ceil(2 * 59 * COUNTED_TWICE / 8)
        assert least_records_to_pass(0.05, targets=1000, alpha=0.05) == 2


@pytest.mark.parametrize(
    ("fpr", "nonmembers", "enough"),
    [
        (0.1, 100, True),
        (0.1, 99, False),
        (0.01, 1000, True),
        (0.01, 999, False),
        (0.001, 10000, True),
        (0.3, 33, False),
    ],
)
def test_measurable(fpr, nonmembers, enough):
    assert measurable(fpr, nonmembers) is enough


class TestAuc:
    @pytest.mark.parametrize(
        ("scores", "members", "expected"),
        [
            ([1, 2, 3, 4, 0, 1, 2, 3], [1, 1, 1, 1, 0, 0, 0, 0], 0.71875),
            ([1, 1, 0, 0], [1, 0, 1, 0], 0.5),
            ([0, 0, 0], [1, 0, 0], 0.5),
            ([1, 2, 0, -1], [1, 1, 0, 0], 1),
            ([1, 2, 0, -1], [0, 0, 1, 1], 0),
            ([-np.inf, np.inf, -np.inf, 0], [0, 1, 1, 0], 0.625),
        ],
    )
    def test_vectors(self, scores, members, expected):
        assert auc(np.array(scores, dtype=float), np.array(members, dtype=bool)) == expected

    @pytest.mark.parametrize("members", [[True, True], [False, False]])
    def test_one_side_only_tells_nothing(self, members):
        assert auc(np.array([0.0, 1.0]), np.array(members)) == 0.5

    def test_no_records_tell_nothing(self):
        assert auc(np.empty(0), np.empty(0, dtype=bool)) == 0.5

    def test_nan_is_refused(self):
        with pytest.raises(ValueError, match="2 scores are NaN"):
            auc(np.array([np.nan, 1, np.nan]), np.array([True, False, True]))
        for alone in ([True, False], [False, True]):
            with pytest.raises(ValueError, match="1 scores are NaN"):
                auc(np.array([np.nan, 1]), np.array(alone))

    def test_shapes_that_differ_are_refused(self):
        with pytest.raises(ValueError, match="one entry per record"):
            auc(np.zeros(3), np.array([True, False]))

    def test_inputs_stay_as_they_were(self):
        scores, members = np.array([3.0, 1.0, 2.0]), np.array([True, False, True])
        auc(scores, members)
        assert scores.tolist() == [3, 1, 2]
        assert members.tolist() == [True, False, True]
