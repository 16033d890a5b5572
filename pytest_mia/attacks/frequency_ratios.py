"""Attacks on answers that are categories, such as labels: how often the shadows gave this very answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import OURS, Reference, Scored, Scorer
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

WEIGHTS = ((1.0, 1.0), (4.0, 4.0), (0.5, 16.0))
"""As how many shadows, with and without the record, the frequency among all records of the class counts.

The last one is for models that have one answer for each of their members and any other one for the rest. The other
models decide.
"""


@dataclass(frozen=True)
class FrequencyRatio(Scored):
    """Log ratio of an answer's frequency among the shadows with the record to that among those without (ours).

    Right or wrong is one of two answers; which wrong label is answered may tell more, where training labels are noised
    or wrong. Frequencies are those of few shadows, so each side's are drawn to the frequency of this answer on that
    side among all records of the class. What no shadow answered tells nothing.
    """

    name: str = "label_frequency"
    signals: tuple[str, ...] = ("answered",)
    least_shadows: int = 2
    family: str = "frequency ratio"
    summary: str = "compares how often shadows with and without the record gave the label that the target gives"
    reference: Reference = OURS

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the log ratio of each category of the answer, for each weight."""
        values = observations.signal(self.signals[0])
        for each in values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0):
            for weights in WEIGHTS:
                yield partial(_compare_frequencies, observations, each, weights)


LABEL_FREQUENCY = FrequencyRatio()
DIGIT_FREQUENCY = FrequencyRatio(
    "digit_frequency",
    ("digits",),
    summary="compares how often shadows with and without the record answered with so many digits",
)


def _compare_frequencies(
    observations: Observations, values: FloatArray, weights: tuple[float, float], models: IntArray
) -> FloatArray:
    """Log ratios (models, records); 0 where all shadows answer alike, since nothing can then be told."""
    references = values[observations.references]
    if (references == references[:1]).all():
        return np.zeros((len(models), values.shape[1]))
    # Of what the shadows answer: a target's score doesn't depend on what other targets do.
    kinds = len(np.unique(references))
    sides = [observations.references[:, None] & chosen for chosen in (observations.members, ~observations.members)]
    _, categories = np.unique(values, return_inverse=True)
    categories = categories.reshape(values.shape)
    alike = [_count_alike(categories, side)[models] for side in sides]
    shadows = [(side.sum(axis=0) - side)[models] for side in sides]
    inside, outside = (
        (same + weight * prior) / (count + weight)
        for same, count, prior, weight in zip(
            alike, shadows, _priors(categories, observations.labels, sides, models, kinds), weights, strict=True
        )
    )
    return np.asarray(np.log(inside) - np.log(outside))


def _count_alike(categories: IntArray, side: BoolArray) -> FloatArray:
    """How many other models of a side (models, records) gave each model's answer on the same record."""
    cells = categories + np.arange(categories.shape[1]) * (categories.max() + 1)
    _, places = np.unique(cells, return_inverse=True)
    places = places.reshape(cells.shape)
    return np.asarray(np.bincount(places.ravel(), weights=side.ravel())[places] - side)


def _priors(
    categories: IntArray, labels: IntArray, sides: list[BoolArray], models: IntArray, known: int
) -> tuple[FloatArray, FloatArray]:
    """Frequency of each model's answer among other models' answers on a class, on either side (models, records)."""
    kinds = categories.max() + 1
    cells, size = labels * kinds + categories, (labels.max() + 1) * kinds
    # A target's own answers are taken off, so that its own membership has no part in its scores.
    own = np.stack([[_table(cells[model], side[model], size) for model in range(len(cells))] for side in sides])
    counts = own.sum(axis=1)[:, None] - own[:, models]
    classes = counts.reshape(*counts.shape[:2], -1, kinds)
    both = classes.sum(axis=0)
    pooled = (both + 1 / known) / (both.sum(axis=-1, keepdims=True) + 1)
    shares = (classes + pooled) / (classes.sum(axis=-1, keepdims=True) + 1)
    found = shares.reshape(counts.shape)
    rows = np.arange(len(models))[:, None]
    return found[0][rows, cells[models]], found[1][rows, cells[models]]


def _table(cells: IntArray, side: BoolArray, size: int) -> FloatArray:
    return np.asarray(np.bincount(cells, weights=side, minlength=size), dtype=np.float64)
