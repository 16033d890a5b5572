"""The records of an audit: what the user gives, checked, with its classes numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import seeded
from pytest_mia.core.types import BoolArray
from pytest_mia.data.containers import concatenate, count, describe, stack_records, take
from pytest_mia.data.labels import as_labels, label_problems, missing_problems

ACCEPTED = "a tuple (X, y), a pytest_mia.Dataset(X, y, groups=..., slices=...), or a map-style torch Dataset"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Records with what is known about them.

    Attributes
    ----------
    X
        Features: array, DataFrame, sparse matrix, tensor, list of texts, or anything else with one row per record.
    y
        One label per record: strings, integers, bools for classes, floats for a regression; several columns of floats
        for a regression with several outputs, of 0 and 1 for labels that may hold at once; with a loss function
        anything, or ``None``, and ``None`` for language models.
    groups
        One id per record, such as a patient's; records of one group are members together or not at all.
    slices
        Name of each slice with one value per record (a mapping or a DataFrame), such as ``{"sex": [...]}``.
    """

    X: Any
    y: Any
    groups: Any = None
    slices: Any = None


@dataclass(frozen=True, eq=False)
class Target:
    """An already trained model to audit, with records that it was trained on and records that it was not.

    Attributes
    ----------
    model
        The trained model.
    members
        Records of its training data, in any form that ``mia_dataset`` takes.
    nonmembers
        Records from the same source that it has never seen.
    validation
        Records that it wasn't trained on and was chosen by: early stopping, hyper-parameters. They are no non-members,
        and are left out where they stand among these; by default there are none.
    """

    model: Any
    members: Any
    nonmembers: Any
    validation: Any = None


def as_dataset(value: Any) -> Dataset:
    """Understand what the user gave as the dataset.

    Parameters
    ----------
    value
        A `Dataset`, a pair (X, y), or a map-style torch Dataset of such pairs, which is read once, record by record.

    Raises
    ------
    MIAUsageError
        For anything else; the message says what was given and what is accepted.
    """
    if isinstance(value, Dataset):
        return value
    if isinstance(value, (tuple, list)):
        if len(value) == 2:
            return Dataset(value[0], value[1])
        raise MIAUsageError(f"got a {type(value).__name__} of {len(value)} as dataset; give {ACCEPTED}")
    if _is_map_style(value):
        return _materialised(value)
    raise MIAUsageError(f"got {describe(value)} as dataset; give {ACCEPTED}")


def find_problems(dataset: Dataset, *, needs_labels: bool) -> list[str]:
    """Everything that makes these records unfit for an audit, each with its remedy.

    Parameters
    ----------
    dataset
        The records.
    needs_labels
        Whether `y` must hold classes; without, it may be anything that has one entry per record, or ``None``.
    """
    try:
        size = count(dataset.X)
    except MIAUsageError as error:
        return [f"X: {error}"]
    found = ["the dataset is empty"] if size == 0 else []
    if size and 0 in getattr(dataset.X, "shape", (1,))[1:]:
        found.append(f"X has shape {tuple(dataset.X.shape)}, so its records have no features; give at least one column")
    if needs_labels and dataset.y is None:
        found.append("y is missing; give one label per record, or mia_loss or mia_predict for models without classes")
    columns = {"y": dataset.y, "groups": dataset.groups}
    slices = {} if dataset.slices is None else dataset.slices
    if hasattr(slices, "keys"):
        columns |= {f"slice {name!r}": slices[name] for name in slices.keys()}  # noqa: SIM118 - or a frame's columns
    else:
        found.append(f"slices must map names to one value per record, such as {{'sex': [...]}}, got {describe(slices)}")
    for name, values in columns.items():
        found += [] if values is None else _length_problems(name, values, size)
    if dataset.groups is not None and not found:
        found += missing_problems("groups", "id", dataset.groups)
    if needs_labels and not found:
        found += label_problems(dataset.y)
    return found


def take_records(records: Dataset, rows: BoolArray) -> Dataset:
    """Some of the records.

    Parameters
    ----------
    records
        The dataset.
    rows
        Which of them (records,).
    """
    parts = (records.X, records.y, records.groups)
    X, y, groups = (None if part is None else take(part, rows) for part in parts)
    slices = records.slices
    return Dataset(X, y, groups, None if slices is None else {name: take(slices[name], rows) for name in slices})


def join_datasets(first: Dataset, second: Dataset) -> Dataset:
    """The records of both, with the groups of either and with those slices that both have.

    A group may have records in both. Where only one of the two has groups, each record of the other is one by itself.

    Raises
    ------
    MIAUsageError
        When the two are of different types, or differ in shape, columns or categories.
    """
    y = None if first.y is None and second.y is None else concatenate(first.y, second.y)
    return Dataset(concatenate(first.X, second.X), y, _joined_groups(first, second), _joined_slices(first, second))


def _length_problems(name: str, values: Any, size: int) -> list[str]:
    try:
        length = count(values)
    except MIAUsageError as error:
        return [f"{name}: {error}"]
    return [] if length == size else [f"X holds {size} records and {name} {length}; both need the same number"]


def _is_map_style(value: Any) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or hasattr(value, "shape") or hasattr(value, "iloc"):
        return False
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, type)


def _materialised(value: Any) -> Dataset:
    # Records may be augmented at random as they are read; the seed makes every run see the same.
    with seeded(0):
        records = [value[index] for index in range(len(value))]
    for index, record in enumerate(records):
        if not (isinstance(record, (tuple, list)) and len(record) == 2):
            got = f"a {type(record).__name__}" + (f" of {len(record)}" if isinstance(record, (tuple, list)) else "")
            raise MIAUsageError(f"record {index} of {describe(value)} is {got}, not a pair (x, y); give {ACCEPTED}")
    return Dataset(stack_records([x for x, _ in records]), stack_records([y for _, y in records]))


def _joined_groups(first: Dataset, second: Dataset) -> npt.NDArray[np.intp] | None:
    if first.groups is None and second.groups is None:
        return None
    names: list[Any] = []
    for side, part in enumerate((first, second)):
        alone = [(side, record) for record in range(count(part.X))]
        names += alone if part.groups is None else as_labels(part.groups).tolist()
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def _joined_slices(first: Dataset, second: Dataset) -> dict[str, list[Any]] | None:
    if first.slices is None or second.slices is None:
        return None
    return {name: [*first.slices[name], *second.slices[name]] for name in first.slices if name in second.slices}
