"""Records synthesised by queries to a model: records that it is sure of are like the records that it was trained on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import generator_for, seed_for, seeded
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.containers import as_array, as_texts, count, describe, find_bad_features, is_sparse, is_tensor
from pytest_mia.data.dataset import Dataset

LARGEST_SHARE = 4
"""The first steps change one of so many features."""


def hill_climbing(
    model: Any,
    template: Any,
    records: int,
    *,
    classes: Any = None,
    threshold: float = 0.5,
    iterations: int = 1000,
    rejections: int = 5,
    most: int | None = None,
    least: int = 1,
    seed: int = 0,
) -> Dataset:
    """Synthesise records by querying a model: an attacker who has no data (Shokri et al. 2017, V-C, algorithm 1).

    Each candidate climbs for one class: some of its features are drawn again, and the change is kept when the model's
    confidence in the class doesn't fall. After too many rejections in a row, half as many features are drawn. A
    candidate that the model takes for its class with a confidence above the threshold becomes a record with a
    probability equal to that confidence. All candidates climb at the same time, with one query for all of them per
    step.

    Parameters
    ----------
    model
        The released model, asked by ``predict_proba``; or any ``predict(X)`` -> probabilities (records, classes). For
        the audit of a recipe, a model of it that was trained.
    template
        Records, at least one, that show the format: an array, a DataFrame or a tensor. Numbers are drawn evenly from
        the least to the largest of their column, integers and bools as such; anything else from the values there are.
        Two records, the least and the largest, will do.
    records
        How many candidates climb, at least 1, the classes in turn.
    classes
        The label of each column of answers; ``model.classes_`` where there is one, 0, 1, 2... otherwise.
    threshold
        Confidence that a record must exceed, from 0 to 1 (excluded).
    iterations
        Steps after which candidates that have not made it are given up.
    rejections
        Rejections in a row after which fewer features are drawn.
    most, least
        Features that are drawn again in the first steps (by default a quarter of them), and at least.
    seed
        Of all draws, those of the model's included.

    Returns
    -------
    Dataset
        The records that were found, in the type of the template, with their classes; fewer than asked for where
        candidates were given up.

    Raises
    ------
    MIAUsageError
        When an argument is out of range, the template has no columns of single values, or no candidate made it.
    """
    form = _Form(template)
    most = max(least, form.width // LARGEST_SHARE) if most is None else most
    settings = _Settings(records, threshold, iterations, rejections, most, least)
    predict, rng = _predict(model), generator_for(seed, "hill climbing")
    with seeded(seed_for(seed, "hill climbing")):
        columns = predict(form.rendered(form.random(rng, 1))).shape[1]
        labels = _labels(model, classes, columns)
        wanted = np.arange(records) % columns
        climb = _Climb(form, predict, wanted, rng, settings)
        for _ in range(iterations):
            if climb.done.all():
                break
            climb.step()
    if not climb.done.any():
        raise MIAUsageError(
            f"no candidate of {records} reached a confidence of {threshold:g} in {iterations} iterations; the best "
            f"reached {climb.confidence.max():.3g}: lower the threshold, or give more iterations"
        )
    return Dataset(form.rendered(climb.kept[climb.done]), labels[wanted[climb.done]])


@dataclass(frozen=True)
class _Settings:
    """The settings of `hill_climbing`, which says what each of them means."""

    records: int
    threshold: float
    iterations: int
    rejections: int
    most: int
    least: int

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be a whole number from 1, got {getattr(self, name)!r}"
            for name in ("records", "iterations", "most", "least")
            if not _is_whole(getattr(self, name), 1)
        ]
        if not _is_whole(self.rejections, 0):
            problems.append(f"rejections must be a whole number from 0, got {self.rejections!r}")
        threshold = self.threshold
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float, np.number)) or not 0 <= threshold < 1:
            problems.append(f"threshold must be from 0 to 1, 1 excluded, got {threshold!r}")
        if problems:
            raise MIAUsageError(problems)


def _is_whole(value: object, least: int) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, np.integer)) and bool(value >= least)


class _Climb:
    """All candidates, and how far they are.

    Attributes
    ----------
    kept
        The best features of each candidate so far (candidates, features), as places within their ranges, 0 to 1.
    confidence
        The model's confidence in its class there (candidates,).
    done
        Which of them have become records (candidates,).
    """

    def __init__(
        self,
        form: _Form,
        predict: Callable[[Any], FloatArray],
        wanted: IntArray,
        rng: np.random.Generator,
        settings: _Settings,
    ) -> None:
        self._form, self._predict, self._wanted, self._rng, self._settings = form, predict, wanted, rng, settings
        self.kept = form.random(rng, len(wanted))
        self.confidence = np.full(len(wanted), -1.0)
        self.done = np.zeros(len(wanted), dtype=bool)
        self._rejected = np.zeros(len(wanted), dtype=np.intp)
        self._drawn = np.full(len(wanted), min(settings.most, form.width))

    def step(self) -> None:
        """One query for all that still climb."""
        rows = np.flatnonzero(~self.done)
        fresh = self._form.random(self._rng, len(rows))
        begun = self.confidence[rows] >= 0
        proposed = np.where(self._chosen(rows) | ~begun[:, None], fresh, self.kept[rows])
        answers = self._predict(self._form.rendered(proposed))
        confidence = answers[np.arange(len(rows)), self._wanted[rows]]
        better = confidence >= self.confidence[rows]
        self.kept[rows[better]], self.confidence[rows[better]] = proposed[better], confidence[better]
        sure = better & (confidence > self._settings.threshold) & (answers.argmax(axis=1) == self._wanted[rows])
        self.done[rows] = sure & (self._rng.random(len(rows)) < confidence)
        self._rejected[rows] = np.where(better, 0, self._rejected[rows] + 1)
        stuck = rows[self._rejected[rows] > self._settings.rejections]
        self._drawn[stuck] = np.maximum(self._settings.least, -(-self._drawn[stuck] // 2))
        self._rejected[stuck] = 0

    def _chosen(self, rows: IntArray) -> BoolArray:
        """Which features are drawn again: for each candidate so many, any of them."""
        order = self._rng.random((len(rows), self._form.width)).argsort(axis=1)
        return np.asarray(order.argsort(axis=1) < self._drawn[rows][:, None])


class _Form:
    """The format of records: places from 0 to 1 within the ranges of their features, as records of the user's type."""

    def __init__(self, template: Any) -> None:
        if is_sparse(template) or len(getattr(template, "shape", ())) < 2 or not count(template):
            raise MIAUsageError(
                f"the template is a {describe(template)}; give an array, a DataFrame or a tensor of a record or more"
            )
        bad = find_bad_features(template)
        if bad is not None and bad.any():
            raise MIAUsageError(f"the template holds NaN or infinity, first in record {int(bad.argmax())}")
        self._template, self.width = template, int(np.prod(template.shape[1:]))
        # Each step renders anew, so only the ends of the ranges are kept, or for a frame's other columns their values.
        if hasattr(template, "iloc"):
            self._columns = [_range_of(template.iloc[:, place]) for place in range(self.width)]
        else:
            values = as_array(template).reshape(count(template), -1)
            if values.dtype.kind not in "biuf":
                raise MIAUsageError(f"the template holds {values.dtype}, not numbers; give them as a DataFrame")
            self._ends = np.stack([values.min(axis=0), values.max(axis=0)])

    def random(self, rng: np.random.Generator, records: int) -> FloatArray:
        """Random records, as places."""
        return rng.random((records, self.width))

    def rendered(self, places: FloatArray) -> Any:
        """Records in the user's own type."""
        X = self._template
        if hasattr(X, "iloc"):
            columns = [_of_column(column, places[:, place]) for place, column in enumerate(self._columns)]
            return sys.modules["pandas"].concat(columns, axis=1)
        values = _within(self._ends, places).reshape(-1, *X.shape[1:])
        return sys.modules["torch"].as_tensor(values, device=X.device) if is_tensor(X) else values


