"""Datasets put together and taken apart, with all that is known about their records."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.types import BoolArray
from pytest_mia.data import dataset
from pytest_mia.data.dataset import Dataset


def taken(records: Dataset, rows: BoolArray) -> Dataset:
    """Some of the records.

    Parameters
    ----------
    records
        The dataset.
    rows
        Which of them (records,).
    """
    parts = (records.X, records.y, records.groups)
    X, y, groups = (None if part is None else dataset.take(part, rows) for part in parts)
    slices = records.slices
    return Dataset(
        X, y, groups, None if slices is None else {name: dataset.take(slices[name], rows) for name in slices}
    )


def joined(first: Dataset, second: Dataset) -> Dataset:
    """The records of both, with the groups of either and with those slices that both have.

    A group may have records in both. Where only one of the two has groups, each record of the other is one by itself.

    Raises
    ------
    MIAUsageError
        When the two are of different types, or differ in shape, columns or categories.
    """
    y = None if first.y is None and second.y is None else dataset.concatenate(first.y, second.y)
    return Dataset(dataset.concatenate(first.X, second.X), y, _groups(first, second), _slices(first, second))


def _groups(first: Dataset, second: Dataset) -> npt.NDArray[np.intp] | None:
    if first.groups is None and second.groups is None:
        return None
    names: list[Any] = []
    for side, part in enumerate((first, second)):
        alone = [(side, record) for record in range(dataset.count(part.X))]
        names += alone if part.groups is None else dataset.as_labels(part.groups).tolist()
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def _slices(first: Dataset, second: Dataset) -> dict[str, list[Any]] | None:
    if first.slices is None or second.slices is None:
        return None
    return {name: [*first.slices[name], *second.slices[name]] for name in first.slices if name in second.slices}
