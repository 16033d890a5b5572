"""What a model is asked to tell of a record: its class, numbers, several labels at once, or nothing but its likelihood.

The labels decide, and the model's own word where they leave it open; a loss function makes the question needless.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.types import IntArray
from pytest_mia.data.labels import as_labels
from pytest_mia.data.memberships import MOST_STRATA_SHARE, strata_of

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


def find_problems(y: Any, task: Task) -> list[str]:
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
