"""Rows of whatever type holds them: arrays, frames, sparse matrices, tensors, lists.

Torch and pandas are met through the user's objects; neither is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import BoolArray


def count(X: Any) -> int:
    """How many records X holds.

    Raises
    ------
    MIAUsageError
        When it has no length.
    """
    shape = getattr(X, "shape", None)
    if shape:
        return int(shape[0])
    if shape is None and hasattr(X, "__len__") and not isinstance(X, (str, bytes, Mapping)):
        return len(X)
    raise MIAUsageError(f"{described(X)} can't be divided into records; it needs one row or one entry per record")


def take(X: Any, index: npt.ArrayLike) -> Any:
    """The records at `index`, in this order and in the user's own type.

    Parameters
    ----------
    X
        Features, labels or anything else with one row per record.
    index
        Row numbers, or one bool per record.

    Returns
    -------
    Any
        A copy, of the same type as `X`; for any sequence that isn't an array, a list.
    """
    rows = np.asarray(index)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if is_sparse(X):
        return X.tocsr()[rows].asformat(X.format)
    return X[rows] if hasattr(X, "shape") else [X[row] for row in rows.tolist()]


def concatenate(first: Any, second: Any) -> Any:
    """Put the records of `second` behind those of `first`, in the user's own type.

    Raises
    ------
    MIAUsageError
        When the two are of different types, or differ in shape, columns or categories.
    """
    if type(first) is not type(second) and not (is_sparse(first) and is_sparse(second)):
        raise MIAUsageError(f"records of different types can't be joined: {described(first)} and {described(second)}")
    if _shape(first)[1:] != _shape(second)[1:]:
        raise MIAUsageError(f"records of different shapes can't be joined: {_shape(first)} and {_shape(second)}")
    if hasattr(first, "iloc"):
        return _joined_frames(first, second)
    if is_sparse(first):
        from scipy import sparse

        return sparse.vstack([first, second], format=first.format)
    if is_tensor(first):
        return sys.modules["torch"].cat([first, second])
    return np.concatenate([first, second]) if hasattr(first, "shape") else [*first, *second]


def as_array(X: Any) -> npt.NDArray[Any]:
    """X as one dense array: frames, sparse matrices and tensors on any device included."""
    if is_tensor(X):
        X = X.detach().cpu()
    return np.asarray(X.toarray() if is_sparse(X) else X)


def texts(values: Any) -> list[str]:
    """One text per entry, by which entries that are no plain numbers can be compared."""
    values = values.to_numpy() if hasattr(values, "to_numpy") else values
    return [repr(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]


def sortable(values: Any) -> npt.NDArray[Any]:
    """One entry per record that can be sorted: numbers and strings as they are, anything else as its text."""
    try:
        array = as_array(values)
    except ValueError:  # entries of different lengths
        return np.array(texts(values))
    return array if array.ndim == 1 and array.dtype.kind != "O" else np.array(texts(values))


def is_tensor(value: Any) -> bool:
    """Whether this is a torch tensor; torch isn't imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def stacked(items: Sequence[Any]) -> Any:
    """Records of one shape as one tensor or array; others, and texts, as the list that they are."""
    if any(isinstance(item, (str, bytes, Mapping)) for item in items):
        return list(items)
    if all(is_tensor(item) for item in items):
        return sys.modules["torch"].stack(list(items)) if len({item.shape for item in items}) == 1 else list(items)
    arrays = [np.asarray(item) for item in items]
    return np.stack(arrays) if len({array.shape for array in arrays}) == 1 else list(items)


def described(value: Any) -> str:
    """Type and shape of a value, for messages; never its content."""
    package = type(value).__module__.partition(".")[0]
    name = type(value).__name__ if package == "builtins" else f"{package}.{type(value).__name__}"
    shape = _shape(value)
    return f"{name} of shape {shape}" if shape else name


def bad_features(X: Any) -> BoolArray | None:
    """Which records hold a NaN, missing or infinite feature; ``None`` for types that have no numbers to check."""
    if is_sparse(X):
        rows = X.tocsr()
        bad = np.zeros(rows.shape[0], dtype=bool)
        bad[np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[~np.isfinite(rows.data)]] = True
        return bad
    if hasattr(X, "select_dtypes"):
        numbers = X.select_dtypes("number", exclude="timedelta").to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(X.isna().to_numpy().any(axis=1) | ~np.isfinite(numbers).all(axis=1))
    if not (hasattr(X, "shape") or hasattr(X, "__array__")):
        return None
    values = as_array(X.float() if is_tensor(X) and X.is_floating_point() else X)
    if values.dtype.kind not in "fc" or values.ndim == 0:
        return None
    return np.asarray(~np.isfinite(values).reshape(len(values), -1).all(axis=1))


def _joined_frames(first: Any, second: Any) -> Any:
    columns = [list(part.columns) if hasattr(part, "columns") else [] for part in (first, second)]
    if columns[0] != columns[1]:
        differing = sorted(map(str, set(columns[0]) ^ set(columns[1]))) or ["their order"]
        raise MIAUsageError(f"frames of different columns can't be joined: {', '.join(differing)}")
    joined = sys.modules["pandas"].concat([first, second], ignore_index=True)
    changed = [name for name, before, after in _dtypes(first, joined) if before == "category" and after != "category"]
    if changed:
        raise MIAUsageError(
            f"categories differ between the records to be joined, in {', '.join(changed)}; "
            "convert to category before the records are divided"
        )
    return joined


def _dtypes(first: Any, joined: Any) -> list[tuple[str, str, str]]:
    if not hasattr(first, "columns"):
        return [(str(first.name), str(first.dtype), str(joined.dtype))]
    return [(str(name), str(a), str(b)) for name, a, b in zip(first.columns, first.dtypes, joined.dtypes, strict=True)]


def is_sparse(X: Any) -> bool:
    """Whether this is a sparse matrix or array of scipy; scipy isn't imported to find out."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(X))


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))
