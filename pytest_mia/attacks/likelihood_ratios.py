"""LiRA, the likelihood-ratio attack, and NIG-t: the same ratio with the variances that few shadows can afford."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from pytest_mia.attacks.moments import Side, first_positive, mean_of, mean_outside, means
from pytest_mia.attacks.protocol import Reference
from pytest_mia.attacks.shadow_attack import Comparison, Reading, ShadowAttack
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


SHAPE = 2.0
SMALLEST_RATE = 1e-8
SMALLEST_BETWEEN = 1e-6
LIMIT = 5.0
"""Where signals are cut off: answers of exactly 0 and 1, as forests give them, make log-odds that no Gaussian has."""
CUT_OFF = partial(np.clip, a_min=-LIMIT, a_max=LIMIT)


@dataclass(frozen=True)
class NigT(ShadowAttack):
    """Likelihood ratio of Student-t predictives under an empirical-Bayes normal-inverse-gamma prior.

    The idea is BaVarIA's (2026): at few shadows the estimate of the variances is the bottleneck, and a conjugate prior
    fitted over all records mends it. The constants are ours. A record without shadows on one side falls back to the
    prior. On ``residual`` it attacks regressions by what they miss, on either side.
    """

    name: str = "nig_t"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 2
    family = "NIG-t"
    summary = "compares how likely the signal is under two Student t distributions, fitted for few shadows"
    reference = Reference("ours, after LiRA")

    def readings(self) -> Sequence[Reading]:
        """The signal as it is, and cut off at 5; the other models decide."""
        return Reading(self.signals[0]), Reading(self.signals[0], CUT_OFF)

    def comparisons(self) -> Iterator[Comparison]:
        """Yield log t_in(phi) - log t_out(phi)."""
        yield compare_predictives


@dataclass(frozen=True)
class Prior:
    """Normal-inverse-gamma prior: mean m0 with the weight of k0 observations, variance inverse-gamma (a0, b0).

    All but a0 are (..., 1).
    """

    m0: FloatArray
    k0: FloatArray
    a0: float
    b0: FloatArray


def fit_prior(phi: FloatArray, side: Side) -> Prior:
    """Fit the prior of one side to the moments over all records (empirical Bayes, by moments)."""
    seen, several = side.count > 0, side.count > 1
    none = ~seen.any(axis=-1, keepdims=True)
    # Where no record has any shadow on this side, the target's own signal gives the scale.
    levels, counted = np.where(none, phi, side.mean), seen | none
    centre = mean_of(levels, counted)
    between = mean_of((levels - centre) ** 2, counted)
    within = first_positive(mean_of(side.squares / np.maximum(side.count - 1, 1), several), between)
    mean_count = np.maximum(mean_of(side.count, seen), 1.0)
    between = np.maximum(between - within / mean_count, SMALLEST_BETWEEN)
    return Prior(m0=centre, k0=within / between, a0=SHAPE, b0=np.maximum(SHAPE * within, SMALLEST_RATE))


def log_predictive(values: FloatArray, side: Side, prior: Prior) -> FloatArray:
    """Log density (..., records) of the posterior predictive, a Student t with 2 (a0 + n / 2) degrees of freedom."""
    count = side.count.astype(np.float64)
    weight = prior.k0 + count
    location = (prior.k0 * prior.m0 + count * side.mean) / weight
    shape = prior.a0 + count / 2
    rate = prior.b0 + side.squares / 2 + prior.k0 * count * (side.mean - prior.m0) ** 2 / (2 * weight)
    # Squares are divided by 2 * shape * scale**2, in which the shape cancels.
    spread = 2 * rate * (weight + 1) / weight
    constant = _constants(prior.a0, int(count.max(initial=0)))[side.count.astype(np.intp)]
    constant = constant - 0.5 * np.log(np.pi * spread)
    return np.asarray(constant - (shape + 0.5) * np.log1p((values - location) ** 2 / spread))


def _constants(a0: float, most: int) -> FloatArray:
    """Log of Gamma(shape + 1/2) / Gamma(shape) after each number (most + 1,) of shadows, few for many records."""
    shape = a0 + np.arange(most + 1) / 2
    return np.asarray(special.gammaln(shape + 0.5) - special.gammaln(shape))


def compare_predictives(phi: FloatArray, inside: Side, outside: Side) -> FloatArray:
    """Log-likelihood ratio (..., records) of the posterior predictives of both sides."""
    as_member = log_predictive(phi, inside, fit_prior(phi, inside))
    return np.asarray(as_member - log_predictive(phi, outside, fit_prior(phi, outside)))
