"""Attacks on how a model answers changed copies of a record; labels alone are enough (Choquette-Choo et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.mast_watson import above_middle
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack, Scored, Scorer, read, shadow_scores


@dataclass(frozen=True)
class LabelNoise(Scored):
    """The share of noisy copies that are still answered with the right label: members bear more noise.

    How much noise tells most depends on the model, and is learnt on the other models.
    """

    name: str = "label_noise"
    signals: tuple[str, ...] = ("noise_robustness",)
    least_shadows: int = 0

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the share at each level of noise, and at all of them."""
        shares = read(observations.signals.noise_robustness)
        for level in range(shares.shape[2]):
            yield shares[:, :, level].__getitem__
        yield shares.mean(axis=2).__getitem__


@dataclass(frozen=True)
class Calibrated(Scored):
    """An attack on the target alone, minus the middle of its scores on shadows with and without the record."""

    attack: Attack
    least_shadows: int = 2

    @property
    def name(self) -> str:
        """The attack's name with the prefix ``calibrated_``."""
        return f"calibrated_{self.attack.name}"

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals of the attack itself."""
        return self.attack.signals

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the attack's scores - (mean_in + mean_out) / 2, for each value of its constant."""
        everyone = np.arange(len(observations.members))
        for scores in (scorer(everyone) for scorer in self.attack.scorers(observations)):
            yield partial(shadow_scores, scores, observations, above_middle)
