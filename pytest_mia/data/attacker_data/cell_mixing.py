"""Records put together from cells of other records, in the user's own type."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import IntArray
from pytest_mia.data.containers import as_array, as_texts, count, describe, is_sparse, is_tensor

CELLS_AT_ONCE = 2**22

Sources = Callable[[IntArray, IntArray], IntArray]
"""Told of a block of columns which cells (rows, columns) hold the first row's value (0), which the first other value
(1) and which anything else (2), and of one row per column that holds the first other value. Answers with the row that
each cell of the new records comes from."""


def mix_cells(X: Any, records: int, sources: Sources) -> Any:
    """New records, each cell of which comes from any row of X.

    Columns go through in blocks of a size that depends on the shapes alone, so that the same table gives the same
    records whatever type holds it.

    Parameters
    ----------
    X
        Array, DataFrame, sparse matrix or tensor.
    records
        How many new records.
    sources
        Where their cells come from.

    Raises
    ------
    MIAUsageError
        For anything else, whose records have no columns.
    """
    if not hasattr(X, "shape") or len(X.shape) < 2:
        raise MIAUsageError(
            f"{describe(X)} has no columns of which records could be put together; "
            "give an array, a DataFrame, a sparse matrix, a tensor or a list of texts"
        )
    blocks = [_block(X, part, sources) for part in _parts(records, count(X), int(np.prod(X.shape[1:])))]
    if hasattr(X, "iloc"):
        return sys.modules["pandas"].concat(blocks, axis=1)
    if is_sparse(X):
        from scipy import sparse

        return sparse.hstack(blocks, format=X.format, dtype=X.dtype)
    whole = sys.modules["torch"].cat(blocks, 1) if is_tensor(X) else np.concatenate(blocks, axis=1)
    return whole.reshape((records, *X.shape[1:]))


def _parts(records: int, rows: int, columns: int) -> Iterator[slice]:
    width = max(1, CELLS_AT_ONCE // max(records, rows, 1))
    for start in range(0, columns, width):
        yield slice(start, min(start + width, columns))


def _block(X: Any, part: slice, sources: Sources) -> Any:
    """Some columns of the new records."""
    if hasattr(X, "iloc"):
        columns = [X.iloc[:, column] for column in range(part.start, part.stop)]
        rows = sources(*_kinds(np.stack([_codes(column) for column in columns], axis=1)))
        taken = [column.take(places) for column, places in zip(columns, rows.T, strict=True)]
        return sys.modules["pandas"].concat([each.reset_index(drop=True) for each in taken], axis=1)
    if is_sparse(X):
        values = X.tocsc()[:, part].toarray()
        return type(X.tocsr())(np.take_along_axis(values, sources(*_kinds(values)), axis=0))
    values = X.reshape(len(X), -1)[:, part]
    rows = sources(*_kinds(as_array(values)))
    if is_tensor(X):
        return values.take_along_dim(sys.modules["torch"].as_tensor(rows, device=X.device), dim=0)
    return np.take_along_axis(values, rows, axis=0)


def _codes(column: Any) -> IntArray:
    """Numbers for the values of a column of any type; missing ones are a value too."""
    factorize = sys.modules["pandas"].factorize
    try:
        return np.asarray(factorize(column, use_na_sentinel=False)[0])
    except TypeError:  # cells such as lists, which have no hash
        return np.asarray(factorize(np.array(as_texts(column)))[0])


def _kinds(values: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    differs = np.asarray(values != values[:1], dtype=bool)
    other = differs.argmax(axis=0)
    second = np.asarray(values == values[other, np.arange(values.shape[1])], dtype=bool)
    return np.where(differs, np.where(second, 1, 2), 0), other


def words_of(given: Sequence[str]) -> tuple[npt.NDArray[np.object_], IntArray]:
    """All words of the texts one after another, and how many each text has."""
    split = [text.split() for text in given]
    return np.array([word for words in split for word in words], dtype=object), np.array([*map(len, split)], dtype=int)


def texts_of(words: npt.NDArray[np.object_], lengths: IntArray) -> list[str]:
    """Texts of these lengths from words one after another."""
    return [" ".join(part) for part in np.split(words, np.cumsum(lengths)[:-1])]


def is_texts(X: Any) -> bool:
    """Whether this is a list of texts."""
    return isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(text, str) for text in X)
