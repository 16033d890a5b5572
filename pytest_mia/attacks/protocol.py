"""What an attack is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from pytest_mia.arrays import FloatArray, IntArray
from pytest_mia.observations import Observations, Side


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

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield scores (models, records), one array per value of the attack's constant where it has one to tune.

        Row m attacks model m with all references but m itself. Which array counts is decided in the rotation, on the
        other models.
        """
        ...


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
    values: FloatArray, observations: Observations, score: Callable[[FloatArray, Side, Side], FloatArray]
) -> FloatArray:
    """Score each model by the moments of its shadows: ``score(signal of the model, inside, outside)``.

    A score is (records,), or (settings, records) for an attack with a constant; models become the last axis but one.
    Where all models answer alike, nothing can be told, and all scores are 0.
    """
    moments = observations.moments(values)
    first = score(values[0], *moments.without(0))
    scores = np.empty((*first.shape[:-1], *values.shape))
    for model, row in enumerate(values):
        scores[..., model, :] = score(row, *moments.without(model)) if model else first
    if (values == values[:1]).all():
        scores[...] = 0
    return scores


def read(field: FloatArray | None) -> FloatArray:
    """A signal that the attack's `signals` promised to be there."""
    assert field is not None, "an attack was run on a signal that the model's answers lack"
    return field
