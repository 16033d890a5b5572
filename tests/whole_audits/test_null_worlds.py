"""False leaks are as rare as stated, and bounds hold: a part of benchmarks/null_worlds.py, which shows it at length."""

import dataclasses
import functools

import pytest
from sequential import Error, rare, until_plain

from pytest_mia import gates
from pytest_mia.statistics import error_budget

MANY, SOME = 0.25, 0.15
"""Shares of audits that would err too often."""


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    """Audits that several tests look at are made once."""
    loaded = load_benchmark("null_worlds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded, "audit", functools.cache(loaded.audit))
        yield loaded


def audited(benchmark, world, design, errors, seen):
    """Audits of a world, as many as show that none of these errors is frequent."""
    results, found = until_plain(
        lambda seed: benchmark.audit(getattr(benchmark, world), design, seed),
        {name: Error(errs, seen) for name, errs in errors.items()},
    )
    assert all(found.values()), (world, design, found)
    return results


def null_errors(benchmark):
    """What an audit may call a leak where there is none, and an upper bound that is too low."""
    return {
        "leaks": lambda result: benchmark.leaks(result, 0.0),
        "misses": lambda result: result.advantage.high < 0,
        "epsilons": lambda result: gates.epsilon(result, 1.0).judged.low > 0,
    }


def check_means(benchmark, results, world):
    """Neither advantages nor areas are off by more than four standard errors."""
    advantage, error = benchmark.mean_with_error([result.advantage.estimate for result in results])
    assert abs(advantage) <= 4 * error, world
    areas = {}
    for result in results:
        for attack in result.attacks:
            areas.setdefault(attack.name, []).append(attack.auc)
    for name, found in areas.items():
        area, area_error = benchmark.mean_with_error(found)
        assert abs(area - 0.5) <= 4 * area_error, (world, name)


def checked(benchmark, world, design):
    """Audits of a null world; one in which bounds err in a quarter fails here with a probability of 0.99."""
    results = audited(benchmark, world, design, null_errors(benchmark), MANY)
    check_means(benchmark, results, world)
    return results


QUICK = [("labels_alone", "recipe", 4), ("plain", "recipe", 4), ("quarters", "release", 8)]
SLOW = [
    *(("labels_alone", "recipe", models, 1) for models in (8, 16)),
    *((world, "recipe", 4, 2) for world in ("heavy_tails", "class_shocks", "grouped", "neighbours")),
    ("plain", "recipe", 8, 2),
    ("plain", "recipe", 16, 3),
]  # fmt: skip
"""Every second or third attack runs, from another one on in each world: all of them run in several, and together in the
quick ones. The fewer share the error, the more there is to see.
"""


@pytest.mark.parametrize(("world", "kind", "models"), QUICK)
def test_null_worlds(benchmark, world, kind, models):
    checked(benchmark, world, benchmark.Design(kind, models))


@pytest.mark.slow
def test_null_worlds_at_length(benchmark):
    """Together they see what errs a little: bounds in a tenth of the audits, an attack's area by a hundredth."""
    results = []
    for place, (world, kind, models, every) in enumerate(SLOW):
        attacks = benchmark.FAST_ATTACKS[place % every :: every]
        results += checked(benchmark, world, benchmark.Design(kind, models, attacks=attacks))
    for name, errs in null_errors(benchmark).items():
        assert rare([errs(result) for result in results], 0.1), name
    check_means(benchmark, results, "all")


@pytest.mark.slow
def test_null_worlds_with_the_classifier_too(benchmark):
    attacks = ("gap", "loss", "shokri", "rmia_online", "combined")
    checked(benchmark, "plain", benchmark.Design("recipe", 4, attacks=attacks))


def test_what_is_chosen_on_the_records_that_it_is_judged_on_is_seen_to_fail(benchmark):
    """The best of many attacks, taken afterwards, is above chance where nothing leaks; the selected one is not."""
    results = checked(benchmark, "plain", benchmark.Design("release", 4))
    best, error = benchmark.mean_with_error([result.attacks[0].advantage.estimate for result in results])
    assert best > 4 * error
    selected, error = benchmark.mean_with_error([result.advantage.estimate for result in results])
    assert abs(selected) < 3 * error


def test_groups_that_are_counted_as_single_records_are_seen_to_fail(benchmark):
    """Two of five audits or so would call a leak where nothing leaks; this is why counts have a share."""
    design, levels = benchmark.Design("release", 4), error_budget.levels(0.95, attacks=1)

    def leaks_alone(result):
        return error_budget.selected_interval(dataclasses.replace(result.selected, share=1.0), levels).low > 0

    errors = null_errors(benchmark) | {"records alone": leaks_alone}
    kinds = {name: Error(errs, MANY) for name, errs in errors.items()}
    results, found = until_plain(lambda seed: benchmark.audit(benchmark.grouped, design, seed), kinds)
    assert [name for name, each in found.items() if not each] == ["records alone"]
    assert results[0].selected.share == pytest.approx(1 / benchmark.GROUP)
    check_means(benchmark, results, "grouped")


ONE_OF_EACH = ("loss", "loss_per_class", "lira_online", "rmia_online", "base_online", "mast", "nig_t", "attack_r")


def errors_at(truth):
    """Bounds on the wrong side of the truth."""
    return {
        "leaks": lambda result: result.advantage.low > truth,
        "misses": lambda result: result.advantage.high < truth,
    }


class TestKnownLeak:
    """Right on 0.8 of the members and on 0.6 of the others: the gap is 0.2, and no attack can do better."""

    @pytest.mark.parametrize(("kind", "models"), [("recipe", 8), ("recipe", 16), ("release", 4)])
    def test_bounds_hold_where_no_attack_can_do_better(self, benchmark, kind, models):
        design = benchmark.Design(kind, models, attacks=("gap",))
        results = audited(benchmark, "luckier_members", design, errors_at(0.2), SOME)
        mean, error = benchmark.mean_with_error([result.advantage.estimate for result in results])
        assert mean == pytest.approx(0.2, abs=4 * error)

    def test_more_attacks_find_no_more_than_there_is(self, benchmark):
        errors = {"leaks": lambda result: benchmark.leaks(result, 0.2)}
        audited(benchmark, "luckier_members", benchmark.Design("recipe", 8), errors, SOME)

    @pytest.mark.slow
    @pytest.mark.parametrize("models", [4, 8])
    def test_bounds_of_a_selected_attack_hold_around_its_mean(self, benchmark, models):
        results = benchmark.audits(benchmark.leaking, benchmark.Design("recipe", models, attacks=ONE_OF_EACH), 40)
        truth, _ = benchmark.mean_with_error([result.advantage.estimate for result in results])
        assert truth > 0.1
        for name, errs in errors_at(truth).items():
            assert rare([errs(result) for result in results], MANY), name
