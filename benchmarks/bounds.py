"""How often the bounds of the advantage hold: simulated guesses whose true advantage is known.

Run `python benchmarks/bounds.py` to print the table of benchmarks/README.md; it takes about two minutes.

In each world members are flagged with probability `fpr + advantage` and non-members with probability `fpr`, and
targets stand to each other in one of three ways: they are `alike`; they `differ` from each other, with a design effect
of 2.4, about the largest that real models showed; or they attack each other, and what two of them agree in by chance is
`counted_twice`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from pytest_mia.statistics import advantage_bounds
from pytest_mia.statistics.counts import Counts

ALPHA = 0.05
RUNS = 4000
TARGETS = (1, 3, 4, 8, 17, 33, 65)
SIDES = ((20, 20), (100, 100), (500, 100), (2000, 2000))
DESIGN_EFFECT = 2.4


class World(NamedTuple):
    """What is true of an attack."""

    fpr: float
    advantage: float


WORLDS = (World(0.5, 0), World(0.05, 0), World(0.5, 0.1), World(0.05, 0.1), World(0.3, 0.6))


Way = Callable[[np.random.Generator, float, int, tuple[int, int]], np.ndarray]
"""Draws flagged records (runs, targets) from a generator, the probability to be flagged, and the number of records."""


def alike(rng: np.random.Generator, mean: float, records: int, shape: tuple[int, int]) -> np.ndarray:
    """The same probability for all targets, each guess on its own."""
    return rng.binomial(records, mean, shape)


def differ(rng: np.random.Generator, mean: float, records: int, shape: tuple[int, int]) -> np.ndarray:
    """Probabilities that vary between targets by a beta law, so that variances are `DESIGN_EFFECT` times as large."""
    concentration = (records - 1) / (DESIGN_EFFECT - 1) - 1
    return rng.binomial(records, rng.beta(mean * concentration, (1 - mean) * concentration, size=shape))


def counted_twice(rng: np.random.Generator, mean: float, records: int, shape: tuple[int, int]) -> np.ndarray:
    """Counts that owe an equal share to each other target, and the same share to either of two.

    Counts of targets that are such sums correlate by 1 / (targets - 1). Each by itself is binomial as with `alike`, but
    the variance of their mean is twice as large.
    """
    runs, targets = shape
    shared = 1 / (targets - 1) if targets > 1 else 0.0
    normal = math.sqrt(1 - shared) * rng.normal(size=shape) + math.sqrt(shared) * rng.normal(size=(runs, 1))
    return np.searchsorted(stats.binom.cdf(np.arange(records), records, mean), stats.norm.cdf(normal))


WAYS: tuple[Way, ...] = (alike, differ, counted_twice)


def coverage(
    world: World, way: Way, *, targets: int, sides: tuple[int, int], runs: int, seed: int = 0
) -> tuple[float, float]:
    """Shares of the runs in which the lower and the upper bound hold."""
    rng = np.random.default_rng([seed, targets, *sides])
    flagged = [
        way(rng, mean, records, (runs, targets)).tolist()
        for mean, records in zip((world.fpr + world.advantage, world.fpr), sides, strict=True)
    ]
    totals = [(records,) * targets for records in sides]
    held = [0, 0]
    for ours, theirs in zip(*flagged, strict=True):
        counts = Counts(tuple(ours), totals[0], tuple(theirs), totals[1])
        _, low, high = advantage_bounds(counts, alpha_low=ALPHA, alpha_high=ALPHA)
        held[0] += low <= world.advantage + 1e-12
        held[1] += high >= world.advantage - 1e-12
    return held[0] / runs, held[1] / runs


def worst(way: Way, *, targets: int, sides: tuple[int, int], runs: int) -> tuple[float, float]:
    """The smallest coverage over the worlds, of the lower and of the upper bound."""
    found = [coverage(world, way, targets=targets, sides=sides, runs=runs) for world in WORLDS]
    return min(low for low, _ in found), min(high for _, high in found)


def main() -> None:
    """Print one row per number of targets and records."""
    heads = [f"{way.__name__}, {bound}" for way in WAYS for bound in ("low", "high")]
    print(f"| targets | members, non-members | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    for targets in TARGETS:
        for sides in SIDES:
            shares = [share for way in WAYS for share in worst(way, targets=targets, sides=sides, runs=RUNS)]
            cells = " | ".join(f"{share:.3f}" for share in shares)
            print(f"| {targets} | {sides[0]}, {sides[1]} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
