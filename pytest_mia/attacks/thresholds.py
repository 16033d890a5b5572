"""Learning a threshold: TPR and FPR of labelled models over a grid of thresholds, and the best place on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_mia.attacks.guess_plans import GuessPlan, at_least, coin_guessing, pair_guessing
from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import FloatArray

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
    coins, pairs
        How many guesses to make where a claim of differential privacy is judged: of single records, and of pairs.
    fitted
        What a fitted attack learnt besides.
    """

    setting: int
    threshold: float
    advantage: float
    tail_thresholds: tuple[float, ...]
    tail_rates: tuple[float, ...]
    coins: GuessPlan
    pairs: GuessPlan
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
    tried = (_Tried(*_sides(scores, labelled), setting) for setting, scores in enumerate(settings))
    return max(tried, key=lambda each: each.advantage).learned()


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

    def learned(self) -> FittedThreshold:
        """All that there is to learn of it."""
        (inside, outside), (tpr, fpr) = self._sides, self._rates
        tails = [int(np.flatnonzero(fpr <= rate)[-1]) for rate in FALSE_POSITIVE_RATES]
        return FittedThreshold(
            self._setting,
            float(self._thresholds[self._best]),
            self.advantage,
            tuple(float(self._thresholds[tail]) for tail in tails),
            tuple(float(tpr[tail]) for tail in tails),
            coin_guessing(tpr * len(inside), fpr * len(outside)),
            pair_guessing(inside, outside),
        )


def _sides(scores: FloatArray, labelled: Observations) -> tuple[FloatArray, FloatArray]:
    inside, outside = labelled.known_sides
    return scores.take(inside), scores.take(outside)


def grid(scores: FloatArray) -> FloatArray:
    """Thresholds in falling order, from "nobody" (infinity) over the middles between scores to "everybody".

    Above a thousand distinct scores, the middles between their quantiles, more finely at the upper end.
    """
    arranged = np.sort(scores, kind="stable")  # It merges the two sides that are in order.
    new = np.append(True, arranged[1:] != arranged[:-1])[: len(arranged)]
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
    best = np.flatnonzero(advantage >= advantage.max() - 1e-12)
    return 0 if best[0] == 0 else int(best[len(best) // 2])
