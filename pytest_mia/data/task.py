"""What a model is asked to tell of a record: its class, numbers, several labels at once, or nothing but its likelihood.

The labels decide, and the model's own word where they leave it open; a loss function makes the question needless.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import IntArray
from pytest_mia.data.containers import described
from pytest_mia.data.dataset import as_labels
from pytest_mia.data.memberships import MOST_STRATA_SHARE, strata_of
from pytest_mia.models.answers import (
    Answer,
    LogOdds,
    Losses,
    Probabilities,
    Residuals,
    TokenLogProbabilities,
    checked,
    in_unit,
    interpret,
    numbers,
    smallest_probability,
)

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
    labels = _table(y)
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


def task_of_outputs(outputs: Any, labels: Any) -> Task:
    """Decide what labels ask where there are answers and no model: as of one that ``mia_predict`` speaks for.

    Residuals and losses have been compared with the truth already, so labels can't be mistaken for something else.
    """
    if isinstance(outputs, Losses) or labels is None:
        return Task.LIKELIHOOD
    return Task.NUMBERS if isinstance(outputs, Residuals) else task_of(labels, kind=None, own_predict=True)


def problems(y: Any, task: Task) -> list[str]:
    """What makes these labels unfit for their task, where that isn't classes."""
    labels = _table(y) if task in (Task.NUMBERS, Task.LABELS) else None
    if labels is None:
        return []
    bad = np.flatnonzero(~np.isfinite(labels).all(axis=1))
    if len(bad):
        return [f"y holds NaN or infinity in {len(bad)} of {len(labels)} records, first in record {bad[0]}"]
    constant = np.flatnonzero((labels == labels[:1]).all(axis=0)) if len(labels) else np.array([], dtype=np.intp)
    return [f"y holds the same value in all records, in column {constant[0]}"] if len(constant) else []


def strata(y: Any, task: Task, records: int) -> IntArray:
    """Group records by what their halves are balanced for: deciles of numbers, or which labels hold."""
    labels = _table(y) if task in (Task.NUMBERS, Task.LABELS) else None
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


def read(values: Any, classes: npt.NDArray[Any], y: Any) -> Answer:
    """Understand a model's answer: by the classes where there are some, otherwise against what `y` holds.

    Parameters
    ----------
    values
        What ``mia_predict``, a module or an estimator answered, in any type.
    classes
        The dataset's classes in order; empty for other tasks.
    y
        Labels of the records that the model was asked about.

    Raises
    ------
    MIAUsageError
        When the answer can't be read.
    """
    if isinstance(values, TokenLogProbabilities):
        return _tokens(values)
    if len(classes):
        return interpret(values, classes)
    wanted = None if y is None else _table(y)
    if wanted is None:
        raise MIAUsageError(
            f"without labels mia_predict must give pytest_mia.TokenLogProbabilities, got {described(values)}; give y, "
            "or mia_loss for models of another kind"
        )
    given = numbers(values)
    given = given.reshape(len(given), -1) if given.ndim < 2 else given
    if given.shape != wanted.shape or given.dtype.kind not in "biuf":
        raise MIAUsageError(
            f"the answer, a {described(values)}, can't be compared with y of shape {tuple(np.shape(y))}: "
            "give one number for each of its numbers"
        )
    return log_odds(given, wanted) if is_labels(wanted) else Residuals(wanted.astype(np.float64) - given)


def is_labels(y: Any) -> bool:
    """Whether these are several labels per record, each 0 or 1."""
    labels = _table(y)
    return labels is not None and labels.shape[1] > 1 and bool(np.isin(labels, (0, 1)).all())


def log_odds(given: npt.NDArray[Any], wanted: npt.NDArray[Any], *, probabilities: bool | None = None) -> LogOdds:
    """Log-odds of the truth from one probability, or one logit, per label.

    Parameters
    ----------
    given
        What the model answers (records, labels).
    wanted
        The truth, 0 or 1.
    probabilities
        Whether the answers are probabilities; where it isn't known, they are when all lie in 0 to 1.
    """
    if probabilities is False or (probabilities is None and not in_unit(given)):
        return LogOdds(np.where(wanted > 0, given, -given))
    checked(Probabilities(given), len(given))
    smallest = smallest_probability(given.dtype)
    true = np.asarray(np.where(wanted > 0, given, 1 - given), dtype=np.float64)
    return LogOdds(np.log(np.maximum(true, smallest)) - np.log(np.maximum(1 - true, smallest)))


def _of_columns(labels: npt.NDArray[Any], *, regressor: bool) -> Task:
    if np.isin(labels, (0, 1)).all():
        return Task.CLASSES if (labels.sum(axis=1) == 1).all() else Task.LABELS
    return Task.NUMBERS if labels.dtype.kind == "f" or regressor else Task.CLASSES


def _table(y: Any) -> npt.NDArray[Any] | None:
    """Labels as (records, columns), or ``None`` where they are no such thing."""
    try:
        labels = as_labels(y)
    except ValueError:  # entries of different lengths
        return None
    if labels.ndim not in (1, 2) or not labels.size:
        return None
    return labels.reshape(len(labels), -1)


def _tokens(answer: TokenLogProbabilities) -> TokenLogProbabilities:
    given = [None if each is None else numbers(each) for each in (answer.values, answer.means, answer.deviations)]
    values, means, deviations = given
    shapes = {each.shape for each in given if each is not None}
    if values is None or values.ndim != 2 or len(shapes) > 1 or (means is None) != (deviations is None):
        raise MIAUsageError(
            "TokenLogProbabilities needs values (records, tokens), and means and deviations of the same shape or "
            f"neither; got {', '.join(map(described, [each for each in given if each is not None]))}"
        )
    return TokenLogProbabilities(values.astype(np.float64), means, deviations)
