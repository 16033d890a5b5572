"""How many records decide: the power that the intervals have, and the sizes and leaks that it is enough for."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit

from pytest_mia.core.types import FloatArray
from pytest_mia.statistics.counts import Counts
from pytest_mia.statistics.intervals import independent_share, mover_bounds, mover_margin

MOST_RECORDS = 10**12
"""Where the search for a sample size ends; it stands for "no dataset is large enough"."""

EXPECTED_FALSE_POSITIVES = 10
"""False positives to expect before the TPR at a false-positive rate counts as measured."""

DETECTABLE_STEP = 1e-4
"""How exactly a detectable advantage is found."""

_QUANTILES = (np.arange(64) + 0.5) / 64


def records_to_pass(
    threshold: float, *, targets: int, alpha: float, advantage: float = 0.0, fpr: float = 0.5, power: float = 0.8
) -> int:
    """Records that a dataset needs for a model with a small `advantage` to pass.

    Normal approximation with the margins of `advantage_bounds`: within 2% of exact enumeration over one target at
    `fpr` 0.5, within 15% at 0.01.

    Parameters
    ----------
    threshold
        Limit of the advantage.
    targets
        Target models; each is judged on half of the records as members and on the other half as non-members.
    alpha
        Error of the upper bound.
    advantage
        The true one.
    fpr
        The attack's false-positive rate, moved where TPR would leave [0, 1]. A half is the worst case.
    power
        Probability to pass, below 1.

    Returns
    -------
    int
        Members and non-members together, at most `MOST_RECORDS`.

    Raises
    ------
    ValueError
        When `advantage` is not below `threshold`.
    """
    if advantage >= threshold:
        raise ValueError(f"a model with advantage {advantage} can't pass at {threshold} with any number of records")
    tpr, fpr = _rates(advantage, fpr)
    return _least(targets, lambda n: _power(threshold - advantage, fpr, tpr, n, targets=targets, alpha=alpha) >= power)


def records_to_leak(
    threshold: float, *, targets: int, alpha: float, advantage: float, fpr: float = 0.5, power: float = 0.8
) -> int:
    """Records that a dataset needs for a model with a large `advantage` to be called a leak.

    Parameters
    ----------
    threshold, targets, fpr, power
        As for `records_to_pass`.
    alpha
        Error of the lower bound.
    advantage
        The true one.

    Returns
    -------
    int
        Members and non-members together, at most `MOST_RECORDS`.

    Raises
    ------
    ValueError
        When `advantage` is not above `threshold`.
    """
    if advantage <= threshold:
        raise ValueError(f"a model with advantage {advantage} can't leak at {threshold} with any number of records")
    tpr, fpr = _rates(advantage, fpr)
    return _least(targets, lambda n: _power(advantage - threshold, tpr, fpr, n, targets=targets, alpha=alpha) >= power)


def detectable_advantage(counts: Counts, *, threshold: float, alpha: float, power: float = 0.8) -> float | None:
    """The smallest true advantage whose lower bound exceeds the threshold with this probability, by these guesses.

    Parameters
    ----------
    counts
        Guesses per target, of which only the records count: TPR and FPR are taken where they vary most.
    threshold
        Limit of the advantage; 0 asks what can be seen at all.
    alpha
        Error of the lower bound.
    power
        Probability to exceed the threshold, below 1.

    Returns
    -------
    float or None
        Above `threshold` and at most 1; ``None`` when even a perfect attack would not do.
    """
    sides = [pair for pair in zip(counts.members, counts.nonmembers, strict=True) if min(pair)]
    size = counts.share * min((sum(side) for side in zip(*sides, strict=True)), default=0)

    def enough(advantage: float) -> bool:
        tpr, fpr = _rates(advantage, (1 - advantage) / 2)
        return size > 0 and _power(advantage - threshold, tpr, fpr, size, targets=len(sides), alpha=alpha) >= power

    low, high = threshold, 1.0
    if not enough(high):
        return None
    while high - low > DETECTABLE_STEP:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@functools.lru_cache(maxsize=16)
def least_records(threshold: float, *, targets: int, alpha: float) -> int:
    """The smallest dataset at which any verdict can be reached: by a perfect attack, or by a constant model.

    Parameters
    ----------
    threshold
        Limit of the advantage.
    targets
        Target models, each judged on all records.
    alpha
        Error of each bound.

    Returns
    -------
    int
        Members and non-members together, at most `MOST_RECORDS`.
    """

    def leaks(n: int) -> bool:
        side = independent_share(targets) * n
        return mover_bounds(side, side, 0, side, alpha_low=alpha, alpha_high=alpha)[0] > threshold

    return min(least_records_to_pass(threshold, targets=targets, alpha=alpha), _least(targets, leaks))


@functools.lru_cache(maxsize=16)
def least_records_to_pass(threshold: float, *, targets: int, alpha: float) -> int:
    """The smallest dataset at which a constant model, from which nothing can be told, passes.

    Parameters
    ----------
    threshold, targets, alpha
        As for `least_records`.

    Returns
    -------
    int
        Members and non-members together, at most `MOST_RECORDS`.
    """

    def passes(n: int) -> bool:
        side = independent_share(targets) * n
        return mover_bounds(0, side, 0, side, alpha_low=alpha, alpha_high=alpha)[1] < threshold

    return _least(targets, passes)


def _rates(advantage: float, fpr: float) -> tuple[float, float]:
    """TPR and FPR, with the FPR moved as little as keeps both within [0, 1]."""
    fpr = min(max(fpr, -advantage), 1 - advantage)
    return min(1.0, max(0.0, fpr + advantage)), fpr


def _least(targets: int, enough: Callable[[int], bool]) -> int:
    """Records of the smallest dataset whose records per side, pooled over the targets, are enough."""
    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_RECORDS:
            return MOST_RECORDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(2, math.ceil(2 * high / targets))


def _power(gap: float, first: float, second: float, size: float, *, targets: int, alpha: float) -> float:
    """Probability that the lower bound of (rate `first` - rate `second`) falls less than `gap` below its true value.

    Student's margin varies with the spread that the targets happen to show, so the probability is a mean over it.
    """
    error = math.sqrt((first * (1 - first) + second * (1 - second)) / size)
    spread = error * _student_factors(targets, alpha)
    size, error = size * independent_share(targets), error / math.sqrt(independent_share(targets))
    margins = np.maximum(mover_margin((first * size, size), (second * size, size), alpha), spread)
    return float(ndtr((gap - margins) / max(error, 1e-300)).mean())


@functools.lru_cache(maxsize=16)
def _student_factors(targets: int, alpha: float) -> FloatArray:
    """Quantiles of Student's margin over the targets, in units of the true standard error."""
    freedom = targets - 1
    if freedom == 0:
        return np.zeros(1)
    spread = np.sqrt(2 * gammaincinv(freedom / 2, _QUANTILES) / freedom)
    return np.asarray(stdtrit(freedom, 1 - alpha) * spread)


def measurable(fpr: float, nonmembers: int) -> bool:
    """Whether `nonmembers` are enough to speak of the TPR at this false-positive rate."""
    return nonmembers >= EXPECTED_FALSE_POSITIVES / fpr
