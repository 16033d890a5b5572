"""Attacks on people rather than on records: a person's records are members together, and are scored together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.arrays import FloatArray, IntArray
from pytest_mia.attacks.protocol import Attack
from pytest_mia.observations import Observations


@dataclass(frozen=True)
class Grouped:
    """An attack that gives all records of a group the mean of their scores.

    The records of a group are drawn together, so each says something of the others' membership. Guesses are then alike
    within a group, which is what `pytest_mia.memberships.independent_share` counts it for.
    """

    attack: Attack

    @property
    def name(self) -> str:
        """The attack's own name."""
        return self.attack.name

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals of the attack itself."""
        return self.attack.signals

    @property
    def least_shadows(self) -> int:
        """The shadows of the attack itself."""
        return self.attack.least_shadows

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield the attack's scores, averaged over the records of each group."""
        groups = observations.groups
        for scores in self.attack.scores(observations):
            yield scores if groups is None else _averaged(scores, groups)


def _averaged(scores: FloatArray, groups: IntArray) -> FloatArray:
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.stack([(np.bincount(codes, weights=row) / sizes)[codes] for row in scores])
