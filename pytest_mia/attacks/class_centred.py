"""Class-centred variants: the same attacks on signals that are free of a class's common level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scorer
from pytest_mia.attacks.variant import Variant


@dataclass(frozen=True)
class Centred(Variant):
    """An attack on log-odds from which each model's mean over the records of the class is taken off.

    How a model treats a class as a whole varies from half to half and hides what it knows of single records.
    """

    naming = "{}_centred"
    describing = "{}; signals are taken less their mean over the class under the same model"

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the attack's scores on centred signals."""
        yield from self.attack.scorers(observations.centre_by_class())
