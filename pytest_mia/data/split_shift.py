"""Can members and non-members be told apart without any model?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from pytest_mia.core.seeding import generator_for, single_threaded
from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.data import containers, numeric

SPLITS = 5


BLIND_LEVEL = 0.01


BOOSTED_FROM = 500


BOOSTED_COLUMNS = 100


MOST_BLIND = 10_000
"""Records that are enough for the blind test."""


def blind_advantage(X: Any, y: Any, members: BoolArray, seed: int) -> tuple[float, float]:
    """How well members can be told from non-members without any model (the idea of Das, Zhang & Tramer 2024).

    On five random halves a classifier of (x, y) is fitted and tested on the other half, by a one-sided Mann-Whitney
    test. The p-values are combined as twice their median, which holds under any dependence.

    Parameters
    ----------
    X, y
        Records.
    members
        Which side each record (records,) is on.
    seed
        The audit's seed.

    Returns
    -------
    float, float
        Combined p-value, and the mean advantage on the held-out halves; (1, 0) for records that can't be made numbers.
    """
    if len(members) > MOST_BLIND:
        some = np.sort(generator_for(seed, "blind records").permutation(len(members))[:MOST_BLIND])
        X, y, members = containers.take(X, some), None if y is None else containers.take(y, some), members[some]
    features = numeric.to_matrix(X, y)
    if features is None:
        return 1.0, 0.0
    tests = [_blind_split(features, members, generator_for(seed, "blind", split)) for split in range(SPLITS)]
    return min(1.0, 2 * float(np.median([p for p, _ in tests]))), float(np.mean([advantage for _, advantage in tests]))


def measure_shift(X: Any, y: Any, members: BoolArray, *, seed: int) -> float:
    """How far members and non-members differ by themselves: their `blind_advantage`, or 0 where it may be chance."""
    with single_threaded(), warnings.catch_warnings():
        # Warnings of scikit-learn about the features concern a model of ours, which the user never sees.
        warnings.simplefilter("ignore")
        p, advantage = blind_advantage(X, y, members, seed)
    return max(advantage, 0.0) if p < BLIND_LEVEL else 0.0


def describe_shift(advantage: float, limit: float) -> str | None:
    """The finding that members and non-members differ by themselves by more than half of the limit."""
    if advantage <= limit / 2:
        return None
    return (
        f"members and non-members can be told apart without any model (advantage {advantage:.3f}): they come from "
        "different sources, so the audit would measure that difference. Draw both sides at random from the same records"
    )


def _blind_split(features: FloatArray, members: BoolArray, rng: np.random.Generator) -> tuple[float, float]:
    # Loading it takes half a second, which audits that have nothing to compare do without.
    from scipy import stats

    fitted = rng.permutation(len(members)) < len(members) // 2
    scores = _blind_scores(features[fitted], members[fitted], features[~fitted], seed=int(rng.integers(2**31)))
    held = members[~fitted]
    if held.all() or not held.any():
        return 1.0, 0.0
    p = float(stats.mannwhitneyu(scores[held], scores[~held], alternative="greater").pvalue)
    cut = np.median(scores)
    return p, float((scores[held] > cut).mean() - (scores[~held] > cut).mean())


def _blind_scores(taught: FloatArray, members: BoolArray, asked: FloatArray, *, seed: int) -> FloatArray:
    from scipy import stats
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if members.all() or not members.any():
        return np.zeros(len(asked))
    models: list[Any] = [make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=1000))]
    if len(taught) >= BOOSTED_FROM and taught.shape[1] <= BOOSTED_COLUMNS:
        models.append(HistGradientBoostingClassifier(max_iter=50, random_state=seed))
    parts = [model.fit(taught, members).decision_function(asked) for model in models]
    return np.asarray(sum(stats.rankdata(part) for part in parts))
