"""Outputs of shadows that were trained elsewhere, in place of training any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_mia import dataset
from pytest_mia.answers import checked, interpret
from pytest_mia.arrays import BoolArray, IntArray
from pytest_mia.errors import MIAUsageError
from pytest_mia.signals import Signals, signals_of

FIELDS = ("outputs", "members", "labels")


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
        path = Path(given)
        if not path.is_file():
            raise MIAUsageError(f"mia_outputs: there is no file {path}; give an npz file with {', '.join(FIELDS)}")
        with np.load(path, allow_pickle=False) as archive:
            given = dict(archive)
    if isinstance(given, Mapping):
        missing = [name for name in FIELDS if name not in given]
        if missing:
            raise MIAUsageError(f"mia_outputs lacks {', '.join(missing)}; it needs {', '.join(FIELDS)}")
        given = tuple(given[name] for name in FIELDS)
    outputs, members, labels = (
        (given.outputs, given.members, given.labels) if isinstance(given, ModelOutputs) else _triple(given)
    )
    values = ModelOutputs(np.asarray(outputs), np.asarray(members), np.asarray(labels))
    problems = _problems(values)
    if problems:
        raise MIAUsageError([f"mia_outputs: {problem}" for problem in problems])
    return values


def signals(given: ModelOutputs) -> tuple[list[Signals], BoolArray, IntArray]:
    """Signals of each model, memberships (models, records), and class codes (records,)."""
    classes, labels = dataset.encode(given.labels)
    if given.outputs.ndim == 3 and given.outputs.shape[2] > len(classes):
        # Classes that no record has still have their column.
        classes, labels = np.arange(given.outputs.shape[2]), np.asarray(given.labels)
    answers = [checked(interpret(values, classes), len(labels)) for values in given.outputs]
    return [signals_of(answer, labels) for answer in answers], given.members.astype(bool), labels


def _triple(given: Any) -> tuple[Any, Any, Any]:
    if isinstance(given, (tuple, list)) and len(given) == len(FIELDS):
        return given[0], given[1], given[2]
    raise MIAUsageError(
        f"mia_outputs must be ({', '.join(FIELDS)}) or an npz file with these, got {type(given).__name__}"
    )


def _problems(given: ModelOutputs) -> list[str]:
    problems = []
    if given.outputs.ndim not in (2, 3):
        problems.append(
            f"outputs must be (models, records, classes) or (models, records), got shape {given.outputs.shape}"
        )
    if given.members.shape != given.outputs.shape[:2]:
        problems.append(
            f"members must be (models, records) = {given.outputs.shape[:2]}, got shape {given.members.shape}"
        )
    elif not np.isin(given.members, (0, 1)).all():
        problems.append("members must hold only 0 and 1, or False and True")
    elif (given.members.astype(bool).all(axis=1) | ~given.members.astype(bool).any(axis=1)).any():
        problems.append("every model needs both members and non-members")
    if given.labels.shape != given.outputs.shape[1:2]:
        problems.append(f"labels must be (records,) = {given.outputs.shape[1:2]}, got shape {given.labels.shape}")
    elif len(np.unique(given.labels)) < 2:
        problems.append("labels hold one class only; at least 2 are needed")
    elif (
        given.outputs.ndim == 3
        and given.outputs.shape[2] > len(np.unique(given.labels))
        and (
            given.labels.dtype.kind not in "iu"
            or given.labels.min() < 0
            or given.labels.max() >= given.outputs.shape[2]
        )
    ):
        problems.append(f"with {given.outputs.shape[2]} columns of outputs, labels must be column numbers from 0")
    if len(given.outputs) < 4:
        problems.append(f"at least 4 models are needed, each attacked with the others; got {len(given.outputs)}")
    return problems
