"""Labels, groups and the like: one entry per record, as an array, numbered, and what makes them unfit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import as_sortable, count, is_tensor


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
