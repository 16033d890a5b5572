"""Hypothesis strategies for tests of what is built on this package: data sets, memberships, outputs with a known leak.

They need Hypothesis (``pip install hypothesis``), which is loaded with this module and by nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_mia.auditing.from_outputs.read import FEWEST_MODELS, ModelOutputs
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.dataset import Dataset
from pytest_mia.data.memberships import draw_halves

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as arrays
except ImportError as error:
    raise ImportError(f"pytest_mia.strategies needs Hypothesis ({error}): pip install hypothesis") from error

__all__ = ["datasets", "memberships", "outputs_with_leak"]

LARGEST = 1e6
SEEDS = st.integers(0, 2**32 - 1)
NAMES: tuple[Any, ...] = (np.intp, np.float64, np.str_, np.object_)
"""Types that labels come in; two classes may be bools too."""
MEMBER, NONMEMBER, SILENT = 0.9, 0.1, (0.3, 0.7)
"""The probability of the true class in an answer that gives a member or a non-member away, or nobody."""


@st.composite
def datasets(  # noqa: D417 - Hypothesis draws
    draw: st.DrawFn,
    *,
    records: int | st.SearchStrategy[int] = st.integers(20, 60),  # noqa: B008 - strategies have no state
    features: int | st.SearchStrategy[int] = st.integers(1, 4),  # noqa: B008
    classes: int | st.SearchStrategy[int] = st.integers(2, 4),  # noqa: B008
) -> Dataset:
    """Data sets that an audit of a classifier takes.

    Features are any finite numbers within a million of 0, ties and subnormal ones among them; labels are of any type;
    records may come in groups and have a slice named "part".

    Parameters
    ----------
    records, features, classes
        How many, or a strategy for that; at least two records a class.

    Returns
    -------
    Dataset
        With X (records, features), and every class at least twice in y (records,).

    Raises
    ------
    MIAUsageError
        When there are fewer than two classes, or than two records for each.
    """
    rows, columns, kinds = (_number(draw, size) for size in (records, features, classes))
    if kinds < 2 or rows < 2 * kinds:
        raise MIAUsageError(f"a data set needs 2 classes and 2 records of each, got {rows} records of {kinds} classes")
    X = draw(arrays.arrays(np.float64, (rows, columns), elements=st.floats(-LARGEST, LARGEST)))
    codes = generator_for(draw(SEEDS), "labels").permutation(np.arange(rows) % kinds)
    name = draw(st.sampled_from(NAMES if kinds > 2 else (*NAMES, np.bool_)))
    groups = draw(st.none() | arrays.arrays(np.intp, rows, elements=st.integers(0, rows - 1)))
    part = draw(st.none() | arrays.arrays("U1", rows, elements=st.sampled_from("ab")))
    return Dataset(X, codes.astype(name), groups, None if part is None else {"part": part})


@st.composite
def memberships(  # noqa: D417 - Hypothesis draws
    draw: st.DrawFn,
    *,
    models: int | st.SearchStrategy[int] = st.integers(4, 6),  # noqa: B008
    records: int | st.SearchStrategy[int] = st.integers(4, 20),  # noqa: B008
) -> BoolArray:
    """Memberships of any kind: each model has members and non-members, and that is all that is sure.

    An audit draws them at random (`pytest_mia.data.memberships.draw_halves`), and an audit of memberships that give
    each other away is invalid; these are for code that must cope with all.

    Parameters
    ----------
    models, records
        How many, or a strategy for that; at least two records.

    Returns
    -------
    ndarray of bool
        Memberships (models, records).

    Raises
    ------
    MIAUsageError
        When there are fewer than two records.
    """
    shape = _number(draw, models), _number(draw, records)
    if shape[1] < 2:
        raise MIAUsageError(f"members and non-members take at least 2 records, got {shape[1]}")
    members: BoolArray = draw(arrays.arrays(np.bool_, shape))
    members[(members == members[:, :1]).all(axis=1), 0] ^= True
    return members


@st.composite
def outputs_with_leak(  # noqa: D417 - Hypothesis draws
    draw: st.DrawFn,
    advantage: float | st.SearchStrategy[float] = 0.5,
    *,
    models: int | st.SearchStrategy[int] = 8,
    records: int | st.SearchStrategy[int] = 200,
    classes: int | st.SearchStrategy[int] = 3,
) -> ModelOutputs:
    """Answers of models that leak just so much, for `pytest_mia.audit_outputs` or ``mia_outputs``.

    On this share of each model's members, and of its non-members, the answer gives away which they are; on all others
    it is drawn regardless of membership. So no attacker has a larger advantage (TPR - FPR) than this in truth, and one
    who looks at the loss alone has it. What an audit of a few records measures differs from it as chance will have it.

    Parameters
    ----------
    advantage
        From 0 to 1, or a strategy for that; rounded to whole records on either side of each model.
    models, records, classes
        How many, or a strategy for that; at least four models and two classes, with two records of each.

    Returns
    -------
    ModelOutputs
        Probabilities (models, records, classes), memberships as an audit draws them, and labels.

    Raises
    ------
    MIAUsageError
        When one of them is out of range; all are named at once.
    """
    share = draw(advantage) if isinstance(advantage, st.SearchStrategy) else advantage
    shape = tuple(_number(draw, size) for size in (models, records, classes))
    _check(share, *shape)
    seed = draw(SEEDS)
    labels = np.arange(shape[1]) % shape[2]
    members = draw_halves(labels, models=shape[0], seed=seed)
    return ModelOutputs(_answers(share, members, labels, shape[2], seed), members, labels)


def _number(draw: st.DrawFn, given: int | st.SearchStrategy[int]) -> int:
    return draw(given) if isinstance(given, st.SearchStrategy) else given


def _check(advantage: float, models: int, records: int, classes: int) -> None:
    problems = [] if 0 <= advantage <= 1 else [f"advantage must be from 0 to 1, got {advantage!r}"]
    problems += [] if models >= FEWEST_MODELS else [f"models must be at least {FEWEST_MODELS}, got {models}"]
    problems += [] if classes >= 2 else [f"classes must be at least 2, got {classes}"]
    problems += [] if records >= 2 * classes else [f"records must be at least 2 for each class, got {records}"]
    if problems:
        raise MIAUsageError(problems)


def _answers(share: float, members: BoolArray, labels: IntArray, classes: int, seed: int) -> FloatArray:
    rng = generator_for(seed, "answers")
    true = rng.uniform(*SILENT, members.shape)
    for model, inside in enumerate(members):
        for side, told in ((inside, MEMBER), (~inside, NONMEMBER)):
            given_away = rng.permutation(np.flatnonzero(side))[: round(share * side.sum())]
            true[model, given_away] = told
    own = np.arange(classes) == labels[:, None]
    return np.where(own, true[:, :, None], (1 - true[:, :, None]) / (classes - 1))
