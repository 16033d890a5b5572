"""The shadow attack of Shokri et al. (2017): a classifier that tells members from non-members by a model's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

FOLDS = 2
MOST_ROWS = 20_000
BLOCK = 2**16
"""Answers that are judged at a time: a call to a classifier costs as much as many of them."""
MOST_CLASSES = 255
"""What the trees can hold as one categorical feature; classes beyond it share places."""
LARGEST = 1e6
"""Log-odds beyond it count as this, since some classifiers compute in float32."""
SIGNALS = ("shown", "confidence", "correct")
REFERENCE = Reference("Shokri et al. 2017")


@dataclass(frozen=True)
class LabelledAnswers:
    """Labelled answers: features (rows, 5), class codes (rows,) and memberships (rows,), and a seed for the fit."""

    features: FloatArray
    labels: IntArray
    members: BoolArray
    seed: int


Judge = Callable[[FloatArray, IntArray], FloatArray]
"""P(member | answer), shape (settings, rows), from features and class codes."""


@dataclass(frozen=True)
class Shokri(Scored):
    """Boosted trees on [three largest probabilities, phi, correct, class], labelled by the shadows' memberships.

    The paper has one classifier per class; trees that split on the class as a category tell classes apart where that
    helps and pool them where a class has few records.
    """

    name: str = "shokri"
    signals: tuple[str, ...] = SIGNALS
    least_shadows: int = 2
    family = "shadow classifier"
    summary = "lets boosted trees tell members by the answer, learnt on the shadows"
    reference = REFERENCE

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield P(member | answer)."""
        for scores in cross_fitted(observations, self.name, _boosted):
            yield scores.__getitem__


def cross_fitted(observations: Observations, name: str, learn: Callable[[LabelledAnswers], Judge]) -> FloatArray:
    """Scores (settings, models, records) by classifiers that learnt on other models.

    Shadows are divided in two: each part is scored by the classifier that learnt on the other one, and a target that is
    no shadow by both.

    Parameters
    ----------
    observations
        The models.
    name
        The attack, for its seeds.
    learn
        Fits a classifier.
    """
    models = np.arange(len(observations.members))
    shadows = np.flatnonzero(observations.references & observations.known.any(axis=1))
    found: list[list[FloatArray]] = [[] for _ in models]
    together = max(1, BLOCK // len(observations.labels))
    for fold in range(FOLDS):
        learnt = shadows[fold::FOLDS]
        judge = learn(_labelled_answers(observations, learnt, observations.seed_for(name, fold)))
        judged = np.setdiff1d(models, learnt)
        for first in range(0, len(judged), together):
            part = judged[first : first + together]
            rows = judge(_features(observations, part), np.tile(observations.labels, len(part)))
            for model, scores in zip(part, np.split(rows, len(part), axis=1), strict=True):
                found[model].append(scores)
    return np.stack([np.mean(each, axis=0) for each in found], axis=1)


def _features(observations: Observations, pairs: IntArray | tuple[IntArray, IntArray]) -> FloatArray:
    """Features (rows, 5) of some models' answers, one model after the other, or of pairs of models and records."""
    shown, confidence, correct = (observations.signal(name)[pairs] for name in SIGNALS)
    phi = np.clip(confidence, -LARGEST, LARGEST)
    return np.concatenate([shown, phi[..., None], correct[..., None]], axis=-1).reshape(-1, shown.shape[-1] + 2)


def _labelled_answers(observations: Observations, learnt: IntArray, seed: int) -> LabelledAnswers:
    """Labelled pairs of some models, a random part of them where they are many."""
    known = observations.known[learnt]
    kept = np.random.default_rng(seed).permutation(int(np.count_nonzero(known)))[:MOST_ROWS]
    rows, records = (places[kept] for places in known.nonzero())
    models = learnt[rows]
    return LabelledAnswers(
        _features(observations, (models, records)),
        observations.labels[records],
        observations.members[models, records],
        seed,
    )


def _boosted(labelled: LabelledAnswers) -> Judge:
    from sklearn.ensemble import HistGradientBoostingClassifier

    def rows(features: FloatArray, labels: IntArray) -> FloatArray:
        return np.column_stack([features, labels % MOST_CLASSES])

    classifier = HistGradientBoostingClassifier(
        max_iter=8,
        learning_rate=0.3,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=[labelled.features.shape[1]],
        early_stopping=False,
        random_state=labelled.seed,
    ).fit(rows(labelled.features, labelled.labels), labelled.members)
    return lambda features, labels: classifier.predict_proba(rows(features, labels))[None, :, 1]
