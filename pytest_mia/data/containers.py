"""Records of whatever type holds them, one class a kind: frames, sparse matrices, tensors, arrays, lists.

Torch and pandas are met through the user's objects; neither is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import BoolArray, IntArray


class Container(Protocol):
    """What is done with records of one kind of type."""

    def holds(self, X: Any) -> bool:
        """Whether X is of this kind."""
        ...

    def take(self, X: Any, rows: IntArray) -> Any:
        """A copy of the rows of these numbers, in this order."""
        ...

    def concatenate(self, first: Any, second: Any) -> Any:
        """The records of both, which have the same type and shape."""
        ...

    def as_array(self, X: Any) -> npt.NDArray[Any]:
        """X as one dense array."""
        ...

    def bad_features(self, X: Any) -> BoolArray | None:
        """Which records hold a NaN, missing or infinite feature; ``None`` where there are no numbers to check."""
        ...


class Arrays:
    """Numpy's arrays, and whatever else has a shape and can be indexed by rows."""

    def holds(self, X: Any) -> bool:
        """Whether X has a shape."""
        return hasattr(X, "shape")

    def take(self, X: Any, rows: IntArray) -> Any:
        """The rows, by index."""
        return X[rows]

    def concatenate(self, first: Any, second: Any) -> Any:
        """One array."""
        return np.concatenate([first, second])

    def as_array(self, X: Any) -> npt.NDArray[Any]:
        """X itself."""
        return np.asarray(X)

    def bad_features(self, X: Any) -> BoolArray | None:
        """Rows that hold a float that isn't finite."""
        values = self.as_array(X)
        if values.dtype.kind not in "fc" or values.ndim == 0:
            return None
        return np.asarray(~np.isfinite(values).reshape(len(values), -1).all(axis=1))


class Tensors(Arrays):
    """Torch's tensors, on any device."""

    def holds(self, X: Any) -> bool:
        """Whether X is a tensor."""
        return is_tensor(X)

    def concatenate(self, first: Any, second: Any) -> Any:
        """One tensor."""
        return sys.modules["torch"].cat([first, second])

    def as_array(self, X: Any) -> npt.NDArray[Any]:
        """A tensor's values, on the CPU."""
        return np.asarray(X.detach().cpu())

    def bad_features(self, X: Any) -> BoolArray | None:
        """Rows that hold a float that isn't finite; numpy knows no bfloat16."""
        return super().bad_features(X.float() if X.is_floating_point() else X)


class SparseMatrices(Arrays):
    """Scipy's sparse matrices and arrays, of any format."""

    def holds(self, X: Any) -> bool:
        """Whether X is sparse."""
        return is_sparse(X)

    def take(self, X: Any, rows: IntArray) -> Any:
        """The rows, in the format of X."""
        return X.tocsr()[rows].asformat(X.format)

    def concatenate(self, first: Any, second: Any) -> Any:
        """One matrix, in the format of the first."""
        from scipy import sparse

        return sparse.vstack([first, second], format=first.format)

    def as_array(self, X: Any) -> npt.NDArray[Any]:
        """X with its zeros."""
        return np.asarray(X.toarray())

    def bad_features(self, X: Any) -> BoolArray | None:
        """Rows that hold a stored value that isn't finite."""
        rows = X.tocsr()
        bad = np.zeros(rows.shape[0], dtype=bool)
        bad[np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[~np.isfinite(rows.data)]] = True
        return bad


class Frames(Arrays):
    """Pandas' frames and series."""

    def holds(self, X: Any) -> bool:
        """Whether X is indexed by place."""
        return hasattr(X, "iloc")

    def take(self, X: Any, rows: IntArray) -> Any:
        """The rows, by place."""
        return X.iloc[rows]

    def concatenate(self, first: Any, second: Any) -> Any:
        """One frame with a new index, if columns and categories agree."""
        columns = [list(part.columns) if hasattr(part, "columns") else [] for part in (first, second)]
        if columns[0] != columns[1]:
            differing = sorted(map(str, set(columns[0]) ^ set(columns[1]))) or ["their order"]
            raise MIAUsageError(f"frames of different columns can't be joined: {', '.join(differing)}")
        joined = sys.modules["pandas"].concat([first, second], ignore_index=True)
        changed = [name for name, old, new in _dtypes(first, joined) if old == "category" and new != "category"]
        if changed:
            raise MIAUsageError(
                f"categories differ between the records to be joined, in {', '.join(changed)}; "
                "convert to category before the records are divided"
            )
        return joined

    def bad_features(self, X: Any) -> BoolArray | None:
        """Rows that hold a missing value of any type, or a number that isn't finite."""
        if not hasattr(X, "select_dtypes"):
            return super().bad_features(X)
        numbers = X.select_dtypes("number", exclude="timedelta").to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(X.isna().to_numpy().any(axis=1) | ~np.isfinite(numbers).all(axis=1))


