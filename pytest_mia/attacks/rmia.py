"""RMIA, the relative attack: the target's probability of the true class against the shadows'.

RMIA scores a record by the share of population records whose ratio it exceeds (Zarifzadeh et al. 2024, eq. 3). With one
population for all records that share rises and falls with the ratio itself, so the ratio, in logarithms, is the score:
the same ROC curve without a records x population comparison, and without the ties that a finite population makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_mia.arrays import FloatArray
from pytest_mia.attacks.protocol import read, shadow_scores
from pytest_mia.observations import Observations, Side, means

OFFLINE_CONSTANTS = (0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
SMALLEST = 1e-300


@dataclass(frozen=True)
class RmiaOnline:
    """log p_target - log (mean_in p + mean_out p) / 2, at temperature 2 (Zarifzadeh et al. 2024, eq. 6)."""

    name: str = "rmia_online"
    signals: tuple[str, ...] = ("tempered",)
    least_shadows: int = 2

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield the log ratio."""

        def score(probability: FloatArray, inside: Side, outside: Side, _shadows: int) -> FloatArray:
            mean_in, mean_out = means(inside, outside)
            return log_ratio(probability, (mean_in + mean_out) / 2)

        yield shadow_scores(special.expit(read(observations.signals.tempered)), observations, score)


@dataclass(frozen=True)
class RmiaOffline:
    """log p_target - log ((1 + a) mean_out p + 1 - a) / 2 (Zarifzadeh et al. 2024, appendix B.2.2).

    The constant a is tuned on the shadows: left alone at a published value it can hide most of a leak.
    """

    name: str = "rmia_offline"
    signals: tuple[str, ...] = ("tempered",)
    least_shadows: int = 1

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield the log ratio for each a from 0 to 1."""
        probabilities = special.expit(read(observations.signals.tempered))
        expected = shadow_scores(probabilities, observations, lambda _p, _in, outside, _shadows: mean_outside(outside))
        for a in OFFLINE_CONSTANTS:
            yield log_ratio(probabilities, offline_reference(expected, a))


def mean_outside(outside: Side) -> FloatArray:
    """Mean probability over the shadows that never saw the record; that of all records where there are none."""
    has_out = outside.count > 0
    return np.where(has_out, outside.mean, float(outside.mean[has_out].mean()) if has_out.any() else 1.0)


def offline_reference(expected: FloatArray, a: float) -> FloatArray:
    """The probability to expect of a record, halfway to what it would be as a member."""
    return np.asarray(((1 + a) * expected + (1 - a)) / 2)


def log_ratio(probability: FloatArray, reference: FloatArray) -> FloatArray:
    """Log probability - log reference, finite also where one of them is zero."""
    return np.asarray(np.log(np.maximum(probability, SMALLEST)) - np.log(np.maximum(reference, SMALLEST)))
