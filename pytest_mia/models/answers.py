"""What a model answers on every record, with columns aligned to the dataset's classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.containers import as_array, describe, is_tensor
from pytest_mia.data.labels import encode_by

ROUNDING = 1e-6
"""Probabilities may pass 0 and 1 by this much."""
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Class probabilities (records, classes). Rows need not sum to one: rounded and top-k answers don't."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class Logits:
    """Unnormalised log-probabilities (records, classes); minus infinity for a class that is impossible."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class Labels:
    """Guessed classes as codes (records,); -1 for a guess that is none of the dataset's classes."""

    codes: IntArray


@dataclass(frozen=True, eq=False)
class Losses:
    """One loss per record (records,), lower where the model fits better.

    Attributes
    ----------
    values
        The losses; of several models, for `pytest_mia.audit_outputs`, (models, records).
    """

    values: FloatArray


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is left of a regression, y - f(x), with its sign: (records, outputs).

    Attributes
    ----------
    values
        The differences; of several models, for `pytest_mia.audit_outputs`, (models, records) or (models, records,
        outputs).
    raw
        What the model answered, where the differences are ours: its digits are looked at.
    """

    values: FloatArray
    raw: FloatArray | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True, eq=False)
class LogOdds:
    """Where several labels may hold at once: log-odds of the truth about each of them (records, labels).

    They are infinite where a label's probability is exactly 0 or 1. `raw` is what the model answered, where the
    log-odds are ours: its digits are looked at.
    """

    values: FloatArray
    raw: FloatArray | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True, eq=False)
class TokenLogProbabilities:
    """What a language model answers on texts: the log-probability of each token after those before it.

    Attributes
    ----------
    values
        Natural logarithms (records, tokens), at most 0; NaN where a text has ended. Of several models, for
        `pytest_mia.audit_outputs`, (models, records, tokens).
    means, deviations
        Mean and standard deviation of log p(v) over the vocabulary, v drawn from the model's own next-token
        distribution at that place, for Min-K%++ (Zhang et al. 2025, eq. 3); both or neither.
    """

    values: FloatArray
    means: FloatArray | None = None
    deviations: FloatArray | None = None


Answer = Probabilities | Logits | Labels | Losses | Residuals | LogOdds | TokenLogProbabilities


def check_answer(answer: Answer, number_of_records: int) -> Answer:
    """The answer, if every number in it can be judged.

    Parameters
    ----------
    answer
        A model's answer.
    number_of_records
        How many records it was asked about.

    Raises
    ------
    InvalidAuditError
        For a wrong number of rows, NaN, infinite losses, logits of infinity or of minus infinity for every class,
        probabilities below 0 or above 1, and log-probabilities above 0; the message holds their count and the first
        record.
    """
    values = answer.codes if isinstance(answer, Labels) else answer.values
    if len(values) != number_of_records:
        raise InvalidAuditError(f"the model gave {len(values)} answers on {number_of_records} records")
    if isinstance(answer, Labels):
        return answer
    if isinstance(answer, TokenLogProbabilities):
        return _checked_tokens(answer)
    _refuse(np.isnan(values), "NaN")
    if isinstance(answer, Probabilities):
        _refuse((values < -ROUNDING) | (values > 1 + ROUNDING), "probabilities outside of 0 to 1")
    elif isinstance(answer, Logits):
        # Minus infinity is the logarithm of a probability of zero.
        _refuse(np.isposinf(values), "infinite values")
        _refuse(np.asarray(np.isneginf(values).all(axis=1)), "minus infinity for every class")
    elif not isinstance(answer, LogOdds):
        _refuse(np.isinf(values), "infinite values")
    return answer


def interpret(values: Any, classes: npt.NDArray[Any]) -> Answer:
    """Understand what ``mia_predict``, or a module, answered.

    Parameters
    ----------
    values
        Array, frame or tensor, on any device: class labels (records,); probabilities or logits (records, classes); with
        two classes also one column, for the second of them: a probability when all are in 0 to 1, else a logit.
    classes
        The dataset's classes in order, one per column.

    Raises
    ------
    MIAUsageError
        When the shape fits none of these, or no label is one of the dataset's.
    """
    array = as_numbers(values)
    column = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if column.ndim == 1 and (array.ndim == 1 or column.dtype.kind != "f"):
        codes = encode_by(column, classes)
        if (codes >= 0).all() or (column.dtype.kind != "f" and (codes >= 0).any()):
            return Labels(codes)
    if array.ndim == 2 and array.shape[1] == len(classes) and array.dtype.kind == "f":
        return _scores(array)
    if column.ndim == 1 and len(classes) == 2 and column.dtype.kind == "f":
        return expand_one_column(column)
    shown = ", ".join(map(repr, classes[:3].tolist())) + (", ..." if len(classes) > 3 else "")
    raise MIAUsageError(
        f"the answer, a {describe(values)}, can't be read for {len(classes)} classes ({shown}): give class labels "
        f"(records,), or probabilities or logits (records, {len(classes)})"
    )


def as_logits(values: Any, classes: npt.NDArray[Any]) -> Answer:
    """Understand the answer of a module that was trained on a loss of logits.

    Unlike `interpret` it takes values that happen to be in 0 to 1 for logits, unless their rows sum to one.

    Raises
    ------
    MIAUsageError
        As `interpret`.
    """
    array = as_numbers(values)
    if array.dtype.kind == "f" and array.size == len(array) and len(classes) == 2:
        return _two_logits(array.reshape(len(array)))
    answer = interpret(values, classes)
    if isinstance(answer, Probabilities) and (np.abs(array.sum(axis=1) - 1) > SUM_TOLERANCE).any():
        return Logits(array)
    return answer


def expand_one_column(column: FloatArray) -> Answer:
    """Two columns from one for the second class: 1 - p and p, or 0 and the logit, so that their difference stays."""
    if in_unit(column):
        return Probabilities(np.stack([1 - column, column], axis=1))
    return _two_logits(column)


def read_losses(values: Any) -> Losses:
    """Understand what ``mia_loss`` answered: one value per record.

    Raises
    ------
    MIAUsageError
        When it isn't; one loss for all records, for instance.
    """
    array = as_numbers(values)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise MIAUsageError(
            f"mia_loss gave a {describe(values)}; it must give one loss per record (records,), as reduction='none' does"
        )
    return Losses(array if array.dtype.kind == "f" else array.astype(np.float64))


def as_numbers(values: Any) -> npt.NDArray[Any]:
    """Values as an array: half precision as float32, several columns of integers as float64, all else as it is."""
    if is_tensor(values) and values.is_floating_point() and values.element_size() < 4:
        values = values.float()
    array = as_array(values)
    if array.dtype.kind == "f":
        return array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
    counts = array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biu"
    return array.astype(np.float64) if counts else array


def _checked_tokens(answer: TokenLogProbabilities) -> TokenLogProbabilities:
    ended = np.isnan(answer.values)
    _refuse(np.asarray(ended.all(axis=1)), "NaN for every token")
    _refuse(answer.values > ROUNDING, "log-probabilities above 0")
    _refuse(np.isinf(answer.values), "infinite values")
    if answer.means is not None and answer.deviations is not None:
        known = np.isfinite(answer.means) & np.isfinite(answer.deviations) & (answer.deviations >= 0)
        _refuse(~(known | ended), "means or deviations that are no numbers, or below 0")
    return answer


def _scores(array: FloatArray) -> Answer:
    return Probabilities(array) if in_unit(array) else Logits(array)


def _two_logits(column: FloatArray) -> Logits:
    return Logits(np.stack([np.zeros_like(column), column], axis=1))


def in_unit(values: FloatArray) -> bool:
    """Whether all values may be probabilities."""
    return not ((values < -ROUNDING) | (values > 1 + ROUNDING)).any()


def _refuse(bad: BoolArray, what: str) -> None:
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    if len(rows):
        where = f"{len(rows)} of {len(bad)} records, first on record {rows[0]}"
        raise InvalidAuditError(f"the model answers {what} on {where}")
