"""What an attack is: what it says of itself, and how it turns observations into scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import FloatArray, IntArray

Scorer = Callable[[IntArray], FloatArray]
"""Computes scores (models, records) of some models, given by their rows."""


@dataclass(frozen=True)
class Reference:
    """Where an attack is published.

    Attributes
    ----------
    paper
        Authors and year, as tables cite them.
    place
        Section, equation or algorithm; empty where the paper as a whole is meant.
    """

    paper: str
    place: str = ""


OURS = Reference("ours")


class Attack(Protocol):
    """Turns observations into scores: the higher the score, the likelier the record was a member.

    Attributes
    ----------
    name
        The attack's name in options and reports.
    signals
        Names of the `Signals` fields that it uses. It is run on models whose answers have all of them.
    least_shadows
        Shadow models that it needs; 0 for attacks on the target model alone.
    family
        Name that it shares with its variants.
    summary
        What it does, in one line.
    reference
        Where it is published.
    needs_features
        Whether it uses the records themselves; it is then run only where `Observations.features` is there.
    needs_opinions
        Whether it uses `Observations.opinions`, which are computed once, before the cross-fitting splits.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def signals(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def least_shadows(self) -> int: ...  # noqa: D102

    @property
    def family(self) -> str: ...  # noqa: D102

    @property
    def summary(self) -> str: ...  # noqa: D102

    @property
    def reference(self) -> Reference: ...  # noqa: D102

    @property
    def needs_features(self) -> bool: ...  # noqa: D102

    @property
    def needs_opinions(self) -> bool: ...  # noqa: D102

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield one scorer per value of the attack's constant, where it has one to tune.

        Each model is attacked with all references but itself. Which of the scorers counts is decided on the other
        models (`evaluation`).
        """
        ...


class Scored:
    """What all attacks share: unless an attack says otherwise, it looks at no records."""

    needs_features: bool = False
    needs_opinions: bool = False

    def scores(self: Attack, observations: Observations) -> Iterator[FloatArray]:
        """Yield scores (models, records) of all models, one array per value of the attack's constant."""
        models = np.arange(len(observations.members))
        return (scorer(models) for scorer in self.scorers(observations))


class Fitted(Protocol):
    """What an attack learnt from labelled models.

    Attributes
    ----------
    labelled_scores
        Scores (settings, models, records) of the labelled models, none of which had a part in what scores it.
    """

    @property
    def labelled_scores(self) -> FloatArray: ...  # noqa: D102

    def scores(self, observations: Observations, models: IntArray, setting: int) -> FloatArray:
        """Compute scores (models, records) of some models that were not learnt from."""
        ...


class FittedAttack(Attack, Protocol):
    """An attack that learns from calibrated scores of labelled models: those that aren't its target.

    Such scores depend on the memberships of all models that were shadows, so what is applied to a target must be
    learnt without it.

    Attributes
    ----------
    most_splits
        Into how many groups targets are split at the most; those of a group share what was learnt without them.
    """

    @property
    def most_splits(self) -> int: ...  # noqa: D102

    def fit(self, labelled: Observations) -> Fitted:
        """Learn from labelled models."""
        ...


def needs_fitting(attack: Attack) -> TypeGuard[FittedAttack]:
    """Whether an attack learns from labelled models."""
    return hasattr(attack, "fit")
