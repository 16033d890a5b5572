"""A control of the user's own functions: do they use the records, and the model, that they are given?

A function that trains on something else, such as a variable of the same name outside of it, gives models that know all
records alike, and that would pass every limit; so does one that asks another model. Here such functions betray
themselves: trained once more with the seed of the first model, on a few of its records under other labels, a model
gives the same answers.
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

    ``None`` where no function is the user's own, or where there are no fewer records.
    """
    if not _own(method):
        return None
    members = np.zeros(len(job.members), dtype=bool)
    members[_few(data, job)] = True
    if not len(data.classes):
        return None if (members == job.members).all() else (dataclasses.replace(job, members=members), data)
    _, first = np.unique(data.labels, return_index=True)
    y = take(data.y, first[(data.labels + 1) % len(first)])
    return dataclasses.replace(job, members=members), dataclasses.replace(data, y=y)


def finding(trained: Trained, twin: Job, data: Data, method: Method, cache: Cache) -> str | None:
    """The finding that what a model learns from makes no difference.

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
        (other,) = shadows.train_all([twin], data, dataclasses.replace(method, probes=(), what_if=()), cache=cache)
    except Exception:
        # So few records may be too few for the user's code, which may then raise anything; they prove nothing.
        return None
    if not _same(trained.signals, other.signals) or diagnostics.constant(stack([trained.signals]), data.labels):
        return None
    return (
        f"{' or '.join(_own(method))} ignores what it is given: trained on a few records with other labels, a model "
        "answers exactly as before. Train on the X and y that come with the call, and ask the model that does"
    )


def _own(method: Method) -> list[str]:
    """Fixtures that gave functions of the user's own."""
    given = {"mia_training": method.training, "mia_predict": method.predict, "mia_loss": method.loss}
    return [name for name, value in given.items() if value is not None and not isinstance(value, TorchTraining)]


def _few(data: Data, job: Job) -> IntArray:
    """At most half of the model's records of each class."""
    rows = generator_for(job.seed, "control").permutation(np.flatnonzero(job.members))
    classes, codes = np.unique(data.labels[rows], return_inverse=True)
    parts = [rows[codes == code] for code in range(len(classes))]
    return np.concatenate([part[: min(MOST_PER_CLASS, (len(part) + 1) // 2)] for part in parts])


def _same(first: Signals, second: Signals) -> bool:
    ours, theirs = ((each.correct, each.confidence) for each in (first, second))
    return all(a is b or np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))  # type: ignore[arg-type]
