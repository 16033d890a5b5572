"""The combined attack: classifiers that learn from the other models how to weigh all that is known of an answer.

Every single attack looks at an answer from one side: its level, its distance from what shadows answered, their spread.
Which of these counts, and for which records, differs from model to model, and can be learnt where memberships are
known: on the attacker's own models, each of which is a target of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from pytest_mia.attacks.combined_features import evidence
from pytest_mia.attacks.memo import identify_content
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import OURS, FittedAttack, Scored, Scorer
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

PARTS = 6
"""Parts of the models: for each two, one classifier learns from the others, and scores the one for the other."""
MOST_ROWS = 40_000
"""Labelled pairs that a classifier learns from, at the most."""
MOST_CLASSES = 255
"""What the trees can hold as one categorical feature; classes beyond it share places."""
QUANTILES = 100
FEWEST_ROWS = 1000
"""Labelled pairs below which nothing is learnt: single attacks are then as good, and take no time."""
ROWS_PER_LEAF = 100
"""A leaf holds at least one of so many parts of the rows: the fewer there are, the less is told apart."""
FEWEST_IN_LEAF = 20
PENALTY = 0.1


Classifier = Callable[[FloatArray, IntArray], FloatArray]
"""Log-odds (rows,) of membership from evidence (rows, columns) and class codes (rows,)."""
Evidence = Callable[[Observations, IntArray], FloatArray]
"""Columns (models, records, columns) of evidence on some models."""


@dataclass(frozen=True)
class Combined(Scored):
    """A linear and a boosted classifier of all evidence, and the sum of both (ours).

    Three settings compete on the other models: logistic regression on evidence made normal by its quantiles, which few
    records can afford; boosted trees, which find what counts for which records; and the sum of their log-odds. The
    idea of learning from shadow models is Shokri et al.'s (2017), that of learning from calibrated scores is ours.
    """

    name: str = "combined"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 3
    most_splits: int = PARTS
    family = "combined"
    summary = "lets classifiers weigh all that single attacks make of an answer, learnt on the other models"
    reference = OURS

    def fit(self, labelled: Observations) -> Combination:
        """Learn from labelled models, each part of which is scored by what was learnt without it."""
        return combination(labelled, evidence)

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield linear, boosted and summed log-odds, each model scored by what was learnt without it."""
        return cross_fitted_scorers(self, observations)


def combination(labelled: Observations, read: Evidence) -> Combination:
    """Learn from labelled models how to weigh evidence.

    Parameters
    ----------
    labelled
        Labelled models; each part of them is scored by what was learnt without it.
    read
        Computes evidence from observations.
    """
    models, scores = np.arange(len(labelled.members)), np.zeros((len(SETTINGS), *labelled.members.shape))
    if labelled.known.sum() < FEWEST_ROWS:
        return Combination(scores, (UNDECIDED,), read)
    rows, learnt = read(labelled, models), []
    for held in np.array_split(models, min(PARTS - 1, len(models))):
        # Nor was it a shadow of those that were learnt from: their evidence would hold its memberships.
        judge = _judge(read, labelled.leave_out(held, MOST_ROWS))
        for model in held:
            scores[:, model] = judge.weighed(rows[model], labelled.labels)
        learnt.append(judge)
    return Combination(scores, tuple(learnt), read)


def cross_fitted_scorers(attack: FittedAttack, observations: Observations) -> Iterator[Scorer]:
    """Yield a scorer per setting, each model scored by what the attack learnt without it."""
    models = np.arange(len(observations.members))
    groups = np.array_split(models, min(attack.most_splits, len(models)))
    learnt = [attack.fit(observations.leave_out(group, MOST_ROWS)) for group in groups]
    for setting in range(len(SETTINGS)):
        rows = (fitted.scores(observations, group, setting) for group, fitted in zip(groups, learnt, strict=True))
        yield np.concatenate([*rows]).__getitem__


