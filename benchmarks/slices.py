"""How often parts of the records are accused or cleared wrongly, and how many that leak are found.

Run `python benchmarks/slices.py` to print the table of benchmarks/README.md; it takes about three minutes. Guesses are
drawn as in `bounds.py`, where two targets agree by chance as often as targets do that attack each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bounds import counted_twice

from pytest_mia.results.values import SliceResult
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Counts, Interval
from pytest_mia.verdicts import subgroups

LIMIT, FPR, TARGETS, ATTACKS, RUNS = 0.05, 0.3, 8, 20, 500
LEAK = 0.15
PARTS, SIDES = (2, 10), (75, 250)


def drawn(advantages: Sequence[float], side: int, rng: np.random.Generator) -> list[list[SliceResult]]:
    """The parts of each run, one for each true advantage, with so many members, and as many others, per target."""
    flagged = [
        [counted_twice(rng, mean, side, (RUNS, TARGETS)).tolist() for mean in (FPR + advantage, FPR)]
        for advantage in advantages
    ]
    everyone, nothing = (side,) * TARGETS, Interval(0.0, -1.0, 1.0, 0.95)
    return [
        [
            SliceResult(
                "part", str(place), 2 * side, Counts(tuple(ours[run]), everyone, tuple(theirs[run]), everyone), nothing
            )
            for place, (ours, theirs) in enumerate(flagged)
        ]
        for run in range(RUNS)
    ]


def judged(found: Sequence[SliceResult]) -> list[str | None]:
    """The verdict on each part, as the gate reaches it."""
    levels = error_budget.levels(0.95, attacks=ATTACKS, parts=True)
    intervals = error_budget.parts_intervals([part.counts for part in found], LIMIT, levels)
    return [subgroups.judge(part, interval, LIMIT).verdict for part, interval in zip(found, intervals, strict=True)]


def main() -> None:
    """Print one row per number of parts and of records."""
    print(
        "| parts | records in each | any accused wrongly | the one at the limit passes | one leaks, found | all leak |"
    )
    print("|---|---|---|---|---|---|")
    for number in PARTS:
        for side in SIDES:
            rng = np.random.default_rng([number, side])
            worlds = {
                "at the limit": [LIMIT] * number,
                "one at the limit": [LIMIT] + [0.0] * (number - 1),
                "one leaks": [LEAK] + [0.0] * (number - 1),
                "all leak": [LEAK] * number,
            }
            verdicts = {name: [judged(run) for run in drawn(world, side, rng)] for name, world in worlds.items()}
            shares = (
                np.mean(["leak" in run for run in verdicts["at the limit"]]),
                np.mean([run[0] == "pass" for run in verdicts["one at the limit"]]),
                np.mean([run[0] == "leak" for run in verdicts["one leaks"]]),
                np.mean([each == "leak" for run in verdicts["all leak"] for each in run]),
            )
            print(f"| {number} | {2 * side} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
