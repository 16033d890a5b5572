"""Difficulty calibration: a signal less what is to be expected of the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.moments import Side, mean_outside, means
from pytest_mia.attacks.protocol import Reference
from pytest_mia.attacks.shadow_attack import Comparison, ShadowAttack
from pytest_mia.core.types import FloatArray


@dataclass(frozen=True)
class Watson(ShadowAttack):
    """Log-odds less their mean over the shadows that never saw the record (Watson et al. 2022).

    The paper takes the loss; on models that memorise, its differences are largest where a record is hard rather than
    where it was a member, and log-odds find twice as much.
    """

    name: str = "watson"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 1
    family = "difficulty calibration"
    summary = "subtracts the mean signal of the shadows without the record"
    reference = Reference("Watson et al. 2022")

    def comparisons(self) -> Iterator[Comparison]:
        """Yield phi - mean_out."""
        yield subtract_mean_outside


@dataclass(frozen=True)
class Mast(ShadowAttack):
    """A signal less the middle of its means as a member and as a non-member (Sablayrolles et al. 2019, section 4).

    On ``correct`` it attacks models that answer with labels alone: being right counts for more on a hard record.
    """

    name: str = "mast"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 2
    family = "difficulty calibration"
    summary = "subtracts the middle of the mean signals of the shadows with and without the record"
    reference = Reference("Sablayrolles et al. 2019", "section 4")

    def comparisons(self) -> Iterator[Comparison]:
        """Yield signal - (mean_in + mean_out) / 2."""
        yield subtract_middle


def subtract_mean_outside(values: FloatArray, _inside: Side, outside: Side) -> FloatArray:
    """Subtract the mean of the shadows without the record (..., records)."""
    return np.asarray(values - mean_outside(outside))


def subtract_middle(values: FloatArray, inside: Side, outside: Side) -> FloatArray:
    """Subtract the middle of the means as a member and as a non-member (..., records)."""
    mean_in, mean_out = means(inside, outside)
    return np.asarray(values - (mean_in + mean_out) / 2)