def _within(ends: npt.NDArray[Any], places: FloatArray) -> npt.NDArray[Any]:
    """Numbers at these places of the ranges of their columns, of the same type."""
    low, high = (end.astype(np.float64) for end in ends)
    if ends.dtype.kind == "f":
        return np.asarray(low + places * (high - low), dtype=ends.dtype)
    return np.asarray(np.minimum(np.floor(low + places * (high - low + 1)), high), dtype=ends.dtype)


def _is_numeric(column: Any) -> bool:
    return not hasattr(column, "cat") and column.to_numpy().dtype.kind in "biuf"


def _range_of(column: Any) -> Any:
    """The rows of a frame's column that tell its range: the least and the largest number, or every value there is."""
    if not _is_numeric(column):
        return _distinct(column)
    return column.take([column.to_numpy().argmin(), column.to_numpy().argmax()])


def _distinct(column: Any) -> Any:
    try:
        return column.drop_duplicates()
    except TypeError:  # cells such as lists, which have no hash
        return column.take(np.sort(np.unique(as_texts(column), return_index=True)[1]))


def _of_column(column: Any, places: FloatArray) -> Any:
    """A column of a frame: numbers within its range, or any of its values."""
    if not _is_numeric(column):
        return column.take((places * len(column)).astype(np.intp)).reset_index(drop=True)
    made = _within(column.to_numpy().reshape(-1, 1), places[:, None])[:, 0]
    return sys.modules["pandas"].Series(made, name=column.name).astype(column.dtype)


def _predict(model: Any) -> Callable[[Any], FloatArray]:
    ask = getattr(model, "predict_proba", model)
    if not callable(ask):
        raise MIAUsageError(f"the model, a {type(model).__name__}, has no predict_proba; give a function predict(X)")

    def predict(X: Any) -> FloatArray:
        answers = np.asarray(as_array(ask(X)), dtype=np.float64)
        if answers.ndim != 2 or len(answers) != count(X) or not (np.isfinite(answers) & (answers >= 0)).all():
            raise MIAUsageError(
                f"the model must answer with probabilities (records, classes), got shape {answers.shape} for "
                f"{count(X)} records, or values that are none"
            )
        return answers

    return predict


def _labels(model: Any, classes: Any, columns: int) -> npt.NDArray[Any]:
    labels = np.asarray(getattr(model, "classes_", np.arange(columns)) if classes is None else classes)
    if labels.shape != (columns,):
        raise MIAUsageError(f"the model answers with {columns} columns, and there are {labels.size} classes")
    return labels
