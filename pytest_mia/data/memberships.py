"""Who trains on what: every model gets its own independent random half of the records.

A record's memberships are never balanced over the models: with "each record in exactly half of the models" the target's
membership can be read off the others', and an attack reaches AUC 1.0 without any leak.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import as_sortable

DECILES = 10
MOST_STRATA_SHARE = 0.25


def strata_of(y: npt.ArrayLike | None, records: int) -> IntArray:
    """Group records by what their halves are balanced for: the class, or deciles of a continuous label.

    Parameters
    ----------
    y
        Labels (records,) of any type, or ``None``.
    records
        Number of records.

    Returns
    -------
    IntArray
        A stratum from 0 per record; all 0 where `y` is missing or names nearly every record on its own.
    """
    if y is None:
        return np.zeros(records, dtype=np.intp)
    values = as_sortable(y)
    classes, codes = np.unique(values, return_inverse=True)
    if len(classes) <= MOST_STRATA_SHARE * records:
        return codes
    if values.dtype.kind not in "iuf":
        return np.zeros(records, dtype=np.intp)
    return (np.argsort(np.argsort(values, kind="stable")) * DECILES // records).astype(np.intp)


def draw_halves(strata: IntArray, *, models: int, seed: int, groups: IntArray | None = None) -> BoolArray:
    """Draw an independent, stratified random half of the records for each model.

    Half of every stratum is drawn; an odd one is rounded up or down by a coin. Model k's half depends on `seed` and k
    alone, so that more models later leave the first ones as they were.

    Parameters
    ----------
    strata
        Stratum of each record (records,), numbered from 0.
    models
        Number of halves to draw.
    seed
        The audit's seed.
    groups
        Group of each record (records,), numbered from 0; records of one group go together, and a group's stratum is
        that of its first record.

    Returns
    -------
    BoolArray
        Memberships (models, records): True where the model trains on the record.
    """
    unit_of = np.arange(len(strata)) if groups is None else groups
    _, first = np.unique(unit_of, return_index=True)
    units = [_half(strata[first], generator_for(seed, "membership", model)) for model in range(models)]
    return np.array(units, dtype=bool).reshape(models, -1)[:, unit_of]


def draw_coins(records: int, *, models: int, seed: int, groups: IntArray | None = None) -> BoolArray:
    """Draw by an independent fair coin for each record, or group, of each model whether it is trained on.

    Claims of differential privacy are judged on such coins (`pytest_mia.statistics.epsilon_bounds`). In halves of a
    fixed size records aren't independent: where one of two is a member, each tells of the other, and can give away
    twice its epsilon.

    Parameters
    ----------
    records
        Number of records.
    models
        Number of halves to draw; model k's depends on `seed` and k alone.
    seed
        The audit's seed.
    groups
        Group of each record (records,), numbered from 0; records of one group go together.

    Returns
    -------
    BoolArray
        Memberships (models, records): True where the model trains on the record.
    """
    unit_of = np.arange(records) if groups is None else groups
    units = int(unit_of.max(initial=-1)) + 1
    coins = [generator_for(seed, "coins", model).random(units) < 0.5 for model in range(models)]
    return np.array(coins, dtype=bool).reshape(models, -1)[:, unit_of]


def independent_share(groups: IntArray | None) -> float:
    """Share of the records that counts as independent where groups are drawn whole.

    An attack may guess alike on all records of a group. For that worst case it is Kish's effective sample size (1965,
    section 8.2) over the number of records: groups of one size count as one record each.

    Parameters
    ----------
    groups
        Group of each record (records,), numbered from 0; ``None`` where each record stands for itself.

    Returns
    -------
    float
        Above 0 and at most 1.
    """
    if groups is None or not len(groups):
        return 1.0
    sizes = np.bincount(groups).astype(np.float64)
    return float(sizes.sum() / (sizes**2).sum())


def _half(strata: IntArray, rng: np.random.Generator) -> BoolArray:
    shuffled = rng.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    arranged = strata[order]
    position = np.arange(len(strata)) - np.searchsorted(arranged, arranged)
    sizes = np.bincount(strata)
    drawn = (sizes + rng.integers(0, 2, len(sizes))) // 2
    member = np.empty(len(strata), dtype=bool)
    member[order] = position < drawn[arranged]
    return member
