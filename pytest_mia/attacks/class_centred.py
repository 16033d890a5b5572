"""Class-centred variants: the same attacks on signals that are free of a class's common level."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.memo import identify
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scorer
from pytest_mia.attacks.variant import Variant
from pytest_mia.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class Centred(Variant):
    """An attack on log-odds from which each model's mean over the records of the class is taken off.

    How a model treats a class as a whole varies from half to half and hides what it knows of single records.
    """

    naming = "{}_centred"
    describing = "{}; signals are taken less their mean over the class under the same model"

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the attack's scores on centred signals."""
        yield from self.attack.scorers(centre_by_class(observations))


def centre_by_class(observations: Observations) -> Observations:
    """The same with log-odds from which each model's mean over the records of the class is taken off."""
    given = observations.signals
    signals = dataclasses.replace(
        given,
        confidence=_centred(given.confidence, observations),
        tempered=_centred(given.tempered, observations),
    )
    return dataclasses.replace(observations, signals=signals)


def _centred(values: FloatArray | None, observations: Observations) -> FloatArray | None:
    if values is None:
        return None
    key = identify("centred", values, observations.labels)
    found: FloatArray | None = observations.memo.find(key)
    return observations.memo.keep(key, _centre(values, observations.labels)) if found is None else found


def _centre(values: FloatArray, labels: IntArray) -> FloatArray:
    sizes = np.maximum(np.bincount(labels), 1)
    level = np.stack([np.bincount(labels, weights=row) / sizes for row in values])
    return np.asarray(values - level[:, labels])
