"""A control of the user's own training: does it learn from the records that it is given?

A function that trains on something else, such as a variable of the same name outside of it, gives models that know all
records alike, and that would pass every limit. Here such a function betrays itself: trained once more with the seed of
the first model, on a few of its records under other labels, it gives the same answers.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pytest_mia import diagnostics, shadows
from pytest_mia.arrays import IntArray
from pytest_mia.models.module import TorchTraining
from pytest_mia.randomness import generator_for
from pytest_mia.rows import take
from pytest_mia.shadows import Data, Job, Method, Trained
from pytest_mia.signals import Signals, stack
from pytest_mia.slots import Cache

MOST_PER_CLASS = 10


def twin_of(job: Job, data: Data, method: Method) -> tuple[Job, Data] | None:
    """The same model on a few of its records of each class, labelled as the next class; without classes unchanged.

    ``None`` where models are trained by code that is known to learn, or where there are no fewer records.
    """
    if method.training is None or isinstance(method.training, TorchTraining):
        return None
    members = np.zeros(len(job.members), dtype=bool)
    members[_few(data, job)] = True
    if not len(data.classes):
        return None if (members == job.members).all() else (dataclasses.replace(job, members=members), data)
    _, first = np.unique(data.labels, return_index=True)
    y = take(data.y, first[(data.labels + 1) % len(first)])
    return dataclasses.replace(job, members=members), dataclasses.replace(data, y=y)


def finding(trained: Trained, twin: Job, data: Data, method: Method, cache: Cache) -> str | None:
    """The finding that training ignores its records.

    Parameters
    ----------
    trained
        The model whose `twin` is trained here.
    twin, data
        As `twin_of` gives them.
    method
        How models are trained, with the queries that were made of the first one.
    cache
        Where the twin is found, when it was trained before.
    """
    try:
        (other,) = shadows.train_all([twin], data, method, cache=cache)
    except Exception:
        # So few records may be too few for the user's code, which may then raise anything; they prove nothing.
        return None
    if not _same(trained.signals, other.signals) or diagnostics.constant(stack([trained.signals]), data.labels):
        return None
    return (
        "mia_training ignores the records that it is given: trained on a few of them, with other labels, a model "
        "answers exactly as before. Let it train on the X and y that it is called with"
    )


def _few(data: Data, job: Job) -> IntArray:
    """At most half of the model's records of each class."""
    rows = generator_for(job.seed, "control").permutation(np.flatnonzero(job.members))
    classes, codes = np.unique(data.labels[rows], return_inverse=True)
    parts = [rows[codes == code] for code in range(len(classes))]
    return np.concatenate([part[: min(MOST_PER_CLASS, (len(part) + 1) // 2)] for part in parts])


def _same(first: Signals, second: Signals) -> bool:
    ours, theirs = ((each.correct, each.confidence) for each in (first, second))
    return all(a is b or np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))  # type: ignore[arg-type]
