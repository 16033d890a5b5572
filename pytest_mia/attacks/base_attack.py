"""BASE, which approximates the Bayes-optimal attack: the target's probability against that of all shadows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pytest_mia.attacks.moments import Side, joined, mean_outside
from pytest_mia.attacks.protocol import Reference
from pytest_mia.attacks.rmia import PROBABILITIES, logarithm
from pytest_mia.attacks.shadow_attack import Comparison, Reading, ShadowAttack
from pytest_mia.core.types import FloatArray

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
