"""Verdicts are wrong as rarely as stated: a part of benchmarks/calibration.py, which shows it at length."""

import dataclasses

import pytest
from sequential import Error, until_plain

from pytest_mia.core.settings import Settings

SEEN = 0.15
"""A share of wrong verdicts that would be seen, of at most 0.05 that are allowed."""

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


def at_the_truth(benchmark, word):
    return Error(lambda looks: benchmark.verdict(looks, benchmark.ADVANTAGE) == word, SEEN)


def frequent(row, kinds):
    """Kinds of errors that audits of this row make too often."""
    _, rare = until_plain(lambda seed: list(row.audits(seed)), kinds)
    return {name for name, each in rare.items() if not each}


@pytest.mark.parametrize(("name", "kind", "models", "records"), LEAKS)
def test_at_the_limit_neither_verdict_is_said_too_often(benchmark, name, kind, models, records):
    given = row(benchmark, name, kind, models, records)
    assert given.truth == benchmark.ADVANTAGE
    half = Error(lambda looks: benchmark.verdict(looks, benchmark.ADVANTAGE / 2) == "pass", seen=0.1, allowed=0.025)
    kinds = {word: at_the_truth(benchmark, word) for word in ("leak", "pass")}
    assert frequent(given, kinds | {"pass at half of the truth": half}) == set()


@pytest.mark.slow
def test_who_looks_several_times_sees_no_more_leaks_where_there_are_none(benchmark):
    """Of two attacks, which take a third of the time of four."""
    given = row(benchmark, "stops early")
    few = dataclasses.replace(given, design=given.design._replace(attacks=("gap", "loss")))
    assert frequent(few, {"leak": Error(lambda looks: benchmark.verdict(looks, 0.0) == "leak", SEEN)}) == set()


def test_bounds_that_are_too_narrow_are_seen(benchmark):
    """Were bounds made at 60% confidence, this simulation would show it."""
    narrow = dataclasses.replace(row(benchmark, "leak", "release", 8, 500), settings=Settings(confidence=0.6))
    assert frequent(narrow, {word: at_the_truth(benchmark, word) for word in ("leak", "pass")}) == {"leak", "pass"}
