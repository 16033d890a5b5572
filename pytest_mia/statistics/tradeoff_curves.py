"""Trade-off curves: what differential privacy leaves possible, for one coin that decides who is in the training data.

A mechanism is f-differentially private when no test of "the coin shows heads" against "tails" has a power above
1 - f(x) at the false-positive rate x (Dong, Roth & Su 2022). Both curves here are the same either way round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from scipy.special import log_ndtr, ndtr, ndtri

SAFETY = 1e-9
"""Share by which rounded sums are moved to the side of the mechanism, so that no rounding refutes a true claim."""


class Curve(Protocol):
    """A trade-off curve."""

    def least(self, power: float) -> float:
        """The smallest false-positive rate at which a test can have this power: the inverse of 1 - f."""
        ...

    def doubled(self) -> Curve:
        """The curve of two coins that are turned together: one record leaves, and another takes its place."""
        ...


@dataclass(frozen=True)
class Approximate:
    """All that (`epsilon`, `delta`) says by itself (Dong, Roth & Su 2022, section 2)."""

    epsilon: float
    delta: float

    def least(self, power: float) -> float:
        """The smallest false-positive rate for a power."""
        by_ratio = (power - self.delta) * math.exp(-self.epsilon)
        from_above = 1 - self.delta - (1 - power) * math.exp(self.epsilon)
        return max(0.0, by_ratio, from_above)

    def doubled(self) -> Approximate:
        """Group privacy of two: P <= e^eps P' + delta, put into itself once (Dwork & Roth 2014, section 2.3)."""
        return Approximate(2 * self.epsilon, min(1.0, (1 + math.exp(self.epsilon)) * self.delta))


@dataclass(frozen=True)
class Gaussian:
    """The curve of a Gaussian mechanism, whose means lie `mu` standard deviations apart."""

    mu: float

    @classmethod
    def through(cls, epsilon: float, delta: float) -> Gaussian:
        """The Gaussian mechanism that is just (`epsilon`, `delta`)-private, with its `mu` rounded up.

        Source: Balle & Wang (2018), theorem 8.

        Parameters
        ----------
        epsilon
            Above 0.
        delta
            Above 0 and below 1.
        """
        low, high = 0.0, 1.0
        while _delta(epsilon, high) < delta:
            low, high = high, 2 * high
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if _delta(epsilon, middle) < delta else (low, middle)
        return cls(high * (1 + SAFETY))

    def least(self, power: float) -> float:
        """The smallest false-positive rate for a power."""
        return float(ndtr(ndtri(power) - self.mu))

    def doubled(self) -> Gaussian:
        """Group privacy of Gaussian mechanisms (Dong, Roth & Su 2022, section 2)."""
        return Gaussian(2 * self.mu)


def _delta(epsilon: float, mu: float) -> float:
    """The delta of a Gaussian mechanism at an epsilon."""
    ratio = epsilon / mu
    return float(ndtr(mu / 2 - ratio) - math.exp(epsilon + float(log_ndtr(-mu / 2 - ratio))))
