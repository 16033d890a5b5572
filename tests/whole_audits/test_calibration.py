"""Verdicts are wrong as rarely as stated: a part of benchmarks/calibration.py, which shows it at length."""

import dataclasses

import pytest
from scipy import stats

from pytest_mia.core.settings import Settings

RUNS, ALPHA = 150, 0.05
MOST = stats.binom.ppf(0.999, RUNS, ALPHA) / RUNS
"""A share that errors with this probability exceed once in a thousand times."""

LEAKS = [
    ("leak", "recipe", 4, 60),
    ("leak", "release", 8, 500),
    ("imbalance 9 to 1, leak", "release", 8, 200),
    ("correlated models, leak", "recipe", 8, 200),
    ("one member to four others", "release", 8, 500),
    ("models leak 0.1 to 0.3", "recipe", 8, 500),
    ("stops early, leak", "recipe", 16, 200),
]


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("calibration")


def row(benchmark, name, kind=None, models=None, records=None):
    found = (each for each in benchmark.rows() if each.name == name)
    sized = (models, records)
    return next(r for r in found if not kind or (r.design.kind, r.design.models, r.design.records) == (kind, *sized))


@pytest.mark.parametrize(("name", "kind", "models", "records"), LEAKS)
def test_at_the_limit_neither_verdict_is_said_too_often(benchmark, name, kind, models, records):
    truth, _, shares = benchmark.rates(row(benchmark, name, kind, models, records), RUNS)
    assert truth == benchmark.ADVANTAGE
    assert shares["leak at"] <= MOST
    assert shares["pass at"] <= MOST
    assert shares["pass below"] <= MOST / 2, "the limit is half of the truth"


@pytest.mark.slow
def test_who_looks_several_times_sees_no_more_leaks_where_there_are_none(benchmark):
    """Of two attacks, which take a third of the time of four."""
    given = row(benchmark, "stops early")
    few = dataclasses.replace(given, design=given.design._replace(attacks=("gap", "loss")))
    _, _, shares = benchmark.rates(few, RUNS)
    assert shares["leak at"] <= MOST


def test_bounds_that_are_too_narrow_are_seen(benchmark):
    """Were bounds made at 60% confidence, this simulation would show it."""
    narrow = dataclasses.replace(row(benchmark, "leak", "release", 8, 500), settings=Settings(confidence=0.6))
    _, _, shares = benchmark.rates(narrow, RUNS)
    assert min(shares["leak at"], shares["pass at"]) > MOST
