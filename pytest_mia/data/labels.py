"""Labels, groups and the like: one entry per record, as an array, numbered, what makes them unfit, and what they ask.

A model is asked to tell of a record its class, numbers, several labels at once, or nothing but its likelihood. The
labels decide, and the model's own word where they leave it open; a loss function makes the question needless.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import as_sortable, count, is_tensor
from pytest_mia.data.memberships import MOST_STRATA_SHARE, strata_of


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


def encode_by(labels: Any, classes: npt.NDArray[Any]) -> IntArray:
    """Index into `classes` of each label, and -1 for a label that isn't among them; 1, 1.0 and True are one label."""
    place = {label: code for code, label in enumerate(classes.tolist())}
    return np.array([place.get(label, -1) for label in as_labels(labels).tolist()], dtype=np.intp)


def number_groups(groups: Any) -> IntArray | None:
    """One number per record for the ids of groups, which may be of any kind; ``None`` where there are none."""
    return None if groups is None else np.unique(as_sortable(as_labels(groups)), return_inverse=True)[1]


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


def find_missing(labels: npt.NDArray[Any]) -> BoolArray:
    """Which entries are NaN, ``None``, NaT or pandas' NA."""
    if labels.dtype.kind != "O":
        return np.asarray(labels != labels)
    return np.array([_is_missing(label) for label in labels], dtype=bool)


def label_problems(y: Any) -> list[str]:
    """What makes these labels unfit to be classes, one per record."""
    try:
        labels = as_labels(y)
    except ValueError:
        return ["y holds entries of different lengths; it needs one label per record"]
    if labels.ndim != 1:
        remedy = "y.ravel()" if labels.shape[1:] == (1,) else "for one-hot rows y.argmax(axis=1)"
        return [f"y has shape {labels.shape}; it needs one label per record: {remedy}"]
    found = missing_problems("y", "label", y)
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


def missing_problems(name: str, what: str, values: Any) -> list[str]:
    """Where entries are missing among the `values` of this name, each of which is a `what`."""
    lost = np.flatnonzero(find_missing(as_labels(values)))
    where = f"{len(lost)} of {count(values)} records, first in record {lost[0]}" if len(lost) else ""
    return [f"{name}: no {what} in {where}; leave them out or fill them in"] if where else []


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


FEW_VALUES = 20
FEW_SHARE = 0.1


class Task(Enum):
    """What `y` holds."""

    CLASSES = "one class per record"
    NUMBERS = "one number per record, or several: a regression"
    LABELS = "several labels per record, each 0 or 1"
    LIKELIHOOD = "nothing: the model tells how likely the record itself is"


def task_of(y: Any, *, kind: str | None, own_predict: bool) -> Task:
    """Decide what `y` asks of a model.

    Several columns of 0 and 1 are labels, unless each row holds exactly one 1, which would be one-hot classes; several
    columns of fractions are numbers. A single column of floats is numbers where the model says that it is a regressor,
    and classes where it says that it is a classifier. Where it says nothing, or where ``mia_predict`` speaks for it,
    floats are numbers as soon as they have more distinct values than 20 and than a tenth of the records. Whole numbers
    of an integer type are classes, unless the model is a regressor and their distinct values are that many.

    Parameters
    ----------
    y
        Labels in any of the supported types, or ``None``.
    kind
        What the model says that it is, as scikit-learn's protocol has it: "classifier", "regressor"...
    own_predict
        Whether ``mia_predict`` is given.
    """
    if y is None:
        return Task.LIKELIHOOD if own_predict else Task.CLASSES
    labels = as_table(y)
    if labels is None or labels.dtype.kind not in "biuf":
        return Task.CLASSES
    if labels.shape[1] > 1:
        return _of_columns(labels, regressor=kind == "regressor")
    column, regressor = labels[:, 0], kind == "regressor" and not own_predict
    if kind == "classifier" and not own_predict:
        return Task.CLASSES
    many = len(np.unique(column)) > max(FEW_VALUES, FEW_SHARE * len(column))
    if column.dtype.kind == "f":
        fractions = kind == "regressor" and bool((column != np.round(column)).any())
        return Task.NUMBERS if many or regressor or fractions else Task.CLASSES
    return Task.NUMBERS if regressor and many else Task.CLASSES


def task_problems(y: Any, task: Task) -> list[str]:
    """What makes these labels unfit for their task, where that isn't classes."""
    labels = as_table(y) if task in (Task.NUMBERS, Task.LABELS) else None
    if labels is None:
        return []
    bad = np.flatnonzero(~np.isfinite(labels).all(axis=1))
    if len(bad):
        return [f"y holds NaN or infinity in {len(bad)} of {len(labels)} records, first in record {bad[0]}"]
    constant = np.flatnonzero((labels == labels[:1]).all(axis=0)) if len(labels) else np.array([], dtype=np.intp)
    return [f"y holds the same value in all records, in column {constant[0]}"] if len(constant) else []


def strata(y: Any, task: Task, records: int) -> IntArray:
    """Group records by what their halves are balanced for: deciles of numbers, or which labels hold."""
    labels = as_table(y) if task in (Task.NUMBERS, Task.LABELS) else None
    if labels is None:
        return strata_of(y if task is Task.CLASSES else None, records)
    if task is Task.NUMBERS:
        with np.errstate(over="ignore"):
            # A column whose spread is beyond all numbers divides nothing.
            spread = labels.std(axis=0)
        return strata_of((labels / np.where(spread > 0, spread, 1)).sum(axis=1), records)
    patterns, codes = np.unique(labels, axis=0, return_inverse=True)
    few = len(patterns) <= MOST_STRATA_SHARE * records
    return strata_of(codes.ravel() if few else labels.sum(axis=1), records)


def is_labels(y: Any) -> bool:
    """Whether these are several labels per record, each 0 or 1."""
    labels = as_table(y)
    return labels is not None and labels.shape[1] > 1 and bool(np.isin(labels, (0, 1)).all())


def _of_columns(labels: npt.NDArray[Any], *, regressor: bool) -> Task:
    if np.isin(labels, (0, 1)).all():
        return Task.CLASSES if (labels.sum(axis=1) == 1).all() else Task.LABELS
    return Task.NUMBERS if labels.dtype.kind == "f" or regressor else Task.CLASSES


def as_table(y: Any) -> npt.NDArray[Any] | None:
    """Labels as (records, columns), or ``None`` where they are no such thing."""
    try:
        labels = as_labels(y)
    except ValueError:  # entries of different lengths
        return None
    if labels.ndim not in (1, 2) or not labels.size:
        return None
    return labels.reshape(len(labels), -1)
