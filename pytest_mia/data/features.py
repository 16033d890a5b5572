"""Numeric features of whatever type as one table of numbers, and the way back to the user's own type."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.data.containers import is_tensor


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


def dense(X: Any) -> Features | None:
    """The features of arrays, tensors, frames and lists of numbers; ``None`` for anything else."""
    if is_tensor(X):
        return _of_tensor(X)
    if hasattr(X, "iloc"):
        return _of_frame(X) if X.ndim == 2 and all(map(is_number, X.dtypes)) else None
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
    numbers = hasattr(X, "iloc") and dense(X) is not None
    return X.astype({name: float for name, kind in X.dtypes.items() if kind.kind in "biu"}) if numbers else X


def is_number(dtype: Any) -> bool:
    """Whether this is numpy's type of integers, bools or floats."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _of_array(array: np.ndarray[Any, Any], finished: Callable[[np.ndarray[Any, Any]], Any]) -> Features | None:
    if not is_number(array.dtype) or array.ndim == 0:
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
