"""Records that a weaker attacker holds, made from the user's own: a part of them, a noisy copy, their marginals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data import dataset as datasets
from pytest_mia.data.attacker_data.cell_mixing import is_texts, mix_cells, texts_of, words_of
from pytest_mia.data.containers import count, take
from pytest_mia.data.dataset import Dataset, take_records
from pytest_mia.data.labels import number_groups
from pytest_mia.data.memberships import strata_of


def part(dataset: Any, share: float, *, seed: int = 0) -> Dataset:
    """A random part of the records: for an attacker who knows some of the data, but not which records were trained on.

    Parameters
    ----------
    dataset
        Records in any form that ``mia_dataset`` takes.
    share
        Share of the records that the attacker has, above 0 and at most 1, the same of each class; an odd record of a
        class is drawn by a coin. Records of one group go together.
    seed
        Of the draw.

    Returns
    -------
    Dataset
        The records in their order, with their groups and slices. Those that are audited too are known as what they are:
        the attacker's shadows were trained with them or without.

    Raises
    ------
    MIAUsageError
        When the share is out of range, or no record is left.
    """
    given = _given(dataset, share)
    strata = _strata(given)
    units = _units(given)
    _, first = np.unique(units, return_index=True)
    drawn = _drawn(strata[first], share, generator_for(seed, "part"))[units]
    if not drawn.any():
        raise MIAUsageError(
            f"a share of {share:g} of {len(drawn)} records is less than one record; give a larger share"
        )
    return take_records(given, drawn)


def noisy(dataset: Any, share: float, *, seed: int = 0) -> Dataset:
    """The records with wrong features: an attacker whose copy of the data is out of date (Shokri et al. 2017, V-C).

    Parameters
    ----------
    dataset
        Records in any form that ``mia_dataset`` takes.
    share
        Probability, above 0 and at most 1, that a feature is replaced by that of another record, drawn at random. One
        of two values, such as a bit, is replaced by the other one, as Shokri et al. flip theirs. Words of texts are
        replaced by any words of all texts.
    seed
        Of the noise.

    Returns
    -------
    Dataset
        As many records, with the labels, groups and slices of those that they were.

    Raises
    ------
    MIAUsageError
        When the share is out of range, or the records have no features that can be told apart.
    """
    given = _given(dataset, share)
    rng, size = generator_for(seed, "noisy"), count(given.X)
    if is_texts(given.X):
        words, lengths = words_of(given.X)
        replaced = np.where(rng.random(len(words)) < share, _any_of(words, len(words), rng), words)
        return Dataset(texts_of(replaced, lengths), given.y, given.groups, given.slices)

    def sources(kinds: IntArray, other: IntArray) -> IntArray:
        own = np.arange(size)[:, None]
        another = rng.integers(0, max(size - 1, 1), kinds.shape)
        another = np.minimum(another + (another >= own), size - 1)
        flipped = np.where(kinds == 0, other, 0)
        return np.where(rng.random(kinds.shape) < share, np.where(kinds.max(axis=0) == 1, flipped, another), own)

    return Dataset(mix_cells(given.X, size, sources), given.y, given.groups, given.slices)


def marginals(dataset: Any, records: int, *, seed: int = 0) -> Dataset:
    """Records put together from each class's marginals: an attacker who knows statistics (Shokri et al. 2017, V-C).

    Parameters
    ----------
    dataset
        Records in any form that ``mia_dataset`` takes.
    records
        How many to make, at least 1; classes have the shares that they have in the dataset.
    seed
        Of the draws.

    Returns
    -------
    Dataset
        Records each feature of which is drawn from those of its class (for continuous labels: of its decile),
        independently of all other features. A text is as long as one of its class, with words drawn from all of them.

    Raises
    ------
    MIAUsageError
        When `records` is no number of records, or the records have no features that can be told apart.
    """
    given = _given(dataset, 1.0)
    if isinstance(records, bool) or not isinstance(records, (int, np.integer)) or records < 1:
        raise MIAUsageError(f"records must be a number of records from 1, got {records!r}")
    rng, strata = generator_for(seed, "marginals"), _strata(given)
    order = np.argsort(strata, kind="stable")
    # Evenly spaced places among the records in the order of their classes: each class has its share of them.
    places = order[(np.arange(records) * len(strata)) // records]
    y = None if given.y is None else take(given.y, places)
    first, sizes = np.searchsorted(strata[order], strata[places]), np.bincount(strata)[strata[places]]
    if is_texts(given.X):
        return Dataset(_texts_by_class(given.X, strata, strata[places], rng), y)

    def sources(kinds: IntArray, _other: IntArray) -> IntArray:
        drawn = rng.random((records, kinds.shape[1]))
        return np.asarray(order[first[:, None] + (drawn * sizes[:, None]).astype(np.intp)])

    return Dataset(mix_cells(given.X, int(records), sources), y)


def _given(dataset: Any, share: float) -> Dataset:
    given = datasets.as_dataset(dataset)
    problems = datasets.find_problems(given, needs_labels=False)
    if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0 < share <= 1:
        problems.append(f"share must be above 0 and at most 1, got {share!r}")
    if problems:
        raise MIAUsageError(problems)
    return given


def _strata(given: Dataset) -> IntArray:
    return strata_of(given.y, count(given.X))


def _units(given: Dataset) -> IntArray:
    """Number of the group that each record goes with."""
    if given.groups is None:
        return np.arange(count(given.X))
    return np.asarray(number_groups(given.groups))


def _drawn(strata: IntArray, share: float, rng: np.random.Generator) -> BoolArray:
    """A random share of each stratum; a fraction of a unit is one with that probability."""
    shuffled = rng.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    position = np.arange(len(strata)) - np.searchsorted(strata[order], strata[order])
    sizes = np.bincount(strata)
    wanted = np.floor(share * sizes + rng.random(len(sizes)))
    drawn = np.empty(len(strata), dtype=bool)
    drawn[order] = position < wanted[strata[order]]
    return drawn


def _any_of(words: npt.NDArray[np.object_], size: int, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    return words[rng.integers(0, len(words), size)] if len(words) else words


def _texts_by_class(texts: Sequence[str], strata: IntArray, wanted: IntArray, rng: np.random.Generator) -> list[str]:
    made: list[str] = [""] * len(wanted)
    for stratum in np.unique(wanted):
        words, lengths = words_of([texts[row] for row in np.flatnonzero(strata == stratum).tolist()])
        rows = np.flatnonzero(wanted == stratum)
        drawn = lengths[rng.integers(0, len(lengths), len(rows))]
        for row, text in zip(rows, texts_of(_any_of(words, int(drawn.sum()), rng), drawn), strict=True):
            made[row] = text
    return made
