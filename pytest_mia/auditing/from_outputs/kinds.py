"""What outputs of models that were trained elsewhere say, as attacks see it: as if the models had been asked here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.auditing.from_outputs.read import ModelOutputs
from pytest_mia.core.errors import InvalidAuditError, MIAUsageError
from pytest_mia.core.types import IntArray
from pytest_mia.data.labels import Task, encode, number_groups, strata
from pytest_mia.data.memberships import strata_of
from pytest_mia.models import reading
from pytest_mia.models.answers import (
    Answer,
    Labels,
    Losses,
    Probabilities,
    Residuals,
    TokenLogProbabilities,
    as_numbers,
    check_answer,
    in_unit,
    interpret,
    read_losses,
)
from pytest_mia.models.signals import signals_of, stack

NO_CLASSES = np.array([])


@dataclass(frozen=True)
class Reading:
    """Outputs as they were understood.

    Attributes
    ----------
    observations
        What attacks see: every model is a target in turn and a shadow of all the others.
    classes
        Class of each record; empty where records have none.
    notes
        What the answers were taken for, where they don't say it themselves.
    """

    observations: Observations
    classes: Sequence[Any]
    notes: tuple[str, ...]


def interpret_outputs(given: ModelOutputs, *, seed: int) -> Reading:
    """Understand outputs as `y` and the answers of an audit's own models are understood.

    Parameters
    ----------
    given
        Outputs that fit together, as `pytest_mia.auditing.from_outputs.read.read_outputs` returns them.
    seed
        The audit's seed.

    Raises
    ------
    MIAUsageError
        For guessed labels of which none is among the labels.
    InvalidAuditError
        For answers that can't be judged, such as NaN; the message holds their count, the first record and the model.
    """
    task = reading.task_of_outputs(given.outputs, given.labels)
    classes, codes = _encode_labels(given, task)
    answers, note = _read_answers(given, task, classes)
    parts = [signals_of(answer, codes) for answer in _check_answers(answers, len(codes))]
    signals = stack(parts, losses=isinstance(given.outputs, Losses))
    groups = number_groups(given.groups)
    observations = recipe(signals, given.members.astype(bool), codes, seed=seed, groups=groups)
    return Reading(observations, given.labels.tolist() if len(classes) else (), (note,) if note else ())


def _encode_labels(given: ModelOutputs, task: Task) -> tuple[npt.NDArray[Any], IntArray]:
    """The classes with each record's code, or no classes and each record's stratum."""
    records = given.members.shape[1]
    if isinstance(given.outputs, Losses):
        return NO_CLASSES, strata_of(given.labels, records)
    if task is not Task.CLASSES:
        return NO_CLASSES, strata(given.labels, task, records)
    classes, codes = encode(given.labels)
    columns = given.outputs.shape[2] if isinstance(given.outputs, np.ndarray) and given.outputs.ndim == 3 else 0
    if columns > len(classes):
        # Classes that no record has still have their column.
        return np.arange(columns), np.asarray(given.labels).astype(np.intp)
    return classes, codes


def _read_answers(given: ModelOutputs, task: Task, classes: npt.NDArray[Any]) -> tuple[Iterator[Answer], str]:
    """Each model's answer, and what it was taken for where the user did not say."""
    match given.outputs:
        case Residuals(values):
            return (Residuals(as_numbers(part).reshape(len(part), -1).astype(np.float64)) for part in values), ""
        case Losses(values):
            return (read_losses(part) for part in values), ""
        case TokenLogProbabilities():
            return (reading.read_answer(each, classes, given.labels) for each in _split_texts(given.outputs)), ""
    values = given.outputs
    if task is Task.NUMBERS:
        return (
            reading.read_answer(part, classes, given.labels) for part in values
        ), "outputs were taken for predicted numbers"
    together = values.reshape(-1, *values.shape[2:])
    if task is Task.LABELS:
        return _read_several_labels(as_numbers(together), given.labels)
    # All are read as one, since logits of one model alone may look like probabilities.
    try:
        answer = interpret(together, classes)
    except MIAUsageError as error:
        raise MIAUsageError([f"mia_outputs: {problem}" for problem in error.problems]) from None
    kind: Callable[[Any], Answer] = type(answer)
    parts = np.split(answer.codes if isinstance(answer, Labels) else answer.values, len(values))
    return map(kind, parts), _describe_reading(answer, values, given.labels, len(classes))


def _read_several_labels(together: npt.NDArray[Any], labels: npt.NDArray[Any]) -> tuple[Iterator[Answer], str]:
    probabilities = in_unit(together)
    parts = together.reshape(-1, *labels.shape)
    kind = "probabilities" if probabilities else "logits"
    note = f"outputs were taken for {kind} of {labels.shape[1]} labels"
    return (reading.log_odds(part, labels, probabilities=probabilities) for part in parts), note


def _describe_reading(answer: Answer, values: npt.NDArray[Any], labels: npt.NDArray[Any], classes: int) -> str:
    kind = "guessed labels" if isinstance(answer, Labels) else "logits"
    kind = "probabilities" if isinstance(answer, Probabilities) else kind
    one_column, of_numbers = values.shape[2:] in ((), (1,)), labels.dtype.kind in "iuf"
    which = "the second of " if one_column and not isinstance(answer, Labels) else ""
    otherwise = "; a regression's are given as pytest_mia.Residuals" if one_column and of_numbers else ""
    return f"outputs were taken for {kind} of {which}{classes} classes{otherwise}"


def _split_texts(answer: TokenLogProbabilities) -> Iterator[TokenLogProbabilities]:
    parts = (answer.values, answer.means, answer.deviations)
    yield from map(TokenLogProbabilities, *(itertools.repeat(None) if each is None else each for each in parts))


def _check_answers(answers: Iterator[Answer], records: int) -> Iterator[Answer]:
    model = 0
    try:
        for answer in answers:
            yield check_answer(answer, records)
            model += 1
    except InvalidAuditError as error:
        error.add_note(f"in the outputs of model {model}")
        raise
