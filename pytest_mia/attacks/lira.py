"""LiRA, the likelihood-ratio attack, and MAST, its cheap cousin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_mia.arrays import FloatArray
from pytest_mia.attacks.protocol import read, shadow_scores
from pytest_mia.observations import Observations, Side, means

PER_RECORD_FROM = 64
SMALLEST_SHARE = 1e-2
SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True)
class LiraOnline:
    """Log-likelihood ratio of two Gaussians, as a member against as a non-member (Carlini et al. 2022, algorithm 1).

    Variances are pooled over records below 64 shadows and per record from there on, as the paper advises.
    """

    name: str = "lira_online"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 2

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield log N(phi; mean_in, var_in) - log N(phi; mean_out, var_out)."""

        def score(phi: FloatArray, inside: Side, outside: Side, shadows: int) -> FloatArray:
            mean_in, mean_out = means(inside, outside)
            var_in, var_out = variance(phi, inside, shadows), variance(phi, outside, shadows)
            return np.asarray(_log_normal(phi, mean_in, var_in) - _log_normal(phi, mean_out, var_out))

        yield shadow_scores(read(observations.signals.confidence), observations, score)


@dataclass(frozen=True)
class LiraOffline:
    """One-sided test against the shadows that never saw the record (Carlini et al. 2022, eq. 4), in logarithms."""

    name: str = "lira_offline"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 1

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield log Phi((phi - mean_out) / sd_out)."""

        def score(phi: FloatArray, _inside: Side, outside: Side, shadows: int) -> FloatArray:
            has_out = outside.count > 0
            overall = float(outside.mean[has_out].mean()) if has_out.any() else 0.0
            mean_out = np.where(has_out, outside.mean, overall)
            deviation = (phi - mean_out) / np.sqrt(variance(phi, outside, shadows))
            return np.asarray(special.log_ndtr(deviation))

        yield shadow_scores(read(observations.signals.confidence), observations, score)


@dataclass(frozen=True)
class Mast:
    """A signal minus the middle of its means as a member and as a non-member (Sablayrolles et al. 2019, section 4).

    On ``correct`` it attacks models that answer with labels alone: being right counts for more on a hard record.
    """

    name: str = "mast"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 2

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield signal - (mean_in + mean_out) / 2."""

        def score(value: FloatArray, inside: Side, outside: Side, _shadows: int) -> FloatArray:
            mean_in, mean_out = means(inside, outside)
            return np.asarray(value - (mean_in + mean_out) / 2)

        yield shadow_scores(read(getattr(observations.signals, self.signals[0])), observations, score)


def variance(phi: FloatArray, side: Side, shadows: int) -> FloatArray:
    """Variance of a signal over one side's shadows, with floors so that it is never zero.

    Parameters
    ----------
    phi
        The target's signal (records,), the scale of last resort.
    side
        Moments of the shadows.
    shadows
        Number of shadows: from 64 on, each record has its own variance.
    """
    pooled = side.spread or SMALLEST_SHARE * float(phi.var()) or 1.0
    if shadows < PER_RECORD_FROM:
        return np.full_like(phi, pooled)
    own = np.divide(side.squares, side.count, out=np.full_like(phi, pooled), where=side.count > 1)
    return np.maximum(own, max(SMALLEST_SHARE * pooled, SMALLEST_VARIANCE))


def _log_normal(values: FloatArray, mean: FloatArray, var: FloatArray) -> FloatArray:
    # The constant log(2 pi) / 2 cancels in a ratio.
    return np.asarray(-0.5 * (np.log(var) + (values - mean) ** 2 / var))
