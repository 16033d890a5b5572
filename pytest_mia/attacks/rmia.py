"""RMIA, the relative attack: the target's probability of the true class against the shadows'.

RMIA scores a record by the share of population records whose ratio it exceeds (Zarifzadeh et al. 2024, eq. 3). With one
population for all records that share rises and falls with the ratio itself, so the ratio, in logarithms, is the score:
the same ROC curve without a records x population comparison, and without the ties that a finite population makes.

The paper's temperature is 2 for some data and 1 for others; here the other models decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from pytest_mia.attacks.moments import Side, mean_outside, means
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scored, Scorer, read, shadow_scores
from pytest_mia.core.types import FloatArray, IntArray

OFFLINE_CONSTANTS = (0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
SMALLEST = 1e-300


@dataclass(frozen=True)
class RmiaOnline(Scored):
    """log p_target - log (mean_in p + mean_out p) / 2 (Zarifzadeh et al. 2024, eq. 6), the temperature tuned."""

    name: str = "rmia_online"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 2

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the log ratio at temperature 2 and at 1."""

        def score(probability: FloatArray, inside: Side, outside: Side) -> FloatArray:
            mean_in, mean_out = means(inside, outside)
            return logarithm(probability) - logarithm((mean_in + mean_out) / 2)

        for log_odds in both(observations):
            yield partial(relative_scores, log_odds, observations, score)


@dataclass(frozen=True)
class RmiaOffline(Scored):
    """log p_target - log ((1 + a) mean_out p + 1 - a) / 2 (Zarifzadeh et al. 2024, appendix B.2.2).

    The constant a is tuned on the shadows with the temperature: left alone at a published value it can hide most of a
    leak.
    """

    name: str = "rmia_offline"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 1

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the log ratio at temperature 2, then at 1, for each a from 0 to 1."""

        def score(a: float, probability: FloatArray, _inside: Side, outside: Side) -> FloatArray:
            return logarithm(probability) - logarithm(offline_reference(mean_outside(outside), a))

        for log_odds in both(observations):
            for a in OFFLINE_CONSTANTS:
                yield partial(relative_scores, log_odds, observations, partial(score, a))


def both(observations: Observations) -> tuple[FloatArray, FloatArray]:
    """Log-odds of the true class (models, records) at temperature 2 and at 1."""
    return read(observations.signals.tempered), read(observations.signals.confidence)


def relative_scores(
    log_odds: FloatArray,
    observations: Observations,
    score: Callable[[FloatArray, Side, Side], FloatArray],
    models: IntArray,
) -> FloatArray:
    """Score models by their probabilities against those of their shadows, as `shadow_scores` does."""
    return shadow_scores(probability(observations, log_odds), observations, score, models)


def probability(observations: Observations, log_odds: FloatArray) -> FloatArray:
    """What log-odds of the observations stand for."""
    return observations.kept.of(special.expit, log_odds)


def offline_reference(expected: FloatArray, a: float) -> FloatArray:
    """The probability to expect of a record, halfway to what it would be as a member."""
    return np.asarray(((1 + a) * expected + (1 - a)) / 2)


def logarithm(probability: FloatArray) -> FloatArray:
    """Log probability, finite also where it is zero."""
    return np.asarray(np.log(np.maximum(probability, SMALLEST)))