class Lists(Arrays):
    """Lists, and any other sequence without a shape."""

    def holds(self, X: Any) -> bool:  # noqa: ARG002 - the last kind is that of all that is left
        """Always."""
        return True

    def take(self, X: Any, rows: IntArray) -> Any:
        """A list of the entries."""
        return [X[row] for row in rows.tolist()]

    def concatenate(self, first: Any, second: Any) -> Any:
        """One list."""
        return [*first, *second]

    def bad_features(self, X: Any) -> BoolArray | None:
        """Nothing is known of lists; other types may say themselves how they are an array."""
        return super().bad_features(X) if hasattr(X, "__array__") else None


KINDS: tuple[Container, ...] = (Tensors(), Frames(), SparseMatrices(), Arrays(), Lists())
"""A type is of the first kind that holds it."""


def container_of(X: Any) -> Container:
    """The kind of type that X is of."""
    return next(kind for kind in KINDS if kind.holds(X))


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
    raise MIAUsageError(f"{describe(X)} can't be divided into records; it needs one row or one entry per record")


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
    return container_of(X).take(X, rows)


def concatenate(first: Any, second: Any) -> Any:
    """Put the records of `second` behind those of `first`, in the user's own type.

    Raises
    ------
    MIAUsageError
        When the two are of different types, or differ in shape, columns or categories.
    """
    if type(first) is not type(second) and not (is_sparse(first) and is_sparse(second)):
        raise MIAUsageError(f"records of different types can't be joined: {describe(first)} and {describe(second)}")
    if _shape(first)[1:] != _shape(second)[1:]:
        raise MIAUsageError(f"records of different shapes can't be joined: {_shape(first)} and {_shape(second)}")
    return container_of(first).concatenate(first, second)


def join_copies(copies: Sequence[Any]) -> Any:
    """Copies of the same records, one after another; rows of a frame keep their index."""
    joined = reduce(concatenate, copies)
    if hasattr(joined, "iloc") and len(copies) > 1:
        joined.index = copies[0].index.append([each.index for each in copies[1:]])
    return joined


def as_array(X: Any) -> npt.NDArray[Any]:
    """X as one dense array: frames, sparse matrices and tensors on any device included."""
    return container_of(X).as_array(X)


def find_bad_features(X: Any) -> BoolArray | None:
    """Which records hold a NaN, missing or infinite feature; ``None`` for types that have no numbers to check."""
    return container_of(X).bad_features(X)


def as_texts(values: Any) -> list[str]:
    """One text per entry, by which entries that are no plain numbers can be compared."""
    values = values.to_numpy() if hasattr(values, "to_numpy") else values
    return [repr(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]


def as_sortable(values: Any) -> npt.NDArray[Any]:
    """One entry per record that can be sorted: numbers and strings as they are, anything else as its text."""
    try:
        array = as_array(values)
    except ValueError:  # entries of different lengths
        return np.array(as_texts(values))
    return array if array.ndim == 1 and array.dtype.kind != "O" else np.array(as_texts(values))


def is_tensor(value: Any) -> bool:
    """Whether this is a torch tensor; torch isn't imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_sparse(X: Any) -> bool:
    """Whether this is a sparse matrix or array of scipy; scipy isn't imported to find out."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(X))


def stack_records(items: Sequence[Any]) -> Any:
    """Records of one shape as one tensor or array; others, and texts, as the list that they are."""
    if any(isinstance(item, (str, bytes, Mapping)) for item in items):
        return list(items)
    if all(is_tensor(item) for item in items):
        return sys.modules["torch"].stack(list(items)) if len({item.shape for item in items}) == 1 else list(items)
    arrays = [np.asarray(item) for item in items]
    return np.stack(arrays) if len({array.shape for array in arrays}) == 1 else list(items)


def describe(value: Any) -> str:
    """Type and shape of a value, for messages; never its content."""
    package = type(value).__module__.partition(".")[0]
    name = type(value).__name__ if package == "builtins" else f"{package}.{type(value).__name__}"
    shape = _shape(value)
    return f"{name} of shape {shape}" if shape else name


def _dtypes(first: Any, joined: Any) -> list[tuple[str, str, str]]:
    if not hasattr(first, "columns"):
        return [(str(first.name), str(first.dtype), str(joined.dtype))]
    return [(str(name), str(a), str(b)) for name, a, b in zip(first.columns, first.dtypes, joined.dtypes, strict=True)]


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))
