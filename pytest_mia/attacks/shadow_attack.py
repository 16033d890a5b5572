"""Attacks that compare a signal of the target with the same signal of its shadows, with and without the record."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from pytest_mia.attacks.moments import Side
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack, Scored, Scorer
from pytest_mia.core.types import FloatArray, IntArray

BLOCK = 2**15
"""Pairs of models and records that are compared at a time: what that takes stays in the processor's own memory."""

Comparison = Callable[[FloatArray, Side, Side], FloatArray]
"""Scores (models, records) from the target's signal (models, records) and its shadows with and without the record."""


@dataclass(frozen=True)
class Reading:
    """What is compared: a signal, or a function of it.

    Attributes
    ----------
    signal
        Name of the `Signals` field.
    transform
        NumPy function that is applied to the signal before the shadows' moments are taken; attacks that name the same
        function share its result.
    """

    signal: str
    transform: Callable[[FloatArray], FloatArray] | None = None


class _Comparing(Attack, Protocol):
    def readings(self) -> Sequence[Reading]: ...

    def comparisons(self) -> Iterator[Comparison]: ...


class ShadowAttack(Scored):
    """What they share; an attack adds `comparisons`, and `readings` where it compares more than one signal."""

    def readings(self: Attack) -> Sequence[Reading]:
        """What is compared; the first signal of the attack."""
        return (Reading(self.signals[0]),)

    def scorers(self: _Comparing, observations: Observations) -> Iterator[Scorer]:
        """Yield a scorer for each reading by each comparison."""
        for reading in self.readings():
            for comparison in self.comparisons():
                yield partial(_score, observations, reading, comparison)


def _score(observations: Observations, reading: Reading, comparison: Comparison, models: IntArray) -> FloatArray:
    values = observations.transformed(reading.signal, reading.transform)
    return compare_with_shadows(values, observations, comparison, models)


def compare_with_shadows(
    values: FloatArray, observations: Observations, comparison: Comparison, models: IntArray
) -> FloatArray:
    """Score some models by a comparison with their shadows, a few models at a time.

    Parameters
    ----------
    values : (models, records)
        What is compared, of all models.
    observations
        Who is a shadow, and whose members the shadows' are.
    comparison
        Computes scores.
    models
        Rows of the models to score.

    Returns
    -------
    FloatArray
        (models, records); all 0 where all models answer alike, since nothing can then be told.
    """
    scores = np.zeros((len(models), values.shape[1]))
    if any((row != values[0]).any() for row in values[1:]):
        moments = observations.moments(values)
        for first, rows in _runs(models, most=max(1, BLOCK // values.shape[1])):
            scores[first : first + rows.stop - rows.start] = comparison(values[rows], *moments.without(rows))
    return scores


def _runs(models: IntArray, most: int) -> Iterator[tuple[int, slice]]:
    """Yield runs of at most so many consecutive models, each with the place of its first."""
    edges = [0, *(np.flatnonzero(models[1:] - models[:-1] != 1) + 1).tolist(), len(models)]
    for start, end in itertools.pairwise(edges):
        for first in range(start, end, most):
            rows = min(most, end - first)
            yield first, slice(int(models[first]), int(models[first]) + rows)
