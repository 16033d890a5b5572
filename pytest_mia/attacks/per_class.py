"""One threshold per class on a signal of the target alone, learnt on the other models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

LEAST_MEMBERS = 30
LEAST_GAINS = (0.0, 2.0)
MOST_THRESHOLDS = 256
MOST_VALUES = 100_000
ROUNDING = 1e-12
"""Values closer than this share of them are one, reached in different orders of sums."""


@dataclass(frozen=True)
class PerClass(Scored):
    """A signal minus its class's threshold (Song & Mittal 2021), on log-odds or on modified entropy.

    A class's threshold is the one with the largest advantage on the labelled pairs of the other models. A class with
    fewer than 30 labelled members, or that gains little by it, has the threshold of all classes together. How little,
    in standard errors, is tuned on the other models.
    """

    name: str
    signals: tuple[str, ...]
    least_shadows: int = 2
    family = "thresholds per class"
    summary = "guesses member where the signal is higher than its class's threshold"
    reference = Reference("Song and Mittal 2021")

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield signal - threshold of the record's class, for each least gain."""
        values = observations.signal(self.signals[0])
        for learnt in learn_thresholds(values, observations):
            yield partial(_above, values, learnt, observations.labels)


def _above(values: FloatArray, learnt: FloatArray, labels: IntArray, models: IntArray) -> FloatArray:
    return np.asarray(values[models] - learnt[models][:, labels])


def learn_thresholds(values: FloatArray, observations: Observations) -> FloatArray:
    """Thresholds (least gains, models, classes) of each model, learnt on all shadows but the model itself.

    Counts are whole numbers, so those of all shadows minus the model's own hold nothing of its memberships.
    """
    teachers = observations.references & observations.known.any(axis=1)
    grid = _grid(values[teachers])
    counted = [
        _counts(values[model], grid, observations.labels, observations.members[model], observations.known[model])
        for model in np.flatnonzero(teachers)
    ]
    nothing = np.zeros((2, int(observations.labels.max()) + 1, len(grid)), dtype=np.intp)
    total, own = sum(counted, nothing), iter(counted)
    learnt = [_learnt(total - (next(own) if teaches else nothing), grid) for teaches in teachers]
    return np.stack(learnt, axis=1)


def _grid(values: FloatArray) -> FloatArray:
    """Possible thresholds in rising order: quantiles of the signal over all classes of the models that teach."""
    some = values.ravel()[:: -(-values.size // MOST_VALUES)]
    grid = np.unique(np.quantile(some, np.linspace(0, 1, MOST_THRESHOLDS), method="nearest"))
    return np.asarray(grid[np.append(True, np.diff(grid) > ROUNDING * np.maximum(1.0, np.abs(grid[1:])))])


def _counts(row: FloatArray, grid: FloatArray, labels: IntArray, members: BoolArray, known: BoolArray) -> IntArray:
    """Known non-members and members (2, classes, thresholds) of one model whose signal reaches each threshold."""
    shape = (2, int(labels.max()) + 1, len(grid))
    reached = np.maximum(np.searchsorted(grid, row, side="right") - 1, 0)
    places = np.ravel_multi_index((members.astype(np.intp), labels, reached), shape)
    counts = np.bincount(places[known], minlength=np.prod(shape, dtype=int)).reshape(shape)
    return np.asarray(counts[..., ::-1].cumsum(axis=-1)[..., ::-1])


def _learnt(counts: IntArray, grid: FloatArray) -> FloatArray:
    """Thresholds (least gains, classes) from counts (2, classes, thresholds)."""
    advantages, sizes = _advantages(counts), counts[..., 0]
    common = int(_advantages(counts.sum(axis=1)).argmax())
    best = advantages.argmax(axis=-1)
    gain = advantages.max(axis=-1) - advantages[:, common]
    noise = np.sqrt((1 / np.maximum(sizes, 1)).sum(axis=0)) / 2
    helps = (gain > np.multiply.outer(LEAST_GAINS, noise)) & (sizes[1] >= LEAST_MEMBERS)
    return np.asarray(np.where(helps, grid[best], grid[common]))


def _advantages(counts: IntArray) -> FloatArray:
    """TPR - FPR (..., thresholds) of counts (2, ..., thresholds)."""
    rates = counts / np.maximum(counts[..., :1], 1)
    return np.asarray(rates[1] - rates[0])