@dataclass(frozen=True, eq=False)
class Combination:
    """What the combined attack learnt from labelled models.

    Attributes
    ----------
    labelled_scores
        Scores (settings, models, records) of the labelled models, each by classifiers that had not learnt from it.
    judges
        What was learnt from the labelled models without each part of them.
    read
        What they weigh.
    """

    labelled_scores: FloatArray
    judges: tuple[Judge, ...]
    read: Evidence

    def scores(self, observations: Observations, models: IntArray, setting: int) -> FloatArray:
        """Scores (models, records) of some models that were not learnt from; see `Fitted`."""
        found = np.empty((len(models), len(observations.labels)))
        for place, row in enumerate(self.read(observations, models)):
            weighed = [judge.weighed(row, observations.labels)[setting] for judge in self.judges]
            found[place] = np.mean(weighed, axis=0)
        return found


SETTINGS = ("linear", "boosted", "both")


@dataclass(frozen=True, eq=False)
class Judge:
    """A linear and a boosted classifier of the same labelled pairs."""

    linear: Classifier
    boosted: Classifier
    nbytes: int = 2**18
    """What both take in memory, roughly: it doesn't grow with the pairs."""

    def weighed(self, rows: FloatArray, labels: IntArray) -> FloatArray:
        """Log-odds (settings, rows) of membership."""
        linear, boosted = self.linear(rows, labels), self.boosted(rows, labels)
        return np.stack([linear, boosted, linear + boosted])


def _judge(read: Evidence, labelled: Observations) -> Judge:
    key = identify_content("judge", read, labelled)
    found: Judge | None = labelled.memo.find(key)
    return labelled.memo.keep(key, fit_judge(read, labelled)) if found is None else found


def fit_judge(read: Evidence, labelled: Observations) -> Judge:
    """Fit both classifiers to the known pairs of labelled models."""
    rows = read(labelled, np.arange(len(labelled.members)))[labelled.known]
    members, labels = (
        labelled.members[labelled.known],
        np.broadcast_to(labelled.labels, labelled.known.shape)[labelled.known],
    )
    if members.all() or not members.any():
        return UNDECIDED
    return Judge(_linear(rows, members), _boosted(rows, labels, members, labelled.seed_for("combined")))


def _undecided(rows: FloatArray, _labels: IntArray) -> FloatArray:
    return np.zeros(len(rows))


UNDECIDED = Judge(_undecided, _undecided)


def _linear(rows: FloatArray, members: BoolArray) -> Classifier:
    from sklearn.linear_model import LogisticRegression

    scale = [_normal_scale(column) for column in rows.T]

    def scaled(rows: FloatArray) -> FloatArray:
        return np.column_stack([np.interp(column, *points) for column, points in zip(rows.T, scale, strict=True)])

    model = LogisticRegression(C=PENALTY, max_iter=300).fit(scaled(rows), members)
    return lambda rows, _labels: np.asarray(model.decision_function(scaled(rows)))


def _normal_scale(column: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values, and where a normal variable has the same quantiles; ties stand in the middle of theirs."""
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    values, places = np.unique(np.quantile(column, shares), return_inverse=True)
    normal = special.ndtri(shares)
    return values, np.bincount(places, weights=normal) / np.bincount(places)


def _boosted(rows: FloatArray, labels: IntArray, members: BoolArray, seed: int) -> Classifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model: Any = HistGradientBoostingClassifier(
        max_iter=40,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=max(FEWEST_IN_LEAF, len(rows) // ROWS_PER_LEAF),
        l2_regularization=10.0,
        max_features=0.5,
        categorical_features=[rows.shape[1]],
        early_stopping=False,
        random_state=seed,
    )
    model.fit(_with_class(rows, labels), members)
    return lambda rows, labels: np.asarray(model.decision_function(_with_class(rows, labels)))


def _with_class(rows: FloatArray, labels: IntArray) -> FloatArray:
    return np.column_stack([rows, labels % MOST_CLASSES])
