"""What an attack is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from pytest_mia.attacks.moments import Side
from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import FloatArray, IntArray

Scorer = Callable[[IntArray], FloatArray]
"""Scores (models, records) of some models, worked out when they are asked for."""


BLOCK = 2**15
"""Pairs of models and records that are scored at a time."""


class Attack(Protocol):
    """Turns observations into scores: the higher, the more the attack believes "member".

    Attributes
    ----------
    name
        The attack's name in options and reports.
    signals
        Names of the `Signals` fields it reads; it fits models whose answers have them all.
    least_shadows
        Shadows that it needs; 0 for attacks on the target alone.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def signals(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def least_shadows(self) -> int: ...  # noqa: D102

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield one scorer per value of the attack's constant, where it has one to tune.

        A model is attacked with all references but itself. Which scorer counts is decided in the rotation, on the other
        models.
        """
        ...


class Scored:
    """All scores of an attack by its scorers."""

    def scores(self: Attack, observations: Observations) -> Iterator[FloatArray]:
        """Yield scores (models, records) of all models, one array per value of the attack's constant."""
        models = np.arange(len(observations.members))
        return (scorer(models) for scorer in self.scorers(observations))


class Fitted(Protocol):
    """What an attack learnt from a lesson.

    Attributes
    ----------
    lesson_scores
        Scores (settings, models, records) of the lesson's own models, none of which had a part in what scores it.
    """

    @property
    def lesson_scores(self) -> FloatArray: ...  # noqa: D102

    def scores(self, observations: Observations, models: IntArray, setting: int) -> FloatArray:
        """Scores (models, records) of some models, none of which the lesson knew."""
        ...


@runtime_checkable
class FittedAttack(Attack, Protocol):
    """An attack that learns from calibrated scores of labelled models, for which a target's own models are a lesson.

    Such scores depend on the memberships of all models that were shadows, so what is applied to a target must come
    from a lesson without it.

    Attributes
    ----------
    most_lessons
        Into how many groups, at the most, targets are divided that share a lesson.
    """

    @property
    def most_lessons(self) -> int: ...  # noqa: D102

    def fit(self, lesson: Observations) -> Fitted:
        """Learn from the labelled models of a lesson."""
        ...


def shadow_scores(
    values: FloatArray,
    observations: Observations,
    score: Callable[[FloatArray, Side, Side], FloatArray],
    models: IntArray,
) -> FloatArray:
    """Score models by the moments of their shadows: ``score(signals, inside, outside)``, each (models, records).

    Few models at a time, so that what a score takes on its way stays in the processor's own memory. Where all models
    answer alike, nothing can be told, and all scores are 0.
    """
    scores = np.zeros((len(models), values.shape[1]))
    if any((row != values[0]).any() for row in values[1:]):
        moments = observations.moments(values)
        for first, rows in _runs(models, most=max(1, BLOCK // values.shape[1])):
            scores[first : first + rows.stop - rows.start] = score(values[rows], *moments.without(rows))
    return scores


def _runs(models: IntArray, most: int) -> Iterator[tuple[int, slice]]:
    """Runs of so many consecutive models at the most, each with the place of its first."""
    edges = np.flatnonzero(np.diff(models) != 1) + 1
    for run in np.split(np.arange(len(models)), edges):
        for first in range(0, len(run), most):
            part = run[first : first + most]
            yield int(part[0]), slice(int(models[part[0]]), int(models[part[-1]]) + 1)


def read(field: FloatArray | None) -> FloatArray:
    """A signal that the attack's `signals` promised to be there."""
    assert field is not None, "an attack was run on a signal that the model's answers lack"
    return field
