"""Rounded probabilities."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Probabilities
from pytest_mia.remedies.protocol import Remedy, refuse

TOLERANCE = 1e-6
"""What is nearer to a step than this share of one counts as the step: floating point knows no exact tenths."""


@dataclass(frozen=True)
class Rounded(Remedy):
    """Probabilities in whole steps, which still sum to one.

    Each is rounded down, and the steps that then lack go to the largest remainders (Hamilton's apportionment), the
    earlier class first where these tie. With two classes that is rounding to the nearest step; with more, rounding one
    by one could leave nothing but zeros.

    Attributes
    ----------
    step
        A step, one over a whole number of at least 1; a quarter by default.
    """

    step: float = 0.25
    idea: ClassVar[str] = "probabilities in steps"

    def __post_init__(self) -> None:
        fits = isinstance(self.step, numbers.Real) and not isinstance(self.step, bool) and 0 < self.step <= 1
        fits = fits and math.isclose(1 / self.step, round(1 / self.step), rel_tol=TOLERANCE)
        refuse("step", self.step, fits=fits, must="one over a whole number, such as 0.25 or 0.1")

    @classmethod
    def measured(cls, classes: int) -> Sequence[Remedy]:  # noqa: ARG003 - any number of classes can be rounded
        """Steps of a tenth, and of a quarter."""
        return cls(0.1), cls(0.25)

    def changed(self, probabilities: FloatArray) -> Probabilities:
        """The nearest whole steps."""
        steps = round(1 / self.step)
        shares = np.clip(np.asarray(probabilities, dtype=np.float64), 0.0, 1.0) * steps
        whole = np.floor(shares + TOLERANCE)
        lacking = np.rint(shares.sum(axis=1)) - whole.sum(axis=1)
        order = np.argsort(whole - shares, axis=1, kind="stable")
        np.put_along_axis(whole, order, np.take_along_axis(whole, order, 1) + (_places(whole) < lacking[:, None]), 1)
        return Probabilities((whole / steps).astype(probabilities.dtype))


def _places(rows: FloatArray) -> FloatArray:
    return np.arange(rows.shape[1], dtype=np.float64)[None, :]
