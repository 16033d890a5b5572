"""The shadow attack of Shokri et al. (2017): a classifier that tells members from non-members by a model's answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.arrays import BoolArray, FloatArray, IntArray
from pytest_mia.attacks.protocol import read
from pytest_mia.observations import Observations
from pytest_mia.randomness import seed_for

FOLDS = 2
LEAST_PER_SIDE = 20
MOST_ROWS = 40_000


@dataclass(frozen=True)
class Shokri:
    """One random forest per class on [three largest probabilities, phi, correct], labelled by the shadows' memberships.

    Shadows are split in two; each half is scored by the forests of the other one, and a target that is no shadow by
    both. Classes with fewer than 20 members or non-members share one forest.
    """

    name: str = "shokri"
    signals: tuple[str, ...] = ("shown", "confidence", "correct")
    least_shadows: int = 2

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield P(member | answer)."""
        features = _features(observations)
        shadows = np.flatnonzero(observations.references & observations.known.any(axis=1))
        total, times = np.zeros(observations.members.shape), np.zeros((len(features), 1))
        for fold in range(FOLDS):
            learnt = shadows[fold::FOLDS]
            judged = np.setdiff1d(np.arange(len(features)), learnt)
            total[judged] += _fit_and_score(features, observations, learnt, judged, fold)
            times[judged] += 1
        yield total / times


def _features(observations: Observations) -> FloatArray:
    signals = observations.signals
    parts = [read(signals.shown), read(signals.confidence)[..., None], read(signals.correct)[..., None]]
    return np.concatenate(parts, axis=-1, dtype=np.float32)


def _fit_and_score(
    features: FloatArray, observations: Observations, learnt: IntArray, judged: IntArray, fold: int
) -> FloatArray:
    known = observations.known[learnt]
    rows, members = features[learnt][known], observations.members[learnt][known]
    classes = np.broadcast_to(observations.labels, known.shape)[known]
    pooled = _forest(rows, members, seed_for(observations.seed, "shokri", fold))
    scores = np.empty((len(judged), features.shape[1]))
    for label in np.unique(observations.labels):
        own, asked = classes == label, observations.labels == label
        enough = min(members[own].sum(), (~members[own]).sum()) >= LEAST_PER_SIDE
        forest = _forest(rows[own], members[own], seed_for(observations.seed, "shokri", fold)) if enough else pooled
        block = features[judged][:, asked]
        scores[:, asked] = _chance(forest, block.reshape(-1, block.shape[-1])).reshape(block.shape[:2])
    return scores


def _forest(rows: FloatArray, members: BoolArray, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    kept = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    forest = RandomForestClassifier(n_estimators=100, min_samples_leaf=5, random_state=seed, n_jobs=1)
    return forest.fit(rows[kept], members[kept])


def _chance(forest: Any, rows: FloatArray) -> FloatArray:
    if len(forest.classes_) == 1:
        return np.full(len(rows), float(forest.classes_[0]))
    return np.asarray(forest.predict_proba(rows)[:, 1])
