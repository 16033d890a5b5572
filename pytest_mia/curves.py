"""Learning a threshold: TPR and FPR of labelled models over a grid of thresholds, and the best place on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_mia.arrays import FloatArray, IntArray
from pytest_mia.observations import Observations

if TYPE_CHECKING:
    from pytest_mia.attacks.protocol import Fitted

FALSE_POSITIVE_RATES = (0.001, 0.01, 0.1)
MOST_THRESHOLDS = 1000
_TAIL = np.geomspace(1e-5, 0.05, 200)


@dataclass(frozen=True)
class Learned:
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
    fitted
        What a fitted attack learnt besides.
    """

    setting: int
    threshold: float
    advantage: float
    tail_thresholds: tuple[float, ...]
    tail_rates: tuple[float, ...]
    fitted: Fitted | None = field(default=None, compare=False)


def learn(scores: FloatArray, lesson: Observations, setting: int) -> Learned:
    """Learn thresholds from the labelled pairs of all models of a lesson, pooled.

    Parameters
    ----------
    scores
        The attack's scores (models, records).
    lesson
        The labelled models.
    setting
        Index of the value of the attack's constant, passed on.
    """
    inside, outside = (np.sort(scores.take(places)) for places in lesson.known_sides)
    thresholds = grid(np.concatenate([inside, outside]))
    tpr = _at_least(inside, thresholds) / max(len(inside), 1)
    fpr = _at_least(outside, thresholds) / max(len(outside), 1)
    best, tails = best_place(tpr, fpr), [int(np.flatnonzero(fpr <= rate)[-1]) for rate in FALSE_POSITIVE_RATES]
    return Learned(
        setting,
        float(thresholds[best]),
        float(tpr[best] - fpr[best]),
        tuple(float(thresholds[tail]) for tail in tails),
        tuple(float(tpr[tail]) for tail in tails),
    )


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


def ranks(scores: FloatArray) -> FloatArray:
    """Rank of each score among all of its row (..., scores), from 0 to 1, ties in the middle."""
    count = scores.shape[-1]
    found = np.empty(scores.shape)
    for row in np.ndindex(scores.shape[:-1]):
        order = np.argsort(scores[row])
        arranged = scores[row][order]
        edges = np.concatenate([[0], np.flatnonzero(arranged[1:] != arranged[:-1]) + 1, [count]])
        found[row][order] = np.repeat((edges[:-1] + edges[1:]) / 2, np.diff(edges)) / count
    return found


def below(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """Weight of a row's scores (..., scores) that are below each of them; of those that tie with it, half."""
    order = np.argsort(scores, axis=-1)
    arranged, weight = np.take_along_axis(scores, order, -1), np.take_along_axis(weights, order, -1)
    starts = np.ones(scores.shape, dtype=bool)
    starts[..., 1:] = arranged[..., 1:] != arranged[..., :-1]
    first = np.flatnonzero(starts)
    last = np.append(first[1:], scores.size)[: len(first)] - 1
    passed = weight.cumsum(axis=-1)
    middle = (passed.flat[first] - weight.flat[first] + passed.flat[last]) / 2
    found = np.empty(scores.shape)
    np.put_along_axis(found, order, middle[starts.cumsum() - 1].reshape(scores.shape), -1)
    return found


def _at_least(arranged: FloatArray, thresholds: FloatArray) -> IntArray:
    return len(arranged) - np.searchsorted(arranged, thresholds, side="left")
