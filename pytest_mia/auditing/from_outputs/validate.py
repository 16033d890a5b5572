"""What doesn't fit together in outputs of models that were trained elsewhere, all of it at once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.data import dataset
from pytest_mia.data.dataset import Dataset
from pytest_mia.data.labels import FEW_SHARE, FEW_VALUES, Task, number_groups, task_problems
from pytest_mia.models import reading
from pytest_mia.models.answers import Losses, Residuals, TokenLogProbabilities

FEWEST_MODELS = 4
Shape = tuple[int, ...]
Array = npt.NDArray[Any]
Typed = Losses | Residuals | TokenLogProbabilities
"""Answers that say themselves what they are; others are read by the labels."""
SHAPES = {
    Losses: (2, "(models, records)"),
    Residuals: (3, "(models, records), or (models, records, numbers) where a record has several"),
    TokenLogProbabilities: (3, "(models, records, tokens), NaN where a text has ended"),
}

MISSING_LABELS = (
    "labels are missing; without them give pytest_mia.TokenLogProbabilities, Residuals or Losses as outputs "
    "(token_log_probabilities, residuals or losses in a file)"
)


def find_problems(outputs: Array | Typed, members: Array, labels: Array | None, groups: Array | None) -> list[str]:
    """Everything that makes these outputs unfit for an audit, each with its remedy.

    Parameters
    ----------
    outputs
        Answers of all models, (models, records, ...).
    members, labels, groups
        As in `pytest_mia.ModelOutputs`.
    """
    values = outputs if isinstance(outputs, np.ndarray) else outputs.values
    task = reading.task_of_outputs(outputs, labels)
    if values.ndim < 2:
        return _shape_problems(outputs, values.shape, labels, task)
    shape = values.shape[:2]
    models, records = shape
    found = [*_shape_problems(outputs, values.shape, labels, task), *_kind_problems(outputs, task)]
    if isinstance(outputs, np.ndarray) and labels is not None and task is Task.CLASSES and not found:
        found += _label_problems(outputs, labels, records, task) or _class_problems(outputs, labels)
    else:
        found += _label_problems(outputs, labels, records, task)
    found += [*_membership_problems(members, shape), *_group_problems(groups, members, shape)]
    if models < FEWEST_MODELS:
        found.append(f"at least {FEWEST_MODELS} models are needed, each attacked with the others; got {models}")
    return found


def _shape_problems(outputs: Array | Typed, shape: Shape, labels: Array | None, task: Task) -> list[str]:
    name = "outputs" if isinstance(outputs, np.ndarray) else type(outputs).__name__
    fits, wanted = _wanted(outputs, shape, labels, task)
    found = [] if fits else [f"{name} must be {wanted}, got shape {shape}"]
    if isinstance(outputs, TokenLogProbabilities):
        others = [None if each is None else each.shape for each in (outputs.means, outputs.deviations)]
        if others not in ([None, None], [shape, shape]):
            found.append(
                f"{name} needs means and deviations of the shape of its values, {shape}, or neither; got "
                f"{' and '.join('none' if each is None else str(each) for each in others)}"
            )
    return found


def _wanted(outputs: Array | Typed, shape: Shape, labels: Array | None, task: Task) -> tuple[bool, str]:
    """Whether answers are of the shape that is wanted, and this in words."""
    if not isinstance(outputs, np.ndarray):
        most, wanted = SHAPES[type(outputs)]
        return len(shape) == most or (len(shape) == 2 and isinstance(outputs, Residuals)), wanted
    if labels is None or task is Task.CLASSES:
        return len(shape) in (2, 3), "(models, records, classes) or (models, records)"
    columns = labels.shape[1:]
    if columns in ((), (1,)):
        return len(shape) > 1 and shape[2:] in ((), (1,)), (
            f"(models, records), predicted numbers, since labels are floats of more than {FEW_VALUES} values (classes "
            "are given as integers or texts)"
        )
    told = "one answer for each of its labels" if task is Task.LABELS else "one number for each of its numbers"
    return shape[2:] == columns, f"(models, records, {columns[0]}), for each record {told}"


def _kind_problems(outputs: Array | Typed, task: Task) -> list[str]:
    if isinstance(outputs, np.ndarray):
        guesses = task is Task.CLASSES and outputs.ndim == 2
        return [] if guesses or outputs.dtype.kind in "biuf" else [f"outputs must be numbers, got {outputs.dtype}"]
    arrays: list[Array | None] = [getattr(outputs, field.name) for field in dataclasses.fields(outputs)]
    kinds = {str(each.dtype): None for each in arrays if each is not None and each.dtype.kind not in "biuf"}
    return [f"{type(outputs).__name__} must be numbers, got {kind}" for kind in kinds]


def _membership_problems(members: Array, shape: Shape) -> list[str]:
    if members.shape != shape:
        return [f"members must be (models, records) = {shape}, got shape {members.shape}"]
    if not np.isin(members, (0, 1)).all():
        return ["members must hold only 0 and 1, or False and True"]
    one_sided = np.flatnonzero((members == members[:, :1]).all(axis=1))
    return (
        [f"every model needs members and non-members; model {one_sided[0]} has one side only"] if len(one_sided) else []
    )


def _label_problems(outputs: Array | Typed, labels: Array | None, records: int, task: Task) -> list[str]:
    if labels is None:
        return [MISSING_LABELS] if isinstance(outputs, np.ndarray) else []
    several = isinstance(outputs, Losses) or task is not Task.CLASSES
    if labels.shape[:1] != (records,) or (labels.ndim != 1 and not several):
        wanted = f"(records, ...), {records} records" if several and labels.ndim > 1 else f"(records,) = {(records,)}"
        return [f"labels must be {wanted}, got shape {labels.shape}"]
    if isinstance(outputs, Losses):
        return []
    if isinstance(outputs, Residuals) and labels.dtype.kind not in "biuf":
        return [f"labels beside Residuals must be the true numbers, got {labels.dtype}; leave them out"]
    if task is Task.CLASSES:
        found = _fraction_problems(labels) or dataset.find_problems(Dataset(labels, labels), needs_labels=True)
    else:
        found = task_problems(labels, task)
    return [f"labels: {problem}" for problem in found]


def _fraction_problems(labels: Array) -> list[str]:
    """Fractions that are no classes, and too few to be a regression's numbers without its word."""
    if labels.dtype.kind != "f" or not np.isfinite(labels).all():
        return []
    broken = np.flatnonzero(labels != np.round(labels))
    if not len(broken):
        return []
    distinct, most = len(np.unique(labels)), max(FEW_VALUES, int(FEW_SHARE * len(labels)))
    return [
        f"they hold fractions, which are no classes, first in record {broken[0]}, and only {distinct} different "
        f"values, too few for the numbers of a regression (it needs more than {most}); for a regression give "
        "pytest_mia.Residuals(labels - outputs) as outputs"
    ]


