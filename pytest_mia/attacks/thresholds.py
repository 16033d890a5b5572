"""What is learnt on labelled models: thresholds, from TPR and FPR over a grid of them, and how many coins to guess."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import FloatArray, IntArray

if TYPE_CHECKING:
    from pytest_mia.attacks.protocol import Fitted


FALSE_POSITIVE_RATES = (0.001, 0.01, 0.1)
MOST_THRESHOLDS = 1000
_TAIL = np.geomspace(1e-5, 0.05, 200)


@dataclass(frozen=True)
class FittedThreshold:
    """What an attack learnt from labelled models.

    Attributes
    ----------
    setting
        Index of the value of the attack's constant.
    threshold
        Scores of at least this are guessed to be members.
    advantage
        TPR - FPR of that threshold on the labelled models, by which attacks are compared.
    tail_thresholds, tail_rates
        Thresholds at each of `FALSE_POSITIVE_RATES`, and their TPR on the labelled models.
    guessing
        How many guesses to make where a claim of differential privacy is judged: of single records where coins were
        drawn, otherwise of pairs.
    fitted
        What a fitted attack learnt besides.
    """

    setting: int
    threshold: float
    advantage: float
    tail_thresholds: tuple[float, ...]
    tail_rates: tuple[float, ...]
    guessing: GuessPlan
    fitted: Fitted | None = field(default=None, compare=False)


def learn(settings: Iterable[FloatArray], labelled: Observations) -> FittedThreshold:
    """Learn the best value of an attack's constant, and its thresholds, from the labelled pairs of all models, pooled.

    Parameters
    ----------
    settings
        The attack's scores (models, records) by each value of its constant; the first of equals is taken.
    labelled
        The labelled models.
    """
    inside, outside = labelled.known_sides
    tried = (_Tried(scores.take(inside), scores.take(outside), setting) for setting, scores in enumerate(settings))
    return max(tried, key=lambda each: each.advantage).learned(drawn=labelled.drawn)


class _Tried:
    """One value of an attack's constant on the known members and the known others, and what it reaches on them."""

    def __init__(self, inside: FloatArray, outside: FloatArray, setting: int) -> None:
        self._sides, self._setting = (inside, outside), setting
        arranged = np.sort(inside), np.sort(outside)
        self._thresholds = grid(np.concatenate(arranged))
        self._rates = [at_least(side, self._thresholds) / max(len(side), 1) for side in arranged]
        self._best = best_place(*self._rates)

    @property
    def advantage(self) -> float:
        """TPR - FPR of the best threshold."""
        tpr, fpr = self._rates
        return float(tpr[self._best] - fpr[self._best])

    def learned(self, *, drawn: bool) -> FittedThreshold:
        """All that there is to learn of it, with guesses of coins where these were drawn."""
        (inside, outside), (tpr, fpr) = self._sides, self._rates
        tails = np.maximum(fpr.searchsorted(FALSE_POSITIVE_RATES, side="right") - 1, 0)
        return FittedThreshold(
            self._setting,
            float(self._thresholds[self._best]),
            self.advantage,
            tuple(self._thresholds[tails].tolist()),
            tuple(tpr[tails].tolist()),
            coin_guessing(tpr * len(inside), fpr * len(outside)) if drawn else pair_guessing(inside, outside),
        )


def grid(scores: FloatArray) -> FloatArray:
    """Thresholds in falling order, from "nobody" (infinity) over the middles between scores to "everybody".

    Above a thousand distinct scores, the middles between their quantiles, more finely at the upper end.
    """
    arranged = np.sort(scores, kind="stable")  # It merges the two sides that are in order.
    new = np.ones(len(arranged), dtype=bool)
    np.not_equal(arranged[1:], arranged[:-1], out=new[1:])
    if np.count_nonzero(new) > MOST_THRESHOLDS:
        shares = np.concatenate([np.linspace(0, 1, MOST_THRESHOLDS), 1 - _TAIL])
        distinct = np.unique(arranged[np.rint(shares * (len(arranged) - 1)).astype(np.intp)])
    else:
        distinct = arranged[new]
    lower, upper = distinct[:-1], distinct[1:]
    middles = np.maximum(lower / 2 + upper / 2, np.nextafter(lower, np.inf))
    return np.concatenate([[np.inf], middles[::-1], [-np.inf]])


