"""How often the bounds of the advantage hold: simulated guesses whose true advantage is known.

Run `python benchmarks/coverage.py` to print the table of benchmarks/README.md; it takes about two minutes.

In each world members are flagged with probability `fpr + advantage` and non-members with probability `fpr`. With a
design effect of 1 these are the same for all targets. With 2.4 (about the largest that real models showed) they vary
from target to target, by a beta law with those means, so that the variance of a rate is 2.4 times the binomial's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pytest_mia.results import Counts
from pytest_mia.statistics import advantage_bounds

ALPHA = 0.05
RUNS = 4000
TARGETS = (1, 3, 4, 8, 17, 33, 65)
SIDES = ((20, 20), (100, 100), (500, 100), (2000, 2000))
DESIGN_EFFECTS = (1.0, 2.4)


class World(NamedTuple):
    """What is true of an attack."""

    fpr: float
    advantage: float


WORLDS = (World(0.5, 0), World(0.05, 0), World(0.5, 0.1), World(0.05, 0.1), World(0.3, 0.6))


def rates(rng: np.random.Generator, mean: float, records: int, shape: tuple[int, int], effect: float) -> np.ndarray:
    """One flagging probability per run and target."""
    if effect == 1:
        return np.full(shape, mean)
    concentration = (records - 1) / (effect - 1) - 1
    return rng.beta(mean * concentration, (1 - mean) * concentration, size=shape)


def coverage(
    world: World, *, targets: int, sides: tuple[int, int], effect: float, runs: int, seed: int = 0
) -> tuple[float, float]:
    """Shares of the runs in which the lower and the upper bound hold."""
    rng = np.random.default_rng([seed, targets, *sides, round(10 * effect)])
    flagged = [
        rng.binomial(records, rates(rng, mean, records, (runs, targets), effect)).tolist()
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


def worst(*, targets: int, sides: tuple[int, int], effect: float, runs: int) -> tuple[float, float]:
    """The smallest coverage over the worlds, of the lower and of the upper bound."""
    found = [coverage(world, targets=targets, sides=sides, effect=effect, runs=runs) for world in WORLDS]
    return min(low for low, _ in found), min(high for _, high in found)


def main() -> None:
    """Print one row per number of targets and records."""
    heads = [f"effect {effect:g}, {bound}" for effect in DESIGN_EFFECTS for bound in ("low", "high")]
    print(f"| targets | members, non-members | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    for targets in TARGETS:
        for sides in SIDES:
            cells = [
                f"{share:.3f}"
                for effect in DESIGN_EFFECTS
                for share in worst(targets=targets, sides=sides, effect=effect, runs=RUNS)
            ]
            print(f"| {targets} | {sides[0]}, {sides[1]} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
