"""Can this audit answer the question at all? What is found here makes a verdict *invalid*, never a pass."""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

import numpy as np
from scipy import sparse

from pytest_mia.core.seeding import generator_for, single_threaded
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data import containers, numeric
from pytest_mia.models.signals import Signals

SPLITS = 5
BLIND_LEVEL = 0.01
BOOSTED_FROM = 500
BOOSTED_COLUMNS = 100
MOST_BLIND = 10_000
"""Records that are enough for the blind test."""
AT_ONCE = 4096
COARSE = 20
FEWEST_TO_BALANCE = 20
FEWEST_TO_REPEAT = 40
STRANGE = 0.5
"""Distance between a released model and its shadows, on records that are new to them, that is more than training."""
DIGITS = 8
"""Floats that agree to this many digits count as the same when duplicates are sought."""


def record_keys(X: Any, y: Any) -> IntArray | None:
    """Number the distinct records: equal rows (label included, floats to 8 digits) share a number.

    Parameters
    ----------
    X, y
        Features in any of the supported types, and labels or ``None``.

    Returns
    -------
    IntArray or None
        One number per record (records,), or ``None`` for types whose records can't be compared.
    """
    records = _rows(X)
    if records is None:
        return None
    labels = [""] * len(records) if y is None else containers.texts(y)
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in zip(records, labels, strict=True)], dtype=np.intp)


def merge_groups(first: IntArray, second: IntArray) -> IntArray:
    """Smallest groups that keep together what either grouping keeps together."""
    from scipy.sparse import csgraph

    records = len(first)
    start = first.max() + 1
    edges = sparse.coo_matrix((np.ones(records), (first, start + second)), shape=(start + second.max() + 1,) * 2)
    _, component = csgraph.connected_components(edges, directed=False)
    return np.asarray(np.unique(component[first], return_inverse=True)[1])


def all_alike(signals: Signals, labels: IntArray, members: BoolArray) -> str | None:
    """The finding that models trained on different halves answer exactly alike, so that nothing was trained.

    Coarse answers may agree by themselves, as those of trees do that have all found the same cut; they count as alike
    only when they are the same for every record too. Labels never count: models that are always right agree in them.

    Parameters
    ----------
    signals
        Signals (models, records).
    labels
        Class code of each record (records,).
    members
        Memberships (models, records).
    """
    values = signals.confidence
    if values is None or len(values) < 2 or not (members[0] != members[1:]).any() or (values != values[0]).any():
        return None
    if not constant(signals, labels) and len(np.unique(values)) <= COARSE:
        return None
    return (
        f"{len(values)} models trained on different halves give exactly the same answers: nothing was trained. "
        "Check that the factory returns a fresh model, and that training changes it"
    )


def balanced(members: BoolArray) -> str | None:
    """The finding that every record is a member of equally many models.

    Then a target's membership can be read off the others': attacks with few shadows see that, and show less than
    there is (an AUC of 0.41 with 4 models and no leak at all, by simulation).
    """
    counts = members.sum(axis=0)
    if len(counts) < FEWEST_TO_BALANCE or (counts != counts[0]).any():
        return None
    return (
        f"every record is a member of exactly {counts[0]} of the {len(members)} models, so that a target's memberships "
        "can be read off the others'. Draw each model's half by itself, without regard to the others"
    )


def repeated(members: BoolArray) -> str | None:
    """The finding that two models have the same members, or each what the other lacks.

    Then a target's membership stands in another model's, and is taken for a leak, or hides one.

    Parameters
    ----------
    members
        Memberships (models, units), of one record for each group; few of them may agree by chance.
    """
    if members.shape[1] < FEWEST_TO_REPEAT:
        return None
    turned = members ^ members[:, :1]
    _, first, place = np.unique(turned, axis=0, return_index=True, return_inverse=True)
    twins = first[place.ravel()]
    others = np.flatnonzero(twins != np.arange(len(members)))
    if not len(others):
        return None
    one, other = int(twins[others[0]]), int(others[0])
    how = "the same members" if (members[one] == members[other]).all() else "each the members that the other lacks"
    return (
        f"models {one} and {other} have {how}, so that a target's memberships can be read off the others'. Draw each "
        "model's half by itself, without regard to the others"
    )


