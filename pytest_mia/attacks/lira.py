"""LiRA, the likelihood-ratio attack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from pytest_mia.attacks.moments import Side, first_positive, mean_outside, means
from pytest_mia.attacks.protocol import Reference
from pytest_mia.attacks.shadow_attack import Comparison, ShadowAttack
from pytest_mia.core.types import FloatArray

SMALLEST_SHARE = 1e-2
SMALLEST_VARIANCE = 1e-6

Variance = Callable[[FloatArray, Side], FloatArray]
"""Variances of a signal over one side's shadows, given the target's own signal."""


@dataclass(frozen=True)
class LiraOnline(ShadowAttack):
    """Log-likelihood ratio of two Gaussians, as a member against as a non-member (Carlini et al. 2022, algorithm 1).

    Variances are shared by all records, or each record has its own: the paper advises the former below 64 shadows, and
    here the other models decide. On ``residual`` it attacks regressions by what they miss, on either side.
    """

    name: str = "lira_online"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 2
    family = "LiRA"
    summary = "compares how likely the signal is under two Gaussians, of the shadows with and without the record"
    reference = Reference("Carlini et al. 2022", "algorithm 1")

    def comparisons(self) -> Iterator[Comparison]:
        """Yield log N(phi; mean_in, var_in) - log N(phi; mean_out, var_out) by shared variances and by records' own."""
        for variance in (shared_variance, own_variances):
            yield partial(compare_likelihoods, variance)


@dataclass(frozen=True)
class LiraOffline(ShadowAttack):
    """One-sided test against the shadows that never saw the record (Carlini et al. 2022, eq. 4), in logarithms.

    Variances are those of the online attack.
    """

    name: str = "lira_offline"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 1
    family = "LiRA"
    summary = "tests whether the signal is higher than a Gaussian of the shadows without the record allows"
    reference = Reference("Carlini et al. 2022", "eq. 4")

    def comparisons(self) -> Iterator[Comparison]:
        """Yield log Phi((phi - mean_out) / sd_out) by shared variances and by records' own."""
        for variance in (shared_variance, own_variances):
            yield partial(tail_probability, variance)


def compare_likelihoods(variance: Variance, phi: FloatArray, inside: Side, outside: Side) -> FloatArray:
    """Log-likelihood ratio (..., records) of the Gaussians of both sides."""
    mean_in, mean_out = means(inside, outside)
    as_member = log_normal(phi, mean_in, variance(phi, inside))
    return np.asarray(as_member - log_normal(phi, mean_out, variance(phi, outside)))


def tail_probability(variance: Variance, phi: FloatArray, _inside: Side, outside: Side) -> FloatArray:
    """Log probability (..., records) that a non-member's signal lies below the target's."""
    deviation = (phi - mean_outside(outside)) / np.sqrt(variance(phi, outside))
    return np.asarray(special.log_ndtr(deviation))


def shared_variance(phi: FloatArray, side: Side) -> FloatArray:
    """Variance (..., 1) of a signal over one side's shadows, one for all records; never zero.

    Parameters
    ----------
    phi
        The target's signal (..., records), the scale of last resort.
    side
        Moments of the shadows.
    """
    return first_positive(side.spread, SMALLEST_SHARE * phi.var(axis=-1, keepdims=True))


def own_variances(phi: FloatArray, side: Side) -> FloatArray:
    """Each record's own variance (..., records), the shared one where there are fewer than two shadows; never zero."""
    shared = shared_variance(phi, side)
    own = np.where(side.count > 1, side.squares / np.maximum(side.count, 1), shared)
    return np.asarray(np.maximum(own, np.maximum(SMALLEST_SHARE * shared, SMALLEST_VARIANCE)))


def log_normal(values: FloatArray, mean: FloatArray, var: FloatArray) -> FloatArray:
    """Log density of a Gaussian, up to a constant."""
    # The constant log(2 pi) / 2 cancels in a ratio.
    return np.asarray(-0.5 * (np.log(var) + (values - mean) ** 2 / var))
