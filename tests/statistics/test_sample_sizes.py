import math

import numpy as np
import pytest
from scipy import stats

from pytest_mia.statistics import (
    COUNTED_TWICE,
    MOST_RECORDS,
    advantage_bounds,
    detectable_advantage,
    least_records,
    least_records_to_pass,
    measurable,
    mover_bounds,
    records_to_leak,
    records_to_pass,
)
from pytest_mia.statistics.counts import Counts

LEVELS = {"alpha_low": 0.05, "alpha_high": 0.05}


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("bounds")


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


def audited(members, nonmembers, targets=1):
    none = (0,) * targets
    return Counts(none, (members,) * targets, none, (nonmembers,) * targets)


class TestDetectableAdvantage:
    @pytest.mark.parametrize(("size", "threshold"), [(100, 0.0), (400, 0.1)])
    def test_four_simulated_audits_in_five_find_it(self, size, threshold):
        found = detectable_advantage(audited(size, size), threshold=threshold, alpha=0.05)
        rng, runs = np.random.default_rng(0), 2000
        flagged = rng.binomial(size, [[(1 + found) / 2], [(1 - found) / 2]], (2, runs)).T
        seen = [mover_bounds(inside, size, outside, size, **LEVELS)[0] > threshold for inside, outside in flagged]
        # Four standard errors; guesses are whole numbers besides.
        assert np.mean(seen) == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / runs))

    def test_it_hangs_on_the_smaller_side(self):
        few, many, more_members, more_others = (
            detectable_advantage(audited(*sides), threshold=0.0, alpha=0.05)
            for sides in ((50, 50), (500, 500), (500, 50), (50, 500))
        )
        assert many < few == more_members == more_others

    def test_a_target_without_one_side_is_left_out(self):
        whole, lame = audited(50, 50), audited(50, 0)
        both = Counts(*(ours + theirs for ours, theirs in zip(sides(whole), sides(lame), strict=True)))
        one, same = (detectable_advantage(each, threshold=0.0, alpha=0.05) for each in (whole, both))
        assert one == same
        assert detectable_advantage(lame, threshold=0.0, alpha=0.05) is None

    def test_two_guesses_show_nothing(self):
        assert detectable_advantage(audited(2, 2), threshold=0.0, alpha=0.05) is None


def sides(counts):
    return counts.flagged_members, counts.members, counts.flagged_nonmembers, counts.nonmembers
