"""The records of an audit: what the user gives, checked, with its classes numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import seeded
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import concatenate, count, described, is_tensor, sortable, stacked, take

__all__ = [
    "Dataset",
    "Target",
    "as_dataset",
    "as_labels",
    "codes_of",
    "concatenate",
    "count",
    "encode",
    "numbered",
    "problems",
    "take",
]

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
    """Read what the user gave as his dataset.

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
    raise MIAUsageError(f"got {described(value)} as dataset; give {ACCEPTED}")


def encode(y: Any) -> tuple[npt.NDArray[Any], IntArray]:
    """Number the classes.

    Parameters
    ----------
    y
        One label per record, checked by `problems`.

    Returns
    -------
    classes : ndarray of shape (classes,)
        The distinct labels in order, like scikit-learn's ``classes_``.
    codes : ndarray of shape (records,)
        Index into `classes` of each record's label.
    """
    classes, codes = np.unique(as_labels(y), return_inverse=True)
    return classes, codes.astype(np.intp)


def codes_of(labels: Any, classes: npt.NDArray[Any]) -> IntArray:
    """Index into `classes` of each label, and -1 for a label that isn't among them; 1, 1.0 and True are one label."""
    place = {label: code for code, label in enumerate(classes.tolist())}
    return np.array([place.get(label, -1) for label in as_labels(labels).tolist()], dtype=np.intp)


def numbered(groups: Any) -> IntArray | None:
    """One number per record for the ids of groups, which may be of any kind; ``None`` where there are none."""
    return None if groups is None else np.unique(sortable(as_labels(groups)), return_inverse=True)[1]


def as_labels(y: Any) -> npt.NDArray[Any]:
    """Labels as an array; objects where numpy would turn a missing value, or a mixture, into strings."""
    if is_tensor(y):
        y = y.detach().cpu()
    if hasattr(y, "to_numpy"):
        return np.asarray(y.to_numpy())
    labels = np.asarray(y)
    if (
        not hasattr(y, "dtype")
        and labels.dtype.kind in "US"
        and not all(isinstance(label, (str, bytes)) for label in y)
    ):
        return np.array([*y], dtype=object)
    return labels


def problems(dataset: Dataset, *, needs_labels: bool) -> list[str]:
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
        found.append(
            f"slices must map names to one value per record, such as {{'sex': [...]}}, got {described(slices)}"
        )
    for name, values in columns.items():
        found += [] if values is None else _length_problems(name, values, size)
    if dataset.groups is not None and not found:
        found += _missing_problems("groups", "id", dataset.groups)
    if needs_labels and not found:
        found += _label_problems(dataset.y)
    return found


def missing(labels: npt.NDArray[Any]) -> BoolArray:
    """Which entries are NaN, ``None``, NaT or pandas' NA."""
    if labels.dtype.kind != "O":
        return np.asarray(labels != labels)
    return np.array([_is_missing(label) for label in labels], dtype=bool)


def _length_problems(name: str, values: Any, size: int) -> list[str]:
    try:
        length = count(values)
    except MIAUsageError as error:
        return [f"{name}: {error}"]
    return [] if length == size else [f"X holds {size} records and {name} {length}; both need the same number"]


def _label_problems(y: Any) -> list[str]:
    try:
        labels = as_labels(y)
    except ValueError:
        return ["y holds entries of different lengths; it needs one label per record"]
    if labels.ndim != 1:
        remedy = "y.ravel()" if labels.shape[1:] == (1,) else "for one-hot rows y.argmax(axis=1)"
        return [f"y has shape {labels.shape}; it needs one label per record: {remedy}"]
    found = _missing_problems("y", "label", y)
    if found:
        return found
    broken = np.flatnonzero(labels != np.round(labels)) if labels.dtype.kind == "f" else np.array([])
    if len(broken):
        return [
            f"y holds fractions, first in record {broken[0]}, which are no classes; "
            "for regression give mia_loss, or a model that says it is a regressor"
        ]
    try:
        classes = np.unique(labels)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        return [f"y mixes labels of types {', '.join(kinds)}; they need one type"]
    return [] if len(classes) > 1 else [f"y holds one class only ({classes.tolist()[0]!r}); at least 2 are needed"]


def _missing_problems(name: str, what: str, values: Any) -> list[str]:
    lost = np.flatnonzero(missing(as_labels(values)))
    where = f"{len(lost)} of {count(values)} records, first in record {lost[0]}" if len(lost) else ""
    return [f"{name}: no {what} in {where}; leave them out or fill them in"] if where else []


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


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
            raise MIAUsageError(f"record {index} of {described(value)} is {got}, not a pair (x, y); give {ACCEPTED}")
    return Dataset(stacked([x for x, _ in records]), stacked([y for _, y in records]))
