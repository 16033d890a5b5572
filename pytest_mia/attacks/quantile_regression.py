"""Quantile regression: how sure a model is, against how sure it may be of a record that it has never seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

FOLDS = 2
LEVELS = (0.1, 0.3, 0.5)
MOST_ROWS = 20_000
SMALLEST_LEAF = 20


@dataclass(frozen=True)
class QuantileRegression(Scored):
    """phi less the quantile that non-members like this record stay below (Bertran et al. 2023, section 3).

    Boosted trees learn the quantile from the answers of labelled models on their non-members, given the record and its
    label. Two folds of models keep a model's own memberships out of its scores, two folds of records keep a record's
    own answers out of the quantile that judges it. Without shadows it learns from the target's own known non-members.
    """

    name: str = "quantile_regression"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 0
    family = "quantile regression"
    summary = "subtracts the quantile below which non-members like this record stay"
    reference = Reference("Bertran et al. 2023", "section 3")
    needs_features = True

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield phi - q(x, y), q the quantile at 1 - alpha, for each alpha of `LEVELS`."""
        phi, teachers = observations.signal(self.signals[0]), _teachers(observations)
        fold = _record_folds(observations)
        fitting = np.array([[_may_teach(model, models, teachers) for models in teachers] for model in range(len(phi))])
        for alpha in LEVELS:
            quantiles = [_quantiles(observations, models, fold, 1 - alpha) for models in teachers]
            yield (phi - fitting @ np.stack(quantiles) / fitting.sum(axis=1, keepdims=True)).__getitem__


def _may_teach(model: int, models: IntArray, teachers: Sequence[IntArray]) -> float:
    """Weight of what a fold of models has learnt, for one model."""
    return float(model not in models or len(teachers) == 1)


def _teachers(observations: Observations) -> list[IntArray]:
    """The labelled models, in folds that judge each other; a single one teaches by its other records."""
    labelled = np.flatnonzero(observations.known.any(axis=1))
    return [part for part in (labelled[fold::FOLDS] for fold in range(FOLDS)) if len(part)]


def _record_folds(observations: Observations) -> IntArray:
    """Fold of each record (records,), records of one group together."""
    records = len(observations.labels)
    units = np.arange(records) if observations.groups is None else observations.groups
    _, codes = np.unique(units, return_inverse=True)
    return observations.generator_for("quantile").permutation(codes.max(initial=0) + 1)[codes] % FOLDS


def _quantiles(observations: Observations, models: IntArray, fold: IntArray, level: float) -> FloatArray:
    """The quantile (records,) of phi among non-members, from models' answers on records of the other fold."""
    found = np.zeros(len(fold))
    for number in range(FOLDS):
        judged = fold == number
        found[judged] = _predicted(observations, models, ~judged, judged, level)
    return found


def _predicted(
    observations: Observations, models: IntArray, learnable: BoolArray, judged: BoolArray, level: float
) -> FloatArray:
    features, phi = observations.records, observations.signal("confidence")[models]
    rows, records = np.nonzero(observations.known[models] & ~observations.members[models] & learnable)
    seed = observations.seed_for("quantile", round(100 * level))
    kept = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    answers = phi[rows[kept], records[kept]]
    if len(kept) < SMALLEST_LEAF or not judged.any() or (answers == answers[0]).all():
        return np.full(int(judged.sum()), np.quantile(answers, level) if len(kept) else 0.0)
    return np.asarray(_regressor(level, seed).fit(features[records[kept]], answers).predict(features[judged]))


def _regressor(level: float, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="quantile",
        quantile=level,
        max_iter=30,
        learning_rate=0.2,
        max_leaf_nodes=16,
        min_samples_leaf=SMALLEST_LEAF,
        early_stopping=False,
        random_state=seed,
    )
