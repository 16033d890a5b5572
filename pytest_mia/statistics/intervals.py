"""Intervals of rates and of the advantage.

Every bound is one-sided and errs with probability `alpha`. TPR and FPR are the shares of members and of non-members
that are flagged, which means that the attack said "member"; the advantage is TPR - FPR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, stdtrit

from pytest_mia.core.types import FloatArray
from pytest_mia.statistics.counts import Counts

COUNTED_TWICE = 2
"""By how much the variance of a mean over several targets can exceed that of as many independent guesses.

Targets in rotation attack each other. What the attack on target s takes for a signal of t's memberships, the attack on
t takes for one of s's: the chance agreement of each pair of targets enters the mean twice. Without a leak the variance
is then up to twice the binomial one, for any number of targets, and the spread between targets doesn't show it.
"""


def clopper_pearson(flagged: npt.ArrayLike, total: npt.ArrayLike, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Exact bounds of a proportion (Clopper and Pearson 1934).

    Parameters
    ----------
    flagged, total
        Successes and trials, arrays of one shape. Planning a sample size asks for fractions of a success.
    alpha
        Error of each bound, above 0 and at most 0.5.

    Returns
    -------
    tuple of arrays
        Lower and upper bounds; 0 and 1 where there were no trials.

    Raises
    ------
    ValueError
        When successes are not from 0 to the trials, or `alpha` is out of range.
    """
    if not 0 < alpha <= 0.5:
        raise ValueError(f"alpha must be above 0 and at most 0.5, got {alpha}")
    x, n = np.asarray(flagged, dtype=float), np.asarray(total, dtype=float)
    if not np.all((x >= 0) & (x <= n)):
        raise ValueError(f"flagged must be from 0 to total, got {x} of {n}")
    none, every = x == 0, x == n
    low = betaincinv(np.where(none, 1, x), np.where(none, 1, n - x + 1), alpha)
    high = betaincinv(np.where(every, 1, x + 1), np.where(every, 1, n - x), 1 - alpha)
    return np.where(none, 0.0, low), np.where(every, 1.0, high)


def mover_bounds(
    flagged_members: float,
    members: float,
    flagged_nonmembers: float,
    nonmembers: float,
    *,
    alpha_low: float,
    alpha_high: float,
) -> tuple[float, float]:
    """Bounds of the advantage over one target: MOVER with Clopper-Pearson margins.

    Source: the "method of variance estimates recovery" of Zou and Donner (2008), with exact margins in the place of
    Wilson's, because those cover as little as 0.90 where 0.95 is stated.

    Parameters
    ----------
    flagged_members, members, flagged_nonmembers, nonmembers
        Flagged records and all records of both sides.
    alpha_low, alpha_high
        Error of the lower and of the upper bound.

    Returns
    -------
    tuple of float
        Lower and upper bound; (-1, 1) when a side is empty.

    Raises
    ------
    ValueError
        As `clopper_pearson`.
    """
    if not members or not nonmembers:
        return -1.0, 1.0
    ours, theirs = (flagged_members, members), (flagged_nonmembers, nonmembers)
    advantage = flagged_members / members - flagged_nonmembers / nonmembers
    low, high = advantage - mover_margin(ours, theirs, alpha_low), advantage + mover_margin(theirs, ours, alpha_high)
    return max(-1.0, low), min(1.0, high)


def mover_margin(first: tuple[float, float], second: tuple[float, float], alpha: float) -> float:
    """How far (rate of `first` - rate of `second`) may lie below its estimate; each is (flagged, total)."""
    flagged, total = np.transpose([first, second])
    low, high = clopper_pearson(flagged, total, alpha)
    rates = flagged / total
    return math.hypot(rates[0] - low[0], high[1] - rates[1])


