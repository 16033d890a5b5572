"""Labels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Labels
from pytest_mia.remedies.protocol import Remedy


@dataclass(frozen=True)
class Label(Remedy):
    """The likeliest class and no probability; the earlier one where two are as likely."""

    idea: ClassVar[str] = "labels alone"
    labels_alone: ClassVar[bool] = True

    def changed(self, probabilities: FloatArray) -> Labels:
        """The likeliest class of each record."""
        return Labels(np.asarray(probabilities.argmax(axis=1)))
