"""The shadow attack of Shokri et al. (2017): a classifier that tells members from non-members by a model's answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.arrays import FloatArray, IntArray
from pytest_mia.attacks.protocol import read
from pytest_mia.observations import Observations
from pytest_mia.randomness import seed_for, single_threaded

FOLDS = 2
MOST_ROWS = 20_000
MOST_CLASSES = 255
"""What the trees can hold as one categorical feature; classes beyond it share places."""


@dataclass(frozen=True)
class Shokri:
    """Boosted trees on [three largest probabilities, phi, correct, class], labelled by the shadows' memberships.

    The paper has one classifier per class; trees that split on the class as a category tell classes apart where that
    helps and pool them where a class has few records. Shadows are divided in two: each part is scored by the classifier
    that learnt on the other one, and a target that is no shadow by both.
    """

    name: str = "shokri"
    signals: tuple[str, ...] = ("shown", "confidence", "correct")
    least_shadows: int = 2

    def scores(self, observations: Observations) -> Iterator[FloatArray]:
        """Yield P(member | answer)."""
        models, records = observations.members.shape
        shadows = np.flatnonzero(observations.references & observations.known.any(axis=1))
        total, times = np.zeros((models, records)), np.zeros((models, 1))
        import sklearn.ensemble  # noqa: F401  (loads the threads that are limited here)

        with single_threaded():
            for fold in range(FOLDS):
                learnt = shadows[fold::FOLDS]
                classifier = _classifier(observations, learnt, seed_for(observations.seed, "shokri", fold))
                for model in np.setdiff1d(np.arange(models), learnt):
                    total[model] += classifier.predict_proba(_features(observations, model))[:, 1]
                    times[model] += 1
        yield total / times


def _features(observations: Observations, model: int) -> FloatArray:
    signals = observations.signals
    columns = [read(signals.confidence)[model], read(signals.correct)[model], observations.labels % MOST_CLASSES]
    return np.column_stack([read(signals.shown)[model], *columns])


def _classifier(observations: Observations, learnt: IntArray, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.concatenate([_features(observations, model)[observations.known[model]] for model in learnt])
    members = np.concatenate([observations.members[model][observations.known[model]] for model in learnt])
    kept = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    classifier = HistGradientBoostingClassifier(
        max_iter=12,
        learning_rate=0.2,
        max_leaf_nodes=16,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=[rows.shape[1] - 1],
        early_stopping=False,
        random_state=seed,
    )
    return classifier.fit(rows[kept], members[kept])
