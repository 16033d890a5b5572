"""A model's answer understood: by the classes where there are some, otherwise by comparison with the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data.containers import describe
from pytest_mia.data.labels import Task, as_table, is_labels, task_of
from pytest_mia.models.answers import (
    Answer,
    LogOdds,
    Losses,
    Probabilities,
    Residuals,
    TokenLogProbabilities,
    as_numbers,
    check_answer,
    in_unit,
    interpret,
)


def read_answer(values: Any, classes: npt.NDArray[Any], y: Any) -> Answer:
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
    wanted = None if y is None else as_table(y)
    if wanted is None:
        raise MIAUsageError(
            f"without labels mia_predict must give pytest_mia.TokenLogProbabilities, got {describe(values)}; give y, "
            "or mia_loss for models of another kind"
        )
    given = as_numbers(values)
    given = given.reshape(len(given), -1) if given.ndim < 2 else given
    if given.shape != wanted.shape or given.dtype.kind not in "biuf":
        raise MIAUsageError(
            f"the answer, a {describe(values)}, can't be compared with y of shape {tuple(np.shape(y))}: "
            "give one number for each of its numbers"
        )
    if is_labels(wanted):
        return log_odds(given, wanted)
    return Residuals(wanted.astype(np.float64) - given, raw=given if given.dtype.kind == "f" else None)


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
    check_answer(Probabilities(given), len(given))
    odds = special.logit(np.clip(given.astype(np.float64), 0.0, 1.0))
    return LogOdds(np.where(wanted > 0, 1, -1) * odds, raw=given if given.dtype.kind == "f" else None)


def _tokens(answer: TokenLogProbabilities) -> TokenLogProbabilities:
    given = [None if each is None else as_numbers(each) for each in (answer.values, answer.means, answer.deviations)]
    values, means, deviations = given
    shapes = {each.shape for each in given if each is not None}
    if values is None or values.ndim != 2 or len(shapes) > 1 or (means is None) != (deviations is None):
        raise MIAUsageError(
            "TokenLogProbabilities needs values (records, tokens), and means and deviations of the same shape or "
            f"neither; got {', '.join(map(describe, [each for each in given if each is not None]))}"
        )
    return TokenLogProbabilities(values.astype(np.float64), means, deviations)


def task_of_outputs(outputs: Any, labels: Any) -> Task:
    """Decide what labels ask where there are answers and no model: as of one that ``mia_predict`` speaks for.

    Residuals and losses have been compared with the truth already, so labels can't be mistaken for something else.
    """
    if isinstance(outputs, Losses) or labels is None:
        return Task.LIKELIHOOD
    return Task.NUMBERS if isinstance(outputs, Residuals) else task_of(labels, kind=None, own_predict=True)
