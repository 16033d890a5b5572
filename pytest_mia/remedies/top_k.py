"""The likeliest classes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Probabilities
from pytest_mia.remedies.protocol import Remedy, refuse


@dataclass(frozen=True)
class TopK(Remedy):
    """The probabilities of the k likeliest classes; all others share what is left in equal parts.

    That says no more than the k probabilities do, and sums to one as they alone don't.

    Attributes
    ----------
    k
        How many classes, 3 by default; the earlier one where two are as likely.
    """

    k: int = 3
    idea: ClassVar[str] = "the likeliest classes"

    def __post_init__(self) -> None:
        fits = isinstance(self.k, int) and not isinstance(self.k, bool) and self.k >= 1
        refuse("k", self.k, fits=fits, must="a whole number of at least 1")

    @classmethod
    def measured(cls, classes: int) -> Sequence[Remedy]:
        """The three likeliest classes; of four classes or fewer these are nearly all that there is."""
        return (cls(3),) if classes > 4 else ()

    def changed(self, probabilities: FloatArray) -> Probabilities:
        """The same with the rest levelled."""
        classes = probabilities.shape[1]
        if classes <= self.k:
            return Probabilities(probabilities)
        others = np.argsort(-probabilities, axis=1, kind="stable")[:, self.k :]
        level = np.take_along_axis(probabilities, others, axis=1).sum(axis=1, keepdims=True) / (classes - self.k)
        levelled = probabilities.copy()
        np.put_along_axis(levelled, others, np.broadcast_to(level, others.shape), axis=1)
        return Probabilities(levelled)
