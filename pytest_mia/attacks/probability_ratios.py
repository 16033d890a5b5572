"""RMIA and BASE: the target's probability of the true class against the shadows'.

RMIA scores a record by the share of population records whose ratio it exceeds (Zarifzadeh et al. 2024, eq. 3). With one
population for all records that share rises and falls with the ratio itself, so the ratio, in logarithms, is the score:
the same ROC curve without a records x population comparison, and without the ties that a finite population makes.
BASE approximates the Bayes-optimal attack: it has the mean over all shadows in the place of the means over both sides.

RMIA's temperature is 2 for some data of the paper and 1 for others; here the other models decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from pytest_mia.attacks.moments import Side, joined, mean_outside, means
from pytest_mia.attacks.protocol import Reference
from pytest_mia.attacks.shadow_attack import Comparison, Reading, ShadowAttack
from pytest_mia.core.types import FloatArray

OFFLINE_CONSTANTS = (0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
SMALLEST = 1e-300
PROBABILITIES = Reading("tempered", special.expit), Reading("confidence", special.expit)
"""Probability of the true class at temperature 2 and at 1."""


@dataclass(frozen=True)
class RmiaOnline(ShadowAttack):
    """log p_target - log (mean_in p + mean_out p) / 2 (Zarifzadeh et al. 2024, eq. 6), the temperature tuned."""

    name: str = "rmia_online"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 2
    family = "RMIA"
    summary = "divides the probability by its mean over the shadows with and without the record"
    reference = Reference("Zarifzadeh et al. 2024", "eq. 6")

    def readings(self) -> Sequence[Reading]:
        """The probabilities at temperature 2 and at 1."""
        return PROBABILITIES

    def comparisons(self) -> Iterator[Comparison]:
        """Yield the log ratio."""
        yield log_ratio_to_both_sides


@dataclass(frozen=True)
class RmiaOffline(ShadowAttack):
    """log p_target - log ((1 + a) mean_out p + 1 - a) / 2 (Zarifzadeh et al. 2024, appendix B.2.2).

    The constant a is tuned on the shadows with the temperature: left alone at a published value it can hide most of a
    leak.
    """

    name: str = "rmia_offline"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 1
    family = "RMIA"
    summary = "divides the probability by what the shadows without the record let expect of it"
    reference = Reference("Zarifzadeh et al. 2024", "appendix B.2.2")

    def readings(self) -> Sequence[Reading]:
        """The probabilities at temperature 2 and at 1."""
        return PROBABILITIES

    def comparisons(self) -> Iterator[Comparison]:
        """Yield the log ratio for each a from 0 to 1."""
        for a in OFFLINE_CONSTANTS:
            yield partial(log_ratio_to_outside, a)


def log_ratio_to_both_sides(probability: FloatArray, inside: Side, outside: Side) -> FloatArray:
    """Log of the probability by the mean over shadows of both sides (..., records)."""
    mean_in, mean_out = means(inside, outside)
    return logarithm(probability) - logarithm((mean_in + mean_out) / 2)


def log_ratio_to_outside(a: float, probability: FloatArray, _inside: Side, outside: Side) -> FloatArray:
    """Log of the probability by what it would be halfway to a member's (..., records)."""
    return logarithm(probability) - logarithm(offline_reference(mean_outside(outside), a))


def offline_reference(expected: FloatArray, a: float) -> FloatArray:
    """The probability to expect of a record, halfway to what it would be as a member."""
    return np.asarray(((1 + a) * expected + (1 - a)) / 2)


def logarithm(probability: FloatArray) -> FloatArray:
    """Log probability, finite also where it is zero."""
    return np.asarray(np.log(np.maximum(probability, SMALLEST)))


SCALES = (0.0, 0.33, 0.67, 1.0)


@dataclass(frozen=True)
class BaseOnline(ShadowAttack):
    """log p_target - log of the mean p over all shadows (Lassila et al. 2025), the temperature tuned on the shadows.

    It needs nobody's memberships.
    """

    name: str = "base_online"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 1
    family = "BASE"
    summary = "divides the probability by its mean over all shadows"
    reference = Reference("Lassila et al. 2025")

    def readings(self) -> Sequence[Reading]:
        """The probabilities at temperature 2 and at 1."""
        return PROBABILITIES

    def comparisons(self) -> Iterator[Comparison]:
        """Yield the log ratio."""
        yield log_ratio_to_all


@dataclass(frozen=True)
class BaseOffline(ShadowAttack):
    """log p_target - scale * log mean_out p (Lassila et al. 2025), scale and temperature tuned on the shadows."""

    name: str = "base_offline"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 1
    family = "BASE"
    summary = "divides the probability by a power of its mean over the shadows without the record"
    reference = Reference("Lassila et al. 2025")

    def readings(self) -> Sequence[Reading]:
        """The probabilities at temperature 2 and at 1."""
        return PROBABILITIES

    def comparisons(self) -> Iterator[Comparison]:
        """Yield the scaled log ratio for each scale from 0 to 1."""
        for scale in SCALES:
            yield partial(scaled_log_ratio_to_outside, scale)


def log_ratio_to_all(probability: FloatArray, inside: Side, outside: Side) -> FloatArray:
    """Log of the probability by its mean over all shadows (..., records)."""
    return logarithm(probability) - logarithm(joined(inside, outside).mean)


def scaled_log_ratio_to_outside(scale: float, probability: FloatArray, _inside: Side, outside: Side) -> FloatArray:
    """Log of the probability less the scaled log of its mean over the shadows without the record (..., records)."""
    return logarithm(probability) - scale * logarithm(mean_outside(outside))
