"""Augmented queries: copies of the records that the user's own function changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_mia.cache import content_key
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import generator_for, seed_for, seeded
from pytest_mia.data.containers import count, take

TRIED = 10
"""Records on which the function is tried before any training."""


def augment_records(augment: Callable[[Any, Any], Any], X: Any, *, seed: int, number: int) -> Any:
    """One changed copy of each record.

    Parameters
    ----------
    augment
        The user's function ``augment(X, rng)``.
    X
        Records that it may write to.
    seed, number
        The audit's seed, and which copy it is: all models are asked about the same.

    Raises
    ------
    MIAUsageError
        When there are more or fewer copies than records.
    """
    records = count(X)
    with seeded(seed_for(seed, "augment", number)):
        copies = augment(X, generator_for(seed, "augment", number))
    if copies is None:
        raise MIAUsageError(
            "mia_augment returned None; it must return the changed records; check that it ends with a return"
        )
    if count(copies) != records:
        raise MIAUsageError(f"mia_augment gave {count(copies)} copies of {records} records; it must give one of each")
    return copies


def find_problems(augment: Any, X: Any) -> list[str]:
    """Why this function can't be used: tried on a few records, before any training."""
    if not callable(augment):
        return [f"mia_augment must be a function augment(X, rng), got {type(augment).__name__}"]
    rows = np.arange(min(TRIED, count(X)))
    try:
        copies = [augment_records(augment, take(X, order), seed=0, number=1) for order in (rows, rows[::-1])]
    except MIAUsageError as error:
        return list(error.problems)
    except Exception as error:
        return [f"mia_augment fails on the first {len(rows)} records of X: {type(error).__name__}: {error}"]
    given = [content_key.try_hash_content(take(X, order)) for order in (rows, rows[::-1])]
    if given[0] != given[1] and _same(*copies):
        return ["mia_augment ignores the records that it is given: it must change those that come with the call"]
    return []


def _same(first: Any, second: Any) -> bool:
    name = content_key.try_hash_content(first)
    return name is not None and name == content_key.try_hash_content(second)
