"""Noisy copies of records, in whatever type holds them.

Binary features are flipped, other numbers get Gaussian noise in proportion to their column's standard deviation and
stay within its range, words are left out of texts, and categories give way to another record's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Protocol

import numpy as np

from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.numeric import Features, as_features, is_number_type

FLIPPED = (0.01, 0.02, 0.05, 0.1)
"""Probability of a flip, of a lost word, or of another record's category, at each level of noise."""

SHARES = (0.05, 0.1, 0.2, 0.5)
"""Standard deviation of Gaussian noise at each level, as a share of the column's own."""


NUMBERS_AT_ONCE = 2**22
"""Numbers that are changed together: what is needed besides a copy stays small."""


class Noise(Protocol):
    """Makes noisy copies of records."""

    def copy(self, level: int, rng: np.random.Generator) -> Any:
        """A copy of all records at one of the levels, in the user's own type."""
        ...


def noise_for(X: Any) -> Noise | None:
    """The noise that fits these records; ``None`` for types that hold neither numbers nor texts nor categories."""
    features = as_features(X)
    if features is not None:
        return Numbers(features)
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(X):
        return Sparse(X.tocoo(), X.format) if is_number_type(X.dtype) else None
    if hasattr(X, "iloc") and X.ndim == 2:
        return Frame(X)
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OUS":
        return Table(X)
    entries = X.tolist() if hasattr(X, "tolist") else X
    return Texts(X, [text.split() for text in entries]) if _are_texts(entries) else None


class Numbers:
    """Dense numbers, column by column; columns that don't vary stay as they are."""

    def __init__(self, features: Features) -> None:
        values, spread = features.values, features.spread
        self._features = features
        self._flipping = np.flatnonzero(np.isin(values, (0.0, 1.0)).all(axis=0) & (spread > 0))
        self._moving = np.setdiff1d(np.flatnonzero(spread > 0), self._flipping)
        self._whole, self._spread = features.whole[self._moving], spread[self._moving]
        moving = values[:, self._moving]
        self._low, self._high = (
            end(np.where(np.isfinite(moving), moving, np.nan), axis=0) for end in (np.nanmin, np.nanmax)
        )

    def copy(self, level: int, rng: np.random.Generator) -> Any:
        """Flip and move the columns that vary."""
        noisy = self._features.values.copy()
        size = max(1, NUMBERS_AT_ONCE // max(1, noisy.shape[1]))
        for start in range(0, len(noisy), size):
            block = noisy[start : start + size]
            block[:, self._flipping] = self._flipped(block[:, self._flipping], level, rng)
            block[:, self._moving] = self._moved(block[:, self._moving], level, rng)
        return self._features.restored(noisy)

    @staticmethod
    def _flipped(values: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
        return np.asarray(np.abs(values - (rng.random(values.shape, dtype=np.float32) < FLIPPED[level])))

    def _moved(self, values: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
        moved = values + SHARES[level] * self._spread * rng.standard_normal(values.shape, dtype=np.float32)
        moved = np.clip(np.where(self._whole, np.rint(moved), moved), self._low, self._high)
        # What isn't finite says something by itself.
        return np.where(np.isfinite(values), moved, values)


@dataclass(frozen=True, eq=False)
class Sparse:
    """A sparse matrix, of which only what is not zero changes: ones vanish, other numbers move.

    Attributes
    ----------
    matrix, format
        The matrix by its coordinates, and the user's format.
    """

    matrix: Any
    format: str

    def copy(self, level: int, rng: np.random.Generator) -> Any:
        """Change what is stored."""
        copy = self.matrix.copy()
        values = copy.data.astype(np.float64)
        if np.isin(values, (0.0, 1.0)).all():
            noisy = values * (rng.random(values.shape) >= FLIPPED[level])
        else:
            moved = values + SHARES[level] * self._spread(values) * rng.standard_normal(values.shape)
            moved = np.rint(moved) if copy.dtype.kind in "iu" else moved
            noisy = np.clip(moved, min(values.min(), 0.0), values.max())
        copy.data = noisy.astype(copy.dtype)
        return copy.asformat(self.format)

    def _spread(self, values: FloatArray) -> FloatArray:
        """Standard deviation of the column, its zeros included, at each stored number."""
        columns, (records, width) = self.matrix.col, self.matrix.shape
        first, second = (np.bincount(columns, power, minlength=width) / records for power in (values, values**2))
        return np.asarray(np.sqrt(np.maximum(second - first**2, 0.0))[columns])


@dataclass(frozen=True, eq=False)
class Table:
    """An array (records, columns) of categories, or of a mixture.

    Attributes
    ----------
    values
        The array.
    """

    values: Any

    def copy(self, level: int, rng: np.random.Generator) -> Any:
        """Put another record's value in some places."""
        return np.take_along_axis(self.values, _others(self.values.shape, level, rng), axis=0)


class Frame:
    """A frame of numbers and of other columns, which take another record's value in some places."""

    def __init__(self, X: Any) -> None:
        self._frame = X
        numbers = np.array([is_number_type(kind) for kind in X.dtypes], dtype=bool)
        self._numbers, self._others = np.flatnonzero(numbers), np.flatnonzero(~numbers)
        features = as_features(X.iloc[:, self._numbers]) if len(self._numbers) else None
        self._noise = None if features is None else Numbers(features)

    def copy(self, level: int, rng: np.random.Generator) -> Any:
        """Change each column by its kind."""
        frame = self._frame.copy()
        if self._noise is not None:
            noisy = self._noise.copy(level, rng)
            for column, place in enumerate(self._numbers):
                frame.isetitem(place, noisy.iloc[:, column])
        rows = _others((len(frame), len(self._others)), level, rng)
        for column, place in enumerate(self._others):
            frame.isetitem(place, self._frame.iloc[:, place].array.take(rows[:, column]))
        return frame


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts, in a list, an array or a series.

    Attributes
    ----------
    given
        As the user gave them.
    words
        The words of each.
    """

    given: Any
    words: Sequence[Sequence[str]]

    def copy(self, level: int, rng: np.random.Generator) -> Any:
        """Leave out some words; a text that would lose all of them keeps them."""
        ends = np.cumsum([len(each) for each in self.words])
        kept: list[BoolArray] = np.split(rng.random(int(ends[-1])) >= FLIPPED[level], ends[:-1])
        texts = [
            " ".join(compress(each, mask) if mask.any() else each) for each, mask in zip(self.words, kept, strict=True)
        ]
        if hasattr(self.given, "iloc"):
            return type(self.given)(texts, index=self.given.index, name=self.given.name, dtype=self.given.dtype)
        return np.array(texts, dtype=self.given.dtype) if hasattr(self.given, "dtype") else texts


def _others(shape: tuple[int, ...], level: int, rng: np.random.Generator) -> IntArray:
    """Row numbers of that shape: mostly the own, in some places another record's."""
    own = np.broadcast_to(np.arange(shape[0])[:, None], shape)
    return np.where(rng.random(shape) < FLIPPED[level], rng.integers(shape[0], size=shape), own)


def _are_texts(entries: Any) -> bool:
    return isinstance(entries, (list, tuple)) and len(entries) > 0 and all(isinstance(each, str) for each in entries)
