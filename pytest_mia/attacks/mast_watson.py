"""Difficulty calibration: a signal against what is to be expected of the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.moments import Side, mean_outside, means
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scored, Scorer, read, shadow_scores
from pytest_mia.core.types import FloatArray


@dataclass(frozen=True)
class Watson(Scored):
    """Log-odds minus their mean over the shadows that never saw the record (Watson et al. 2022).

    The paper takes the loss; on models that memorise, its differences are largest where a record is hard rather than
    where it was a member, and log-odds find twice as much.
    """

    name: str = "watson"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 1

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield phi - mean_out."""

        def score(phi: FloatArray, _inside: Side, outside: Side) -> FloatArray:
            return np.asarray(phi - mean_outside(outside))

        yield partial(shadow_scores, read(observations.signals.confidence), observations, score)


@dataclass(frozen=True)
class Mast(Scored):
    """A signal minus the middle of its means as a member and as a non-member (Sablayrolles et al. 2019, section 4).

    On ``correct`` it attacks models that answer with labels alone: being right counts for more on a hard record.
    """

    name: str = "mast"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 2

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield signal - (mean_in + mean_out) / 2."""
        values = read(getattr(observations.signals, self.signals[0]))
        yield partial(shadow_scores, values, observations, above_middle)


def above_middle(value: FloatArray, inside: Side, outside: Side) -> FloatArray:
    """How far a signal (records,) lies above the middle of its means as a member and as a non-member."""
    mean_in, mean_out = means(inside, outside)
    return np.asarray(value - (mean_in + mean_out) / 2)
