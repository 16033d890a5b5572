"""How large an epsilon must be, given guesses of independent fair coins.

A mechanism sees coins, each of which decides about one record: is it in the training data, or, where halves have a
fixed size, which of two is. An attacker guesses some of the coins, by the mechanism's outputs alone. Every bound here
limits P[at least v right of r guesses] for any attacker and any records, however much these depend on each other; only
the coins have to be fair and independent. The number of guesses is fixed beforehand.

Several targets are one mechanism, as long as no coin has a part in two of them and nothing that is used against one
depends on the coins of another: their coins and guesses are then simply added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pytest_mia.statistics import clopper_pearson
from pytest_mia.statistics.counts import CoinGuesses
from pytest_mia.statistics.tradeoff_curves import SAFETY, Approximate, Curve, Gaussian

TOLERANCE = 1e-6
"""How far a bound may lie below the value that it is searched for; it never lies above."""

LARGEST = 100.0
"""An epsilon beyond which no bound is looked for."""


NEGLIGIBLE = 40
"""Standard deviations below a binomial's mean from which on nothing is left of it, as numbers go."""


@dataclass(frozen=True)
class Bound:
    """A lower bound of epsilon, with the name of what found it."""

    epsilon: float
    name: str


def lower_bound(guesses: CoinGuesses, *, delta: float, alpha: float, gaussian: bool = False) -> Bound:
    """The largest epsilon that the guesses refute, at the given delta.

    It is the largest of what several bounds of one and the same probability give, all of which hold at once: they are
    numbers, which don't depend on the guesses, so nothing is paid for trying them all.

    Parameters
    ----------
    guesses
        How many coins, guesses and right ones.
    delta
        From 0 to 1 (excluded).
    alpha
        Error of the bound.
    gaussian
        Whether the claim is that of a Gaussian mechanism that has this epsilon at this delta. It says more than
        (epsilon, delta) by itself does, and is refuted sooner; it says nothing where `delta` is 0.

    Returns
    -------
    Bound
        At least 0, at most `TOLERANCE` too low, and never too high.
    """
    if not guesses.guessed:
        return Bound(0.0, "no guesses")
    exact = pure_bound(guesses, alpha=alpha)
    found = [Bound(exact, "Clopper-Pearson, one run") if delta == 0 else _searched(guesses, delta, alpha, exact)]
    if gaussian and delta > 0:

        def refuted(epsilon: float) -> bool:
            return curve_refuted(guesses, Gaussian.through(epsilon, delta), alpha=alpha)

        found.append(Bound(_largest(refuted, LARGEST), "f-DP of a Gaussian mechanism, one run"))
    return max(found, key=lambda bound: bound.epsilon)


def perfect(guesses: CoinGuesses) -> CoinGuesses:
    """The same coins if every one were guessed, and rightly: an audit can't show more."""
    return replace(guesses, guessed=guesses.coins, right=guesses.coins)


def pure_bound(guesses: CoinGuesses, *, alpha: float) -> float:
    """The bound at a delta of 0: the logit of Clopper and Pearson's lower bound of the share of right guesses.

    Given what was guessed, the right guesses are at most as many as Binomial(r, e^epsilon / (1 + e^epsilon)) in
    distribution (Steinke, Nasr & Jagielski 2023, the theorem for pure differential privacy). Randomised response
    attains it.

    Parameters
    ----------
    guesses, alpha
        As for `lower_bound`.
    """
    low = float(clopper_pearson(guesses.right, guesses.guessed, alpha)[0]) * (1 - SAFETY)
    epsilon = math.log(low / (1 - low)) if low > 0.5 else 0.0
    return epsilon / 2 if guesses.swapped else epsilon


def one_run_p_value(guesses: CoinGuesses, curve: Approximate) -> float:
    """The most that P[at least so many right] can be, by the main theorem of Steinke, Nasr & Jagielski (2023).

    Parameters
    ----------
    guesses
        How many coins, guesses and right ones.
    curve
        What is claimed of each coin.
    """
    # It takes as long to load as all else that a run from the cache does.
    from scipy import stats

    right, count = guesses.right, guesses.guessed
    if not right:
        return 1.0
    rate = 1 / (1 + math.exp(-curve.epsilon))
    beta = float(stats.binom.sf(right - 1, count, rate))
    least = min(right - 1, max(0, int(count * rate - NEGLIGIBLE * math.sqrt(count * rate * (1 - rate)))))
    fewer = np.cumsum(stats.binom.pmf(np.arange(right - 1, least - 1, -1), count, rate))
    share = float((fewer / np.arange(1, len(fewer) + 1)).max())
    return min(1.0, (beta + 2 * guesses.coins * curve.delta * share) * (1 + SAFETY))


def curve_refuted(guesses: CoinGuesses, curve: Curve, *, alpha: float) -> bool:
    """Whether P[at least so many right] is below `alpha` for every mechanism with this trade-off curve.

    Source: Mahloujifar, Melis & Chaudhuri (2024), "Auditing f-differential privacy in one run". Let p_i be the
    probability that i of r guesses are right. Where one coin is turned, its right guess becomes a wrong one. So by the
    curve of a coin that is taken at random among m, and since f is convex, for every i

        sum_{j > i} j p_j / m  <=  1 - f(sum_{j >= i} (r - j) p_j / m).

    If P[at least v right] were alpha, each of these would ask for some probability below v, starting from v - 1. Where
    they ask together for more than there is, it can't be.

    Parameters
    ----------
    guesses
        How many coins, guesses and right ones; a swap counts as one coin, with the doubled curve.
    curve
        What is claimed of each coin.
    alpha
        Error of the refutation.
    """
    curve = curve.doubled() if guesses.swapped else curve
    count, coins = guesses.guessed, guesses.coins
    right = alpha * guesses.right / coins
    wrong = alpha * (count - guesses.right) / coins
    for fewer in range(guesses.right - 1, -1, -1):
        needed = curve.least(min(1.0, right)) * (1 - SAFETY)
        if needed <= wrong:
            return False
        right += fewer / (count - fewer) * (needed - wrong)
        wrong = needed
        if right + wrong > count / coins * (1 + SAFETY):
            return True
    return False


def _searched(guesses: CoinGuesses, delta: float, alpha: float, most: float) -> Bound:
    """The bound where delta is above 0, which is at most that of a delta of 0."""

    def unlikely(epsilon: float) -> bool:
        claim = Approximate(epsilon, delta)
        return one_run_p_value(guesses, claim.doubled() if guesses.swapped else claim) < alpha

    def impossible(epsilon: float) -> bool:
        return curve_refuted(guesses, Approximate(epsilon, delta), alpha=alpha)

    return max(
        Bound(_largest(unlikely, most), "one run"),
        Bound(_largest(impossible, most), "f-DP, one run"),
        key=lambda bound: bound.epsilon,
    )


def _largest(refuted: Callable[[float], bool], most: float) -> float:
    """The largest epsilon up to `most` that is refuted, as all below it are; 0 if none is."""
    low, high = 0.0, most
    while high - low > TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
