"""What scores look like: the ROC curve and the histogram of both sides, for a person's eye.

Both are drawn on the judged records themselves, so no verdict rests on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.results.values import Curve, Histogram
from pytest_mia.statistics import rates_bounds

POINTS = 100
BINS = 40
SHOWN = (0.01, 0.99)
"""Share of the scores below which the first bin begins, and above which the last one ends."""
LARGEST = 1e100
"""Where scores are cut off, so that the width of a bin stays finite."""

Judged = Sequence[tuple[FloatArray, BoolArray]]
"""Scores of the judged records of each target, and who of them is a member."""


def judged(values: FloatArray, places: IntArray, observations: Observations) -> Judged:
    """What is judged of the scores (places, records) of some targets, given by their places among all targets."""
    rows = observations.targets[places]
    return [observations.judged_of(row, int(target)) for row, target in zip(values, rows, strict=True)]


def curve(attack: str, scored: Judged, *, alpha: float, share: float) -> Curve:
    """The ROC curve, averaged over the targets at each of some false-positive rates (Fawcett 2006, section 8.1).

    The rates lie on a logarithmic grid, as fine as the non-members of one target allow. Each target has thresholds of
    its own, so that scores may differ in scale; one inside a tie flags the share of it that leads to the rate exactly.

    Parameters
    ----------
    attack
        Name of the attack.
    scored
        Its scores.
    alpha
        Error of each pointwise bound.
    share
        Share of the guesses that counts as independent, as in `pytest_mia.results.audit_data.Counts`.
    """
    complete = [(values, members) for values, members in scored if members.any() and not members.all()]
    if not complete:
        return Curve(attack, (), (), (), ())
    finest = max(int((~members).sum()) for _, members in complete)
    fpr = np.unique(np.rint(np.geomspace(1, finest, POINTS))) / finest
    flagged = np.array(
        [_flagged(np.sort(values[members]), np.sort(values[~members]), fpr) for values, members in complete]
    )
    rates = rates_bounds(flagged, [int(members.sum()) for _, members in complete], alpha=alpha, share=share)
    return Curve(attack, *(tuple(each.tolist()) for each in (fpr, *rates)))


def histogram(attack: str, scored: Judged) -> Histogram:
    """Counts of both sides in bins of equal width; the outer ones hold the few scores that lie far off.

    Parameters
    ----------
    attack
        Name of the attack.
    scored
        Its scores.
    """
    values, members = (np.concatenate(side) for side in zip(*scored, strict=True))
    values = np.clip(values, -LARGEST, LARGEST)
    inner = values[np.abs(values) < LARGEST]
    low, high = np.quantile(inner, SHOWN).tolist() if len(inner) else (0.0, 0.0)
    size = max(1.0, abs(low), abs(high))
    if high - low < 1e-9 * size:
        low, high = low - size / 2, high + size / 2
    clipped = np.clip(values, low, high)
    sides = (np.histogram(clipped[side], BINS, (low, high))[0] for side in (members, ~members))
    return Histogram(attack, low, high, *(tuple(side.tolist()) for side in sides))


def _flagged(inside: FloatArray, outside: FloatArray, fpr: FloatArray) -> FloatArray:
    """How many members are flagged where so large a share of the non-members is."""
    wanted = fpr * len(outside)
    thresholds = outside[-np.ceil(wanted - 1e-9).astype(np.intp)]
    above, level = _above(outside, thresholds)
    ours_above, ours_level = _above(inside, thresholds)
    # Rounding may ask for a little more than there are on the level.
    share = np.clip((wanted - above) / level, 0.0, 1.0)
    return np.asarray(ours_above + share * ours_level)


def _above(arranged: FloatArray, thresholds: FloatArray) -> tuple[IntArray, IntArray]:
    """How many of some arranged scores lie above each threshold, and how many on it."""
    above = len(arranged) - np.searchsorted(arranged, thresholds, side="right")
    return above, len(arranged) - np.searchsorted(arranged, thresholds, side="left") - above