def _class_problems(outputs: Array, labels: Array) -> list[str]:
    """Answers on classes that can't be read, or in two ways."""
    classes, columns = len(np.unique(labels)), outputs.shape[2] if outputs.ndim == 3 else 0
    if columns > classes and not np.isin(labels, np.arange(columns)).all():
        return [f"with {columns} columns of outputs, labels must be column numbers from 0 to {columns - 1}"]
    if 1 < columns < classes:
        return [f"outputs have {columns} columns and labels {classes} classes; give a column for each, in their order"]
    if columns < 2 and outputs.dtype.kind == "f" and labels.dtype.kind in "iuf" and classes > 2:
        return [
            f"outputs hold one float per record, and labels hold {classes} different whole numbers: a single column of "
            "probabilities fits at most 2 classes. Give guessed labels as integers, and for a regression "
            "pytest_mia.Residuals(labels - outputs) as outputs"
        ]
    return []


def _group_problems(groups: Array | None, members: Array, shape: Shape) -> list[str]:
    if groups is None:
        return []
    if groups.shape != shape[1:]:
        return [f"groups must be (records,) = {shape[1:]}, got shape {groups.shape}"]
    found = dataset.find_problems(Dataset(groups, None, groups), needs_labels=False)
    return found or ([] if members.shape != shape else _find_divided_groups(groups, members))


def _find_divided_groups(groups: Array, members: Array) -> list[str]:
    """Groups of which a model had a part only; named by the places of their records, since ids may be people's."""
    codes = np.asarray(number_groups(groups))
    first = np.unique(codes, return_index=True)[1][codes]
    divided = np.argwhere(members != members[:, first])
    if not len(divided):
        return []
    model, record = divided[0].tolist()
    return [
        f"groups: records {first[record]} and {record} are of one group, and only one of them is a member of model "
        f"{model} ({len(np.unique(divided[:, 0]))} of {len(members)} models divide groups); records of one group are "
        "members together or not at all"
    ]
