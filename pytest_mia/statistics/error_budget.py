"""How the error that an audit may make is shared among its bounds.

The rate of false leaks over all attacks together stays at 1 - confidence: most of it goes to the attack that was
selected on the shadows, the rest is divided among all attacks. Where parts of the records are judged too, they get half
of the selected attack's. A pass needs no correction, since the upper bound is that of one attack, which was selected on
other data, and all parts have to pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_mia.statistics import advantage_bounds, detectable_advantage, difference_bounds
from pytest_mia.statistics.counts import Counts, Interval

SELECTED_SHARE = 0.8


@dataclass(frozen=True)
class Levels:
    """One-sided error levels.

    Attributes
    ----------
    confidence
        What every bound holds with at least.
    high
        Level of all upper bounds.
    selected_low, other_low
        Levels of the lower bounds of the selected attack, and of each single one.
    parts_low
        Level of the lower bounds of all parts of the records together.
    """

    confidence: float
    high: float
    selected_low: float
    other_low: float
    parts_low: float = 0.0


def levels(confidence: float, *, attacks: int, looks: int = 1, parts: bool = False) -> Levels:
    """Share the error 1 - `confidence` among the lower bounds of all attacks at each look.

    Parameters
    ----------
    confidence
        What every bound holds with at least.
    attacks
        How many attacks have lower bounds.
    looks
        How often the audit is judged, at most.
    parts
        Whether parts of the records are judged too.
    """
    high, low = 1 - confidence, (1 - confidence) / looks
    main = SELECTED_SHARE * low if attacks > 1 else low
    selected, theirs = (main / 2, main / 2) if parts else (main, 0.0)
    return Levels(confidence, high, selected, (1 - SELECTED_SHARE) * low / attacks if attacks > 1 else selected, theirs)


def shared_confidence(confidence: float, parts: int) -> float:
    """The confidence that each of several results needs so that all of them hold with `confidence` (Bonferroni)."""
    return 1 - (1 - confidence) / max(parts, 1)


def selected_interval(counts: Counts, levels: Levels) -> Interval:
    """Advantage of the selected attack."""
    return _interval(counts, levels.selected_low, levels)


def other_interval(counts: Counts, levels: Levels) -> Interval:
    """Advantage of any single attack, its lower bound corrected for their number."""
    return _interval(counts, levels.other_low, levels)


def parts_intervals(parts: Sequence[Counts], limit: float, levels: Levels) -> tuple[Interval, ...]:
    """Advantage of each part of the records, its lower bound as sure as the step at which it is compared with a limit.

    Holm's procedure (1979): the error is divided by the number of parts that are not above the limit yet, so that each
    part that is found makes it easier for the others. The chance that any part is accused wrongly stays as it is.
    """
    found, waiting = dict[int, Interval](), set(range(len(parts)))
    while waiting:
        share = levels.parts_low / len(waiting)
        found |= {place: _interval(parts[place], share, levels) for place in waiting}
        above = {place for place in waiting if found[place].low > limit}
        if not above:
            break
        waiting -= above
    return tuple(found[place] for place in range(len(parts)))


def plain_interval(counts: Counts, confidence: float) -> Interval:
    """Advantage with the whole error for each bound: nothing else is judged beside it."""
    return selected_interval(counts, levels(confidence, attacks=1))


def detectable(counts: Counts, levels: Levels, *, threshold: float = 0.0) -> float | None:
    """The smallest advantage of the selected attack that is shown to be above the threshold four times in five."""
    return detectable_advantage(counts, threshold=threshold, alpha=levels.selected_low)


def change_interval(before: Counts, after: Counts, confidence: float) -> Interval:
    """The advantage `after` less that `before`, from two independent audits."""
    parts = [plain_interval(counts, confidence) for counts in (before, after)]
    first, second = ((part.estimate, part.low, part.high) for part in parts)
    return Interval(*difference_bounds(first, second), confidence)


def _interval(counts: Counts, alpha_low: float, levels: Levels) -> Interval:
    estimate, low, high = advantage_bounds(counts, alpha_low=alpha_low, alpha_high=levels.high)
    return Interval(float(estimate), float(low), float(high), levels.confidence)