def best_place(tpr: FloatArray, fpr: FloatArray) -> int:
    """Index of the threshold with the largest advantage: the middle one of several, "nobody" if none beats chance."""
    advantage = tpr - fpr
    (best,) = (advantage >= advantage.max() - 1e-12).nonzero()
    return 0 if best[0] == 0 else int(best[len(best) // 2])


COIN_SHARES = np.concatenate([[0.0], np.geomspace(1 / 1024, 0.5, 19)])
"""Shares of the coins that may be guessed to be members, or to be none."""
LARGEST = 1e300
"""Where scores are cut off, so that they have differences."""


@dataclass(frozen=True)
class GuessPlan:
    """How many guesses to make.

    Attributes
    ----------
    shares
        Of the coins: those that are guessed to show heads, and tails.
    bound
        Wilson's lower bound (1927) of the share of right guesses on the labelled models, three standard errors away
        since the best of many is taken, and corrected for continuity by half a guess. Attacks are compared by it;
        nothing is judged by it.
    """

    shares: tuple[float, float]
    bound: float


def coin_guessing(inside: FloatArray, outside: FloatArray) -> GuessPlan:
    """How many records are best guessed to be members, and to be none.

    Parameters
    ----------
    inside, outside
        Flagged members and flagged others at each threshold, from "nobody" to "everybody".
    """
    flagged, records = inside + outside, max(inside[-1] + outside[-1], 1)
    top = np.searchsorted(flagged, COIN_SHARES * records + 1e-6, side="right") - 1
    bottom = np.searchsorted(flagged[:-1], (1 - COIN_SHARES) * records - 1e-6, side="left")
    low = _wilson(
        inside[top][:, None] + (outside[-1] - outside[bottom]), flagged[top][:, None] + (records - flagged[bottom])
    )
    high, least = np.unravel_index(np.argmax(low), low.shape)
    shares = float(flagged[top[high]] / records), float(1 - flagged[bottom[least]] / records)
    return GuessPlan(shares, float(low[high, least]))


def pair_guessing(inside: FloatArray, outside: FloatArray) -> GuessPlan:
    """How many pairs of a member and another are best guessed by which has the higher score, half of them either way.

    Parameters
    ----------
    inside, outside
        Scores of members and of others, in the order of models and records: pairs are then of one model, or nearly so.
    """
    pairs = min(len(inside), len(outside))
    first, second = (side[:pairs].clip(-LARGEST, LARGEST) for side in (inside, outside))
    difference = first - second
    wins, losses = np.sort(difference[difference > 0]), np.sort(-difference[difference < 0])
    ties, sizes = pairs - len(wins) - len(losses), np.sort(np.abs(difference))
    guessed = (2 * COIN_SHARES * pairs).astype(np.intp)
    least = np.append(np.inf, sizes[-guessed[guessed > 0]])
    right, wrong = (at_least(side, least) + (least == 0) * ties / 2 for side in (wins, losses))
    count = right + wrong
    low = _wilson(right, count)
    best = int(low.argmax())
    side = float(count[best] / max(2 * pairs, 1))
    return GuessPlan((side, side), float(low[best]))


def _wilson(right: FloatArray, count: npt.NDArray[Any], z: float = 3.0) -> FloatArray:
    """The bound of `GuessPlan`; 0 where nothing is guessed."""
    trials = np.maximum(count, 1)
    rate = np.maximum(right - 0.5, 0.0) / trials
    spread = z * np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return np.where(count > 0, (rate + z**2 / (2 * trials) - spread) / (1 + z**2 / trials), 0.0)


def at_least(arranged: FloatArray, thresholds: FloatArray) -> IntArray:
    """How many of some arranged scores reach each threshold."""
    return np.asarray(len(arranged) - arranged.searchsorted(thresholds, side="left"))
