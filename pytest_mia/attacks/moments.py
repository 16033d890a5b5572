"""Moments of a signal over the shadows of a target, with and without the record: what most attacks compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_mia.core.types import BoolArray, FloatArray, IntArray

BLOCK = 8192
"""Records whose moments are worked out at a time: few enough for the processor's own memory."""


@dataclass(frozen=True)
class Side:
    """Moments per record (..., records) over the shadows that had, or had not, the record in training.

    Attributes
    ----------
    count, mean, squares
        Number of shadows, mean of their signals (0 where there are none), and sum of squared deviations from it.
    """

    count: IntArray | FloatArray
    mean: FloatArray
    squares: FloatArray

    @property
    def spread(self) -> FloatArray:
        """Pooled variance (..., 1) within records; NaN-free, 0 where nothing varies."""
        return np.asarray(
            self.squares.sum(axis=-1, keepdims=True) / np.maximum(self.count.sum(axis=-1, keepdims=True), 1.0)
        )


class Moments:
    """Moments of a signal over the shadows of any target, each target left out of its own shadows.

    Running moments over the models before a target are joined with those over the models after it, so all targets
    together cost O(models x records). A target's own membership has no part in its own scores, not even in the last
    digit, where it could be read off as soon as scores tie. Signals that tie have exactly no variance.

    Parameters
    ----------
    values
        The signal (models, records).
    members
        Memberships (models, records).
    references
        Models (models,) that are shadows.
    count
        `shadows_of_sides` of these memberships, which other signals share.
    """

    def __init__(self, values: FloatArray, members: BoolArray, references: BoolArray, count: IntArray) -> None:
        self._count = count
        self._mean, self._squares = np.empty((2, *count.shape))
        for start in range(0, values.shape[1], BLOCK):
            part = np.s_[..., start : start + BLOCK]
            _leave_out(values[part], _sides(members[part], references), self._mean[part], self._squares[part])
        self.nbytes = self._mean.nbytes + self._squares.nbytes
        """What the moments take in memory."""

    def without(self, model: int | slice) -> tuple[Side, Side]:
        """Moments of the shadows that had each record, and of those that had not, `model` itself left out.

        Of several models they are those of each one, (models, records).
        """
        inside, outside = map(Side, self._count[:, model], self._mean[:, model], self._squares[:, model])
        return inside, outside


def shadows_of_sides(members: BoolArray, references: BoolArray) -> IntArray:
    """How many shadows, but for each model itself, had a record and had not (2, models, records)."""
    chosen = _sides(members, references)
    return np.asarray(np.subtract(chosen.sum(axis=1, dtype=np.int32)[:, None], chosen, dtype=np.int32))


def _sides(members: BoolArray, references: BoolArray) -> BoolArray:
    """Which models are shadows that had a record, and that had not (2, models, records)."""
    return np.stack([members, ~members]) & references[:, None]


def _leave_out(values: FloatArray, chosen: BoolArray, mean: FloatArray, squares: FloatArray) -> None:
    """Fill in moments (sides, models, records) of the chosen values of all models but each one."""
    nothing = Side(*np.zeros((3, len(chosen), values.shape[1])))
    before, after = nothing, nothing
    for model, row in enumerate(values):
        mean[:, model], squares[:, model] = before.mean, before.squares
        before = _followed(before, row, chosen[:, model])
    count = before.count
    for model in reversed(range(len(values))):
        count = count - chosen[:, model]
        found = joined(Side(count, mean[:, model], squares[:, model]), after)
        mean[:, model], squares[:, model] = found.mean, found.squares
        after = _followed(after, values[model], chosen[:, model])


def _followed(side: Side, row: FloatArray, chosen: BoolArray) -> Side:
    """Moments with one more model's chosen values (Welford 1962)."""
    count, change = side.count + chosen, row - side.mean
    step = change * (chosen / np.maximum(count, 1.0))
    return Side(count, side.mean + step, side.squares + change * step * side.count)


def joined(first: Side, second: Side) -> Side:
    """Moments of two sets of shadows together (Chan, Golub & LeVeque 1979); those of equal values stay exact."""
    count = first.count + second.count
    change = second.mean - first.mean
    step = change * (second.count / np.maximum(count, 1.0))
    return Side(count, first.mean + step, first.squares + second.squares + change * step * first.count)


def means(inside: Side, outside: Side) -> tuple[FloatArray, FloatArray]:
    """Mean signals as a member and as a non-member, with a missing side filled in from the other one.

    A record that no shadow had (or that all had) takes the side that exists, moved by the mean difference of those
    records that have both.
    """
    has_in, has_out = inside.count > 0, outside.count > 0
    if has_in.all() and has_out.all():
        return inside.mean, outside.mean
    difference = mean_of(inside.mean - outside.mean, has_in & has_out)
    return (
        np.where(has_in, inside.mean, outside.mean + difference),
        np.where(has_out, outside.mean, inside.mean - difference),
    )


def mean_outside(outside: Side) -> FloatArray:
    """Mean signal over the shadows that never saw the record; where there are none, that of the records that have some.

    It is 0 where no record has any.
    """
    has_out = outside.count > 0
    return outside.mean if has_out.all() else np.where(has_out, outside.mean, mean_of(outside.mean, has_out))


def mean_of(values: FloatArray | IntArray, some: BoolArray) -> FloatArray:
    """Mean (..., 1) of values (..., records) over some of the records; 0 where there are none."""
    if some.all():
        return np.asarray(values.mean(axis=-1, keepdims=True))
    count = some.sum(axis=-1, keepdims=True)
    return np.asarray((values * some).sum(axis=-1, keepdims=True) / np.maximum(count, 1))


def first_positive(*scales: FloatArray) -> FloatArray:
    """The first of several scales that is above 0; 1 where none is."""
    found: FloatArray | float = 1.0
    for scale in reversed(scales):
        found = np.where(scale > 0, scale, found)
    return np.asarray(found)
