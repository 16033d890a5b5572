"""Records that are copies of each other, groups that keep them together, and near-duplicates.

Near-duplicates lie much closer to one other record than records here do by chance. Two versions of one record that are
drawn apart hide a leak: a model that has one of them knows the other too, so both are answered alike. Exact copies are
drawn together without being asked for; those that differ in a digit are found here, and only the user can say whether
they are one person.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from scipy import sparse

from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data import containers, numeric

AT_ONCE = 4096
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
    labels = [""] * len(records) if y is None else containers.as_texts(y)
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


MOST_ASKED, MOST_COMPARED = 500, 10_000
"""Records whose neighbours are looked for, and among which: a share needs no more."""
FEWEST = 50
"""Records below which distances say nothing."""
FIFTH, LAST = 4, 15
"""Places of the neighbours that a distance is compared with, and that dimensions are counted by."""
BY_CHANCE = 1e-3
"""Share of the records that counts as near-duplicates where there are none."""
NEAREST = 0.3
"""Distance to the nearest neighbour, as a part of that to the fifth, that is no near-duplicate in any dimensions."""
CLOSE, AGREEING = 0.05, 0.95
"""Standard deviations by which values of a column may differ, and columns that must not differ by more."""
EQUAL = 1e-14
"""Squared distance, as a part of the squared norms of two records, below which they are equal."""
NOTED, MOST = 0.01, 0.05


def estimate_share(X: Any, *, seed: int, groups: IntArray | None = None, members: BoolArray | None = None) -> float:
    """Share of the records that have a near-duplicate which may be drawn apart from them.

    Near are two records that agree in nearly all columns, and lie nearer than chance would have it.
    The distance to the nearest neighbour is set against that to the fifth. In D dimensions their ratio is below r for
    1 - (1 - r^D)^4 of the records by chance; D is estimated from the neighbours after it, by the mean of their
    logarithms (Levina & Bickel 2004).

    Parameters
    ----------
    X
        Features in any of the supported types.
    seed
        Chooses records where there are many.
    groups
        Group of each record (records,); records of one group don't count as near-duplicates of each other.
    members
        Sides (records,) of a release, whose pairs count where they stand on different sides.

    Returns
    -------
    float
        0 for types that can't be compared, and for fewer than `FEWEST` records.
    """
    size = containers.count(X)
    if size < FEWEST:
        return 0.0
    order = generator_for(seed, "lookalikes").permutation(size)[:MOST_COMPARED]
    values = numeric.to_matrix(containers.take(X, order), None)
    if values is None:
        return 0.0
    ids = order if groups is None else groups[order]
    values = _standardised(values)
    distances, nearest = _neighbours(values, ids)
    near = _agreeing(values, nearest)
    near &= (distances[:, 0] > 0) & np.isfinite(distances[:, LAST])
    near[near] = distances[near, 0] < _ratio(distances) * distances[near, FIFTH]
    if members is not None:
        near &= members[order[: len(near)]] != members[order[nearest]]
    return float(near.mean())


def describe_share(found: float, *, grouped: bool) -> tuple[list[str], list[str]]:
    """The finding, or the note, that there are near-duplicates, where there are more than few.

    Parameters
    ----------
    found
        Their `estimate_share`.
    grouped
        Whether the user gave groups: then many near-duplicates are a note and no finding.
    """
    if found <= NOTED:
        return [], []
    text = (
        f"{found:.1%} of the records have a near-duplicate, which hides a leak where one of the two is a member and "
        "the other isn't: give the records of one person one id, Dataset(X, y, groups=...), or each record an id of "
        "its own"
    )
    return ([text], []) if found > MOST and not grouped else ([], [text])


def _standardised(values: FloatArray) -> FloatArray:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0))[:, spread > 0] / spread[spread > 0])


def _agreeing(values: FloatArray, nearest: IntArray) -> BoolArray:
    """Which of the first records agree with their nearest one in nearly all columns."""
    differences = np.abs(values[: len(nearest)] - values[nearest])
    return np.asarray((differences <= CLOSE).mean(axis=1) >= AGREEING) if values.shape[1] else nearest < 0


def _neighbours(values: FloatArray, ids: IntArray) -> tuple[FloatArray, IntArray]:
    """Distances (asked, LAST + 1) of the first records to their nearest ones of other ids, and who is the nearest."""
    asked = values[:MOST_ASKED]
    norms = (values**2).sum(axis=1)
    squares = norms[: len(asked), None] - 2 * asked @ values.T + norms
    squares[ids[: len(asked), None] == ids] = np.inf
    # What is left of two equal records is rounding.
    squares[squares < EQUAL * (norms[: len(asked), None] + norms)] = 0.0
    smallest = np.sort(np.partition(squares, LAST, axis=1)[:, : LAST + 1], axis=1)
    return np.sqrt(smallest), squares.argmin(axis=1)


def _ratio(distances: FloatArray) -> float:
    """The ratio that as few records as `BY_CHANCE` fall below without near-duplicates."""
    whole = distances[np.isfinite(distances[:, LAST]) & (distances[:, FIFTH] > 0)]
    if not len(whole):
        return 0.0
    # Of volumes, which grow by equal steps, the logarithms lie sums of 1 / place apart.
    expected = np.cumsum(1 / np.arange(LAST, FIFTH, -1)).mean()
    found = float(np.log(whole[:, LAST:] / whole[:, FIFTH:LAST]).mean())
    return min(NEAREST, float((1 - (1 - BY_CHANCE) ** (1 / FIFTH)) ** (found / expected)))
