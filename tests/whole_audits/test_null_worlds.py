"""False leaks are as rare as stated, and bounds hold: a part of benchmarks/null_worlds.py, which shows it at length."""

import dataclasses
import functools

import numpy as np
import pytest
from scipy import stats

from pytest_mia import gates
from pytest_mia.statistics import error_budget

ALPHA = 0.05


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    """Audits that several tests look at are made once."""
    loaded = load_benchmark("null_worlds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded, "audit", functools.cache(loaded.audit))
        yield loaded


def at_most(share, results, alpha=ALPHA):
    """Whether a share is what errors with this probability give, except once in a thousand times."""
    return share <= stats.binom.ppf(0.999, len(results), alpha) / len(results)


def check(benchmark, results):
    assert at_most(benchmark.share_of_leaks(results), results)
    assert at_most(benchmark.share_of_misses(results), results)
    assert at_most(np.mean([gates.epsilon(result, 1.0).judged.low > 0 for result in results]), results)
    advantage, error = benchmark.mean_with_error([result.advantage.estimate for result in results])
    assert abs(advantage) <= 4 * error
    for name, area, area_error in benchmark.areas(results):
        assert abs(area - 0.5) <= 4 * area_error, name


QUICK = [
    ("labels_alone", "recipe", 4, 80),
    ("plain", "recipe", 4, 40),
    ("quarters", "release", 8, 40),
]
SLOW = [
    *(("labels_alone", "recipe", models, 80, 1) for models in (8, 16)),
    *((world, "recipe", 4, 50, 2) for world in ("heavy_tails", "class_shocks", "grouped", "neighbours")),
    ("plain", "recipe", 8, 32, 2),
    ("plain", "recipe", 16, 24, 3),
]  # fmt: skip
"""Runs enough to see bounds that err in a quarter of the audits: with a probability of 0.91 of 50, of 0.99 of 80.

Every second or third attack runs, from another one on in each world: all of them run in several, and together in the
quick ones. The fewer share the error, the more there is to see.
"""


@pytest.mark.parametrize(("world", "kind", "models", "runs"), QUICK)
def test_null_worlds(benchmark, world, kind, models, runs):
    check(benchmark, benchmark.audits(getattr(benchmark, world), benchmark.Design(kind, models), runs))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "world", "kind", "models", "runs", "every"), [(n, *row) for n, row in enumerate(SLOW)]
)
def test_null_worlds_at_length(benchmark, place, world, kind, models, runs, every):
    attacks = benchmark.FAST_ATTACKS[place % every :: every]
    check(benchmark, benchmark.audits(getattr(benchmark, world), benchmark.Design(kind, models, attacks=attacks), runs))


@pytest.mark.slow
def test_null_worlds_with_the_classifier_too(benchmark):
    attacks = ("gap", "loss", "shokri", "rmia_online", "combined")
    check(benchmark, benchmark.audits(benchmark.plain, benchmark.Design("recipe", 4, attacks=attacks), 40))


def test_what_is_chosen_on_the_records_that_it_is_judged_on_is_seen_to_fail(benchmark):
    """The best of many attacks, taken afterwards, is above chance where nothing leaks; the selected one is not."""
    results = benchmark.audits(benchmark.plain, benchmark.Design("release", 4), 80)
    check(benchmark, results)
    best, error = benchmark.mean_with_error([result.attacks[0].advantage.estimate for result in results])
    assert best > 4 * error
    selected, error = benchmark.mean_with_error([result.advantage.estimate for result in results])
    assert abs(selected) < 3 * error


def test_groups_that_are_counted_as_single_records_are_seen_to_fail(benchmark):
    """Two of five audits or so would call a leak where nothing leaks; this is why counts have a share."""
    results = benchmark.audits(benchmark.grouped, benchmark.Design("release", 4), 80)
    check(benchmark, results)
    levels = error_budget.levels(0.95, attacks=1)
    alone = [
        error_budget.selected_interval(dataclasses.replace(result.selected, share=1.0), levels) for result in results
    ]
    assert results[0].selected.share == pytest.approx(1 / benchmark.GROUP)
    assert np.mean([interval.low > 0 for interval in alone]) > 3 * ALPHA


ONE_OF_EACH = ("loss", "loss_per_class", "lira_online", "rmia_online", "base_online", "mast", "nig_t", "attack_r")


class TestKnownLeak:
    @pytest.mark.parametrize("models", [8, 16])
    def test_bounds_hold_where_no_attack_can_do_better(self, benchmark, models):
        """Right on 0.8 of the members and on 0.6 of the others: the gap is 0.2."""
        results = benchmark.audits(benchmark.luckier_members, benchmark.Design("recipe", models, attacks=("gap",)), 150)
        assert at_most(np.mean([result.advantage.low > 0.2 for result in results]), results)
        assert at_most(benchmark.share_of_misses(results, 0.2), results)
        mean, error = benchmark.mean_with_error([result.advantage.estimate for result in results])
        assert mean == pytest.approx(0.2, abs=4 * error)

    def test_a_release_s_bounds_hold(self, benchmark):
        results = benchmark.audits(benchmark.luckier_members, benchmark.Design("release", 4, attacks=("gap",)), 200)
        assert at_most(np.mean([result.advantage.low > 0.2 for result in results]), results)
        assert at_most(benchmark.share_of_misses(results, 0.2), results)

    def test_more_attacks_find_no_more_than_there_is(self, benchmark):
        results = benchmark.audits(benchmark.luckier_members, benchmark.Design("recipe", 8), 150)
        assert at_most(benchmark.share_of_leaks(results, 0.2), results)

    @pytest.mark.slow
    @pytest.mark.parametrize(("models", "runs"), [(4, 80), (8, 50)])
    def test_bounds_of_a_selected_attack_hold_around_its_mean(self, benchmark, models, runs):
        results = benchmark.audits(benchmark.leaking, benchmark.Design("recipe", models, attacks=ONE_OF_EACH), runs)
        truth, _ = benchmark.mean_with_error([result.advantage.estimate for result in results])
        assert truth > 0.1
        assert at_most(np.mean([result.advantage.low > truth for result in results]), results)
        assert at_most(benchmark.share_of_misses(results, truth), results)
