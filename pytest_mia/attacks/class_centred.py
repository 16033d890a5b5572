"""Class-centred variants: the same attacks on signals that are free of a class's common level."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack, Scored, Scorer
from pytest_mia.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class Centred(Scored):
    """An attack on log-odds from which each model's mean over the records of the class is taken off.

    How a model treats a class as a whole varies from half to half and hides what it knows of single records.
    """

    attack: Attack

    @property
    def name(self) -> str:
        """The attack's name with the suffix ``_centred``."""
        return f"{self.attack.name}_centred"

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals of the attack itself."""
        return self.attack.signals

    @property
    def least_shadows(self) -> int:
        """The shadows of the attack itself."""
        return self.attack.least_shadows

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the attack's scores on centred signals."""
        yield from self.attack.scorers(centred(observations))


def centred(observations: Observations) -> Observations:
    """The same with log-odds from which each model's mean over the records of the class is taken off."""
    signals, labels, kept = observations.signals, observations.labels, observations.kept
    signals = dataclasses.replace(
        signals,
        confidence=None if signals.confidence is None else kept.of(_centre, signals.confidence, labels),
        tempered=None if signals.tempered is None else kept.of(_centre, signals.tempered, labels),
    )
    return dataclasses.replace(observations, signals=signals)


def _centre(values: FloatArray, labels: IntArray) -> FloatArray:
    sizes = np.maximum(np.bincount(labels), 1)
    level = np.stack([np.bincount(labels, weights=row) / sizes for row in values])
    return np.asarray(values - level[:, labels])