def advantage_bounds(counts: Counts, *, alpha_low: float, alpha_high: float) -> tuple[float, float, float]:
    """The mean advantage over all targets, with bounds.

    Each margin is the wider of two: Student's over the targets, which sees that targets differ, and that of
    `mover_bounds` on half of the pooled counts, which sees how few records there are (why half: `COUNTED_TWICE`). For
    one target it is `mover_bounds`. Where records come in groups, only the share of them that counts as independent is
    pooled. A target without members or without non-members has no advantage and is left out.

    Parameters
    ----------
    counts
        Guesses per target.
    alpha_low, alpha_high
        Error of the lower and of the upper bound.

    Returns
    -------
    tuple of float
        Estimate, lower and upper bound; (0, -1, 1) when no target is left.

    Raises
    ------
    ValueError
        As `clopper_pearson`.
    """
    sides = np.array(
        [counts.flagged_members, counts.members, counts.flagged_nonmembers, counts.nonmembers], dtype=float
    )
    tp, members, fp, nonmembers = sides[:, (sides[1] > 0) & (sides[3] > 0)]
    if not members.size:
        return 0.0, -1.0, 1.0
    advantages = tp / members - fp / nonmembers
    weight = independent_share(members.size) * counts.share
    ours, theirs = (weight * tp.sum(), weight * members.sum()), (weight * fp.sum(), weight * nonmembers.sum())
    below = max(float(_student_margin(advantages, alpha_low)), mover_margin(ours, theirs, alpha_low))
    above = max(float(_student_margin(advantages, alpha_high)), mover_margin(theirs, ours, alpha_high))
    estimate = float(advantages.mean())
    return estimate, max(-1.0, estimate - below), min(1.0, estimate + above)


def difference_bounds(
    before: tuple[float, float, float], after: tuple[float, float, float]
) -> tuple[float, float, float]:
    """The difference of two independent estimates, with bounds: MOVER, the squares of both margins added.

    Source: Zou and Donner (2008); Newcombe (1998) for proportions. A bound errs as often as those that it is made of.

    Parameters
    ----------
    before, after
        Estimate, lower and upper bound of each.

    Returns
    -------
    tuple of float
        `after` - `before`, its lower and its upper bound.
    """
    (old, old_low, old_high), (new, new_low, new_high) = before, after
    difference = new - old
    return (
        difference,
        difference - math.hypot(new - new_low, old_high - old),
        difference + math.hypot(new_high - new, old - old_low),
    )


def rate_bounds(
    flagged: Sequence[float], total: Sequence[int], *, alpha: float, share: float = 1.0
) -> tuple[float, float, float]:
    """The mean of a rate over all targets, with bounds.

    Each margin is the wider of Student's over the targets and that of `clopper_pearson` on the pooled counts, halved as
    in `advantage_bounds`. Targets without records are left out.

    Parameters
    ----------
    flagged, total
        Flagged records and all records, per target.
    alpha
        Error of each bound.
    share
        Share of the guesses that counts as independent, as in `Counts`.

    Returns
    -------
    tuple of float
        Estimate, lower and upper bound; (0, 0, 1) when there are no records at all.

    Raises
    ------
    ValueError
        As `clopper_pearson`.
    """
    estimates, lows, highs = rates_bounds(np.array(flagged, dtype=float)[:, None], total, alpha=alpha, share=share)
    return float(estimates[0]), float(lows[0]), float(highs[0])


def rates_bounds(
    flagged: FloatArray, total: Sequence[int], *, alpha: float, share: float = 1.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The means of a rate over all targets at several thresholds; each bound holds by itself, not all together.

    Parameters
    ----------
    flagged : (targets, thresholds)
        Flagged records; where a threshold splits a tie, the share of it that is expected.
    total, alpha, share
        As for `rate_bounds`.

    Returns
    -------
    tuple of arrays (thresholds,)
        Estimates, lower and upper bounds.

    Raises
    ------
    ValueError
        As `clopper_pearson`.
    """
    records = np.asarray(total, dtype=float)
    x, n = flagged[records > 0], records[records > 0]
    if not n.size:
        return np.zeros(flagged.shape[1]), np.zeros(flagged.shape[1]), np.ones(flagged.shape[1])
    rates, everything = x / n[:, None], np.full(flagged.shape[1], n.sum())
    weight, pooled = independent_share(n.size) * share, x.sum(axis=0) / everything
    low, high = clopper_pearson(weight * x.sum(axis=0), weight * everything, alpha)
    spread, estimates = _student_margin(rates, alpha), rates.mean(axis=0)
    below, above = np.maximum(spread, pooled - low), np.maximum(spread, high - pooled)
    return estimates, np.maximum(0.0, estimates - below), np.minimum(1.0, estimates + above)


def independent_share(targets: int) -> float:
    """The share of the guesses on so many targets that counts as independent."""
    return 1.0 if targets == 1 else 1 / COUNTED_TWICE


def _student_margin(values: FloatArray, alpha: float) -> FloatArray:
    """Margin of the mean of one value per target (targets, ...); 0 for a single target, which shows no spread."""
    targets = len(values)
    if targets == 1:
        return np.zeros(values.shape[1:])
    return np.asarray(stdtrit(targets - 1, 1 - alpha) * values.std(axis=0, ddof=1) / math.sqrt(targets))
