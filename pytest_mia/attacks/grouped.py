"""Attacks on people rather than on records: a person's records are members together, and are scored together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack, Fitted, FittedAttack, Scorer, needs_fitting
from pytest_mia.attacks.variant import Variant
from pytest_mia.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class Grouped(Variant):
    """An attack that gives all records of a group the mean of their scores.

    The records of a group are drawn together, so each says something of the others' membership. Guesses are then alike
    within a group, which is what `pytest_mia.data.memberships.independent_share` counts it for.
    """

    describing = "{}; scores are averaged over the records of each person"

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the attack's scores, averaged over the records of each group."""
        for scorer in self.attack.scorers(observations):
            yield partial(_averaged_by, scorer, observations)


@dataclass(frozen=True)
class GroupedFitted(Grouped):
    """The same of an attack that learns from labelled models."""

    attack: FittedAttack

    @property
    def most_splits(self) -> int:
        """The groups of the attack itself."""
        return self.attack.most_splits

    def fit(self, labelled: Observations) -> GroupedFit:
        """Fit the attack, and average the scores of the labelled models."""
        fitted = self.attack.fit(labelled)
        return GroupedFit(np.stack([averaged(scores, labelled) for scores in fitted.labelled_scores]), fitted)


@dataclass(frozen=True, eq=False)
class GroupedFit:
    """What an attack learnt from labelled models, for people; see `Fitted`."""

    labelled_scores: FloatArray
    fitted: Fitted

    def scores(self, observations: Observations, models: IntArray, setting: int) -> FloatArray:
        """Scores (models, records) of some models, averaged over the records of each group."""
        return averaged(self.fitted.scores(observations, models, setting), observations)


def grouped(attack: Attack) -> Attack:
    """The attack on people."""
    return GroupedFitted(attack) if needs_fitting(attack) else Grouped(attack)


def _averaged_by(scorer: Scorer, observations: Observations, models: IntArray) -> FloatArray:
    return averaged(scorer(models), observations)


def averaged(scores: FloatArray, observations: Observations) -> FloatArray:
    """Scores (models, records), each the mean of its group's under the same model."""
    if observations.groups is None:
        return scores
    _, codes, sizes = np.unique(observations.groups, return_inverse=True, return_counts=True)
    return np.stack([(np.bincount(codes, weights=row) / sizes)[codes] for row in scores])
