"""Records that are copies of each other, and groups that keep them together."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from scipy import sparse

from pytest_mia.core.types import FloatArray, IntArray
from pytest_mia.data import containers

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
