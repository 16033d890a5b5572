"""Records of any type as plain numbers: for models of our own, and with the way back to the user's own type."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.data import containers
from pytest_mia.data.containers import is_tensor

MOST_ONE_HOT = 100
MOST_COLUMNS = 1000
PROJECTED = 512
"""Columns that texts and wide records are hashed, or projected, to."""
LARGEST = 1e100
"""Where features are cut off, so that their squares stay finite."""


@dataclass(frozen=True, eq=False)
class Features:
    """Dense numeric features.

    Attributes
    ----------
    values
        A table (records, columns) in float64; images and the like have one column a pixel.
    whole
        Which columns (columns,) hold integers or bools.
    restored
        Makes features of the user's own type and shape of such a table; columns of integers must hold such.
    """

    values: FloatArray
    whole: BoolArray
    restored: Callable[[FloatArray], Any]

    @property
    def spread(self) -> FloatArray:
        """Standard deviation of each column (columns,) over its finite values; 0 where there are none."""
        finite = np.isfinite(self.values)
        count = np.maximum(finite.sum(axis=0), 1)
        middle = np.where(finite, self.values, 0.0).sum(axis=0) / count
        squares = np.where(finite, self.values - middle, 0.0) ** 2
        return np.asarray(np.sqrt(squares.sum(axis=0) / count))


def as_features(X: Any) -> Features | None:
    """The features of arrays, tensors, frames and lists of numbers; ``None`` for anything else."""
    if is_tensor(X):
        return _of_tensor(X)
    if hasattr(X, "iloc"):
        return _of_frame(X) if X.ndim == 2 and all(map(is_number_type, X.dtypes)) else None
    if isinstance(X, np.ndarray):
        return _of_array(X, lambda array: array)
    if isinstance(X, (list, tuple)):
        try:
            return _of_array(np.asarray(X), lambda array: array.tolist())
        except ValueError:  # entries of different lengths
            return None
    return None


def as_floats(X: Any) -> Any:
    """The same features, with room for fractions; tensors of integers, which may be looked up, stay as they are."""
    if is_tensor(X):
        return X
    if isinstance(X, np.ndarray):
        return X.astype(np.float64) if X.dtype.kind in "biu" else X
    if not hasattr(X, "iloc") or as_features(X) is None:
        return X
    frame = X.copy()
    for place, dtype in enumerate(X.dtypes):
        if dtype.kind in "biu":
            frame.isetitem(place, X.iloc[:, place].astype(np.float64))
    return frame


def is_number_type(dtype: Any) -> bool:
    """Whether this is numpy's type of integers, bools or floats."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def to_matrix(X: Any, y: Any) -> FloatArray | None:
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
    classes, codes = np.unique(containers.as_sortable(y), return_inverse=True)
    few = len(classes) <= min(len(codes) // 4, MOST_ONE_HOT)
    return np.eye(len(classes))[codes] if few else codes[:, None].astype(np.float64)


def _matrix(X: Any) -> FloatArray | None:
    if isinstance(X, list) and X and isinstance(X[0], str):
        from sklearn.feature_extraction.text import HashingVectorizer

        return np.asarray(HashingVectorizer(n_features=PROJECTED).transform(X).toarray())
    if hasattr(X, "select_dtypes"):
        X = _with_codes(X)
    if sparse.issparse(X):
        return _clipped(containers.as_array(_projected(X)))
    dense = containers.as_array(X)
    if dense.dtype.kind not in "biuf":
        return None
    return np.asarray(_projected(_clipped(dense.reshape(len(dense), -1))))


def _with_codes(frame: Any) -> Any:
    """The frame with each column that holds no numbers as numbers of its values; columns are told by their place."""
    by_place = frame.set_axis(range(frame.shape[1]), axis=1)
    for place in by_place.select_dtypes(exclude="number").columns:
        by_place.isetitem(place, _codes(by_place[place]))
    return by_place


def _codes(column: Any) -> Any:
    try:
        return column.astype("category").cat.codes
    except TypeError:  # cells such as lists, which have no hash
        return np.unique(containers.as_texts(column), return_inverse=True)[1]


def _clipped(values: FloatArray) -> FloatArray:
    return np.nan_to_num(np.clip(values.astype(np.float64), -LARGEST, LARGEST))


def _projected(X: Any) -> Any:
    """The records on random directions where they have very many columns; a shift between two sources stays one."""
    if X.shape[1] <= MOST_COLUMNS:
        return X
    from sklearn.random_projection import SparseRandomProjection

    return SparseRandomProjection(PROJECTED, random_state=0).fit_transform(X)


def _of_array(array: np.ndarray[Any, Any], finished: Callable[[np.ndarray[Any, Any]], Any]) -> Features | None:
    if not is_number_type(array.dtype) or array.ndim == 0:
        return None
    shape, dtype = array.shape, array.dtype
    values = array.reshape(len(array), -1).astype(np.float64)
    whole = np.full(values.shape[1], dtype.kind in "biu")
    return Features(values, whole, lambda table: finished(table.reshape(shape).astype(dtype)))


def _of_tensor(X: Any) -> Features | None:
    array = X.detach().cpu()
    array = array.float() if array.is_floating_point() and array.element_size() < 4 else array
    torch = sys.modules["torch"]
    return _of_array(
        array.numpy(), lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(dtype=X.dtype, device=X.device)
    )


def _of_frame(X: Any) -> Features:
    kinds = list(X.dtypes)

    def restored(table: FloatArray) -> Any:
        frame = type(X)(table.copy(), index=X.index, columns=X.columns)
        for place, dtype in enumerate(kinds):
            if dtype != table.dtype:
                frame.isetitem(place, table[:, place].astype(dtype))
        return frame

    return Features(
        X.to_numpy(dtype=np.float64), np.array([kind.kind in "biu" for kind in kinds], dtype=bool), restored
    )