def constant(signals: Signals, labels: IntArray) -> bool:
    """Whether the first model shows the same probabilities for the same class, whatever the record."""
    shown = signals.shown if signals.shown is not None else signals.confidence
    if shown is not None and (shown[0] != shown[0][:1]).any():
        return False
    # It is then right on all records of the class that it always guesses, and on no others.
    right = np.zeros(len(labels)) if signals.correct is None else signals.correct[0]
    return bool((right == np.isin(labels, labels[right > 0][:1])).all())


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
    features = numeric.of(X, y)
    if features is None:
        return 1.0, 0.0
    tests = [_blind_split(features, members, generator_for(seed, "blind", split)) for split in range(SPLITS)]
    return min(1.0, 2 * float(np.median([p for p, _ in tests]))), float(np.mean([advantage for _, advantage in tests]))


def shift(X: Any, y: Any, members: BoolArray, *, seed: int) -> float:
    """How far members and non-members differ by themselves: their `blind_advantage`, or 0 where it may be chance."""
    with single_threaded(), warnings.catch_warnings():
        # What scikit-learn has to say about the features concerns a model that nobody will see.
        warnings.simplefilter("ignore")
        p, advantage = blind_advantage(X, y, members, seed)
    return max(advantage, 0.0) if p < BLIND_LEVEL else 0.0


def shift_finding(advantage: float, limit: float) -> str | None:
    """The finding that members and non-members differ by themselves by more than half of the limit."""
    if advantage <= limit / 2:
        return None
    return (
        f"members and non-members can be told apart without any model (advantage {advantage:.3f}): they come from "
        "different sources, so the audit would measure that difference. Draw both sides at random from the same records"
    )


def strangeness(target: FloatArray, shadows: FloatArray) -> float:
    """How far a threshold learnt on shadows may be off on the target: the largest distance of their distributions.

    Parameters
    ----------
    target, shadows
        One signal of records that these were not trained on, in any numbers.

    Returns
    -------
    float
        The two-sample statistic of Kolmogorov and Smirnov, from 0 to 1; 0 where a side is empty.
    """
    if not target.size or not shadows.size:
        return 0.0
    values, both = np.concatenate([target, shadows]), [np.sort(target, axis=None), np.sort(shadows, axis=None)]
    first, second = (np.searchsorted(side, values, "right") / side.size for side in both)
    return float(np.abs(first - second).max())


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


def _rows(X: Any) -> list[Any] | None:
    if isinstance(X, list):
        return X if all(isinstance(text, str) for text in X) else None
    if hasattr(X, "itertuples"):
        return [repr(row) for row in X.itertuples(index=False, name=None)]
    if sparse.issparse(X):
        given: Any = X
        matrix = given.tocsr(copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return [
            _digest(matrix.indices[a:b].tobytes() + _rounded(matrix.data[a:b]).tobytes())
            for a, b in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
        ]
    dense = containers.as_array(X)
    if dense.dtype.kind not in "biuf":
        return None
    parts = (dense[start : start + AT_ONCE].reshape(-1, dense[0].size) for start in range(0, len(dense), AT_ONCE))
    return [_digest(row.tobytes()) for part in parts for row in _rounded(part)]


def _digest(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=16).digest()


def _rounded(values: FloatArray) -> FloatArray:
    if values.dtype.kind != "f":
        return values
    if values.dtype.itemsize <= 4:
        # They hold fewer digits; only the two zeros are to be made one.
        return np.asarray(values + values.dtype.type(0))
    with np.errstate(all="ignore"):
        power = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.where(values == 0, 1, np.abs(values)))))
        rounded = np.round(values * power) / power
    return np.asarray(np.where(np.isfinite(rounded), rounded, values) + 0.0)
