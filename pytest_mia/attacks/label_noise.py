"""Attacks on how a model answers changed copies of a record; labels alone are enough (Choquette-Choo et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.mast_watson import subtract_middle
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer
from pytest_mia.attacks.shadow_attack import compare_with_shadows
from pytest_mia.attacks.variant import Variant


@dataclass(frozen=True)
class LabelNoise(Scored):
    """The share of noisy copies that are still answered with the right label: members bear more noise.

    How much noise tells most depends on the model, and is learnt on the other models.
    """

    name: str = "label_noise"
    signals: tuple[str, ...] = ("noise_robustness",)
    least_shadows: int = 0
    family = "label-only"
    summary = "counts the noisy copies of the record that still get the right label"
    reference = Reference("Choquette-Choo et al. 2021")

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the share at each level of noise, and at all of them."""
        shares = observations.signal(self.signals[0])
        for level in range(shares.shape[2]):
            yield shares[:, :, level].__getitem__
        yield shares.mean(axis=2).__getitem__


@dataclass(frozen=True)
class Calibrated(Variant):
    """An attack on the target alone, less the middle of its scores on shadows with and without the record."""

    naming = "calibrated_{}"
    describing = "{}; scores are taken less the middle of those of the shadows with and without the record"
    least_shadows = 2

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the attack's scores - (mean_in + mean_out) / 2, for each value of its constant."""
        everyone = np.arange(len(observations.members))
        for scores in (scorer(everyone) for scorer in self.attack.scorers(observations)):
            yield partial(compare_with_shadows, scores, observations, subtract_middle)
