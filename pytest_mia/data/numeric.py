"""Records of any type as plain numbers, for those models of our own that look at them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from pytest_mia.core.types import FloatArray
from pytest_mia.data import containers

MOST_ONE_HOT = 100
MOST_COLUMNS = 1000
PROJECTED = 512
"""Columns that texts and wide records are hashed, or projected, to."""
LARGEST = 1e100
"""Where features are cut off, so that their squares stay finite."""


def of(X: Any, y: Any) -> FloatArray | None:
    """Records as a matrix of numbers (records, columns), label one-hot; ``None`` for types that hold no numbers.

    Parameters
    ----------
    X, y
        Features in any of the supported types, and labels or ``None``.
    """
    values = _matrix(X)
    if values is None:
        return None
    if y is None:
        return values
    return np.hstack([values, _label_columns(y)])


def _label_columns(y: Any) -> FloatArray:
    """Several numbers per record as they are, few classes one-hot, many labels by their place in order."""
    several = _matrix(y) if getattr(y, "ndim", 1) > 1 else None
    if several is not None:
        return several
    classes, codes = np.unique(containers.sortable(y), return_inverse=True)
    few = len(classes) <= min(len(codes) // 4, MOST_ONE_HOT)
    return np.eye(len(classes))[codes] if few else codes[:, None].astype(np.float64)


def _matrix(X: Any) -> FloatArray | None:
    if isinstance(X, list) and X and isinstance(X[0], str):
        from sklearn.feature_extraction.text import HashingVectorizer

        return np.asarray(HashingVectorizer(n_features=PROJECTED).transform(X).toarray())
    if hasattr(X, "select_dtypes"):
        codes = {name: X[name].astype("category").cat.codes for name in X.select_dtypes(exclude="number")}
        X = X.assign(**codes)
    if sparse.issparse(X):
        return _clipped(containers.as_array(_projected(X)))
    dense = containers.as_array(X)
    if dense.dtype.kind not in "biuf":
        return None
    return np.asarray(_projected(_clipped(dense.reshape(len(dense), -1))))


def _clipped(values: FloatArray) -> FloatArray:
    return np.nan_to_num(np.clip(values.astype(np.float64), -LARGEST, LARGEST))


def _projected(X: Any) -> Any:
    """The records on random directions where they have very many columns; a shift between two sources stays one."""
    if X.shape[1] <= MOST_COLUMNS:
        return X
    from sklearn.random_projection import SparseRandomProjection

    return SparseRandomProjection(PROJECTED, random_state=0).fit_transform(X)
