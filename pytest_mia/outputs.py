"""Outputs of shadows that were trained elsewhere, in place of training any."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia import archive, dataset
from pytest_mia.answers import Answer, Labels, checked, interpret
from pytest_mia.arrays import BoolArray, IntArray
from pytest_mia.errors import InvalidAuditError, MIAUsageError
from pytest_mia.rows import as_array
from pytest_mia.signals import Signals, signals_of

FIELDS = ("outputs", "members", "labels")
FEWEST_MODELS = 4
ALWAYS_READ, MOST_TIMES = 2**28, 100
"""Bytes that a file may always unpack to, and how many times its own size: answers seldom pack so well."""


@dataclass(frozen=True)
class ModelOutputs:
    """Answers of several models on the same records.

    Attributes
    ----------
    outputs
        Class probabilities or logits (models, records, classes), or guessed labels (models, records).
    members
        Memberships (models, records): who trained on what. Each model's must be drawn independently.
    labels
        True labels (records,).
    """

    outputs: Any
    members: Any
    labels: Any


def read(given: Any) -> ModelOutputs:
    """Outputs from a `ModelOutputs`, a triple, a mapping, or the path of an npz file with these names.

    Raises
    ------
    MIAUsageError
        With everything that is missing or doesn't fit.
    """
    if isinstance(given, (str, os.PathLike)):
        given = _loaded(Path(given))
    if isinstance(given, Mapping):
        missing = [name for name in FIELDS if name not in given]
        if missing:
            raise MIAUsageError(f"mia_outputs lacks {', '.join(missing)}; it needs {', '.join(FIELDS)}")
        given = tuple(given[name] for name in FIELDS)
    outputs, members, labels = (
        (given.outputs, given.members, given.labels) if isinstance(given, ModelOutputs) else _triple(given)
    )
    values = ModelOutputs(_array("outputs", outputs), _array("members", members), _array("labels", labels))
    problems = _problems(values)
    if problems:
        raise MIAUsageError([f"mia_outputs: {problem}" for problem in problems])
    return values


def signals(given: ModelOutputs) -> tuple[list[Signals], BoolArray, IntArray]:
    """Signals of each model, memberships (models, records), and class codes (records,).

    Raises
    ------
    InvalidAuditError
        For answers that can't be judged, such as NaN; the message holds their count, the first record and the model.
    """
    classes, labels = dataset.encode(given.labels)
    if given.outputs.ndim == 3 and given.outputs.shape[2] > len(classes):
        # Classes that no record has still have their column.
        classes, labels = np.arange(given.outputs.shape[2]), np.asarray(given.labels).astype(np.intp)
    return (
        [signals_of(answer, labels) for answer in _answers(given.outputs, classes)],
        given.members.astype(bool),
        labels,
    )


def _answers(outputs: npt.NDArray[Any], classes: npt.NDArray[Any]) -> Iterator[Answer]:
    """Each model's answer; all are read as one, since logits of one model alone may look like probabilities."""
    models, records = outputs.shape[:2]
    answer = interpret(outputs.reshape(models * records, *outputs.shape[2:]), classes)
    kind: Callable[[Any], Answer] = type(answer)
    for model, part in enumerate(np.split(answer.codes if isinstance(answer, Labels) else answer.values, models)):
        try:
            yield checked(kind(part), records)
        except InvalidAuditError as error:
            error.add_note(f"in the outputs of model {model}")
            raise


def _loaded(path: Path) -> dict[str, Any]:
    remedy = f"give an npz file with {', '.join(FIELDS)}"
    if not path.is_file():
        raise MIAUsageError(f"mia_outputs: there is no file {path}; {remedy}")
    try:
        with path.open("rb") as file:
            most = max(ALWAYS_READ, MOST_TIMES * archive.size_of(file))
            return archive.read(file, most=most, names=FIELDS)
    except (OSError, ValueError) as error:
        raise MIAUsageError(
            f"mia_outputs: {path} can't be read ({error}); {remedy}, as numpy.savez writes it, and no Python objects"
        ) from None


def _array(name: str, value: Any) -> npt.NDArray[Any]:
    try:
        return as_array(value)
    except ValueError:
        raise MIAUsageError(f"mia_outputs: {name} hold entries of different lengths; they must be an array") from None


def _triple(given: Any) -> tuple[Any, Any, Any]:
    if isinstance(given, (tuple, list)) and len(given) == len(FIELDS):
        return given[0], given[1], given[2]
    raise MIAUsageError(
        f"mia_outputs must be ({', '.join(FIELDS)}) or an npz file with these, got {type(given).__name__}"
    )


def _problems(given: ModelOutputs) -> list[str]:
    if given.outputs.ndim not in (2, 3):
        shape = given.outputs.shape
        return [f"outputs must be (models, records, classes) or (models, records), got shape {shape}"]
    found = [*_membership_problems(given), *_label_problems(given)]
    if len(given.outputs) < FEWEST_MODELS:
        models = len(given.outputs)
        found.append(f"at least {FEWEST_MODELS} models are needed, each attacked with the others; got {models}")
    return found


def _membership_problems(given: ModelOutputs) -> list[str]:
    members, shape = given.members, given.outputs.shape[:2]
    if members.shape != shape:
        return [f"members must be (models, records) = {shape}, got shape {members.shape}"]
    if not np.isin(members, (0, 1)).all():
        return ["members must hold only 0 and 1, or False and True"]
    one_sided = np.flatnonzero((members == members[:, :1]).all(axis=1))
    return (
        [f"every model needs members and non-members; model {one_sided[0]} has one side only"] if len(one_sided) else []
    )


def _label_problems(given: ModelOutputs) -> list[str]:
    labels, records = given.labels, given.outputs.shape[1]
    if labels.shape != (records,):
        return [f"labels must be (records,) = {(records,)}, got shape {labels.shape}"]
    found = [f"labels: {problem}" for problem in dataset.problems(dataset.Dataset(labels, labels), needs_labels=True)]
    columns = given.outputs.shape[2] if given.outputs.ndim == 3 else 0
    if not found and columns > len(np.unique(labels)) and not np.isin(labels, np.arange(columns)).all():
        found.append(f"with {columns} columns of outputs, labels must be column numbers from 0 to {columns - 1}")
    return found
