"""Softened probabilities."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Logits, Probabilities
from pytest_mia.remedies.protocol import Remedy, refuse


@dataclass(frozen=True)
class Tempered(Remedy):
    """Probabilities at a temperature that is fixed beforehand: p ** (1 / T), made to sum to one (Guo et al. 2017).

    Every label stays, and so does the order of all answers: an attacker who knows the temperature can undo it. It is
    measured to show that it protects little.

    Attributes
    ----------
    temperature
        T, above 0; 2 by default. More than 1 softens.
    """

    temperature: float = 2.0
    idea: ClassVar[str] = "probabilities softened"

    def __post_init__(self) -> None:
        value = self.temperature
        fits = isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 < value < math.inf
        refuse("temperature", value, fits=fits, must="a number above 0")

    def probabilities(self, answer: Probabilities | Logits) -> FloatArray:
        """Of logits, at the temperature straight away: where probabilities round to 0 there is nothing to soften."""
        if isinstance(answer, Logits):
            return np.asarray(special.softmax(answer.values / self.temperature, axis=1))
        raised = np.clip(answer.values, 0.0, 1.0) ** (1 / self.temperature)
        whole = raised.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(raised, whole, out=raised, where=whole > 0))

    def changed(self, probabilities: FloatArray) -> Probabilities:
        """The same, since they are at the temperature already."""
        return Probabilities(probabilities)
