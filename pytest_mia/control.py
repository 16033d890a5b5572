"""A control of the user's own functions: do they use the records, and the model, that they are given?

A function that trains on something else, such as a variable of the same name outside of it, gives models that know all
records alike, and that would pass every limit; so does one that asks another model. Here such functions betray
themselves: trained once more with the seed of the first model, on a few of its records under other labels, a model
gives the same answers.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_mia import diagnostics, shadows
from pytest_mia.answers import checked
from pytest_mia.arrays import BoolArray, IntArray
from pytest_mia.jobs import Data, Job, Method, Trained
from pytest_mia.models.module import TorchTraining
from pytest_mia.randomness import generator_for, seeded, single_threaded
from pytest_mia.rows import take
from pytest_mia.signals import Signals, signals_of, stack
from pytest_mia.slots import Cache
from pytest_mia.sources import is_own

MOST_PER_CLASS = 10
MOST_ASKED = 1000
BEYOND_CHANCE = 0.1
"""How much more often than the largest class a model must be right, to know something."""


def suspects(method: Method, model: Any, trained: Sequence[Trained]) -> tuple[str, ...]:
    """Fixtures that gave code of the user's own, or a factory whose models all answer alike.

    Parameters
    ----------
    method
        How models are trained and asked.
    model
        A fresh model.
    trained
        The models so far.
    """
    given = {"mia_training": method.training, "mia_predict": method.predict, "mia_loss": method.loss}
    names = [name for name, value in given.items() if value is not None and not isinstance(value, TorchTraining)]
    alike = len(trained) > 1 and all(_same(trained[0].signals, one.signals) for one in trained[1:])
    factory = (alike and not names) or (method.training is None and _is_own(model))
    return (*names, "mia_model_factory") if factory else tuple(names)


def twin_of(job: Job, data: Data) -> tuple[Job, Data] | None:
    """The same model on a few of its records of each class, labelled as the next class; without classes unchanged.

    ``None`` where there are no fewer records: to learn nothing from labels alone is no fault.
    """
    members = np.zeros(len(job.members), dtype=bool)
    members[_few(data, job)] = True
    if (members == job.members).all():
        return None
    if not len(data.classes):
        return dataclasses.replace(job, members=members), data
    _, first = np.unique(data.labels, return_index=True)
    y = take(data.y, first[(data.labels + 1) % len(first)])
    return dataclasses.replace(job, members=members), dataclasses.replace(data, y=y)


def finding(
    trained: Trained, twin: Job, data: Data, method: Method, cache: Cache, suspected: Sequence[str]
) -> str | None:
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
    suspected
        Fixtures that may be to blame.
    """
    try:
        (other,) = shadows.train_all([twin], data, dataclasses.replace(method, probes=(), what_if=()), cache=cache)
    except Exception:
        # So few records may be too few for the user's code, which may then raise anything; they prove nothing.
        return None
    if not _same(trained.signals, other.signals) or diagnostics.constant(stack([trained.signals]), data.labels):
        return None
    return (
        f"{' or '.join(suspected)} ignores what it is given: trained on a few records with other labels, a model "
        "answers exactly as before. Train on the X and y that come with the call, and ask the model that does"
    )


def pretrained(
    fresh: Sequence[Any], trained: Trained, members: BoolArray, data: Data, method: Method
) -> tuple[str | None, str | None]:
    """The finding that a factory's models are trained already, or the note that they may be.

    Such models give the same answers at each call of the factory, and are right before they have seen a record. Where
    training on a half doesn't make them better on the other half, they knew both.

    Parameters
    ----------
    fresh
        Two models of the factory.
    trained
        The first model that was trained.
    members
        Its members (records,).
    data, method
        As it was trained and asked.
    """
    some = np.flatnonzero(~members)[:MOST_ASKED]
    asked = [_untrained(model, some, data, method) for model in fresh]
    if not len(some) or any(one is None for one in asked) or not _same(asked[0], asked[1]):  # type: ignore[arg-type]
        return None, None
    signals: Any = asked[0]
    before, after = (
        each.confidence if each.correct is None else each.correct for each in (signals, _part(trained.signals, some))
    )
    if diagnostics.constant(stack([signals]), data.labels[some]) or before is None or after is None:
        return None, None
    text = (
        "models of mia_model_factory answer alike before any training, and as well as "
        f"after it ({before.mean():.3f} on records of the other half, then {after.mean():.3f})"
    )
    if before.mean() >= after.mean():
        return f"{text}: they were trained before, so they know all records alike; return untrained models", None
    chance = np.bincount(data.labels[some]).max() / len(some)
    if signals.correct is None or before.mean() < chance + BEYOND_CHANCE:
        return None, None
    return None, (
        f"models of mia_model_factory are right on {before.mean():.3f} of the records before any training: if any of "
        "these were among what they were trained on, a leak of them can't be seen"
    )


def _untrained(model: Any, some: IntArray, data: Data, method: Method) -> Signals | None:
    """What a fresh model answers; ``None`` where it can't answer."""
    try:
        with seeded(0), single_threaded():
            adapter = method.adapter(model, data)
            answer = adapter.answer(model, take(data.X, some), None if data.y is None else take(data.y, some))
        return signals_of(checked(answer, len(some)), data.labels[some])
    except Exception:
        # Few models answer before they are trained, and the user's code may then raise anything.
        return None


def _part(signals: Signals, some: IntArray) -> Signals:
    """Some records of one model's signals."""
    return Signals(
        correct=None if signals.correct is None else signals.correct[some],
        confidence=None if signals.confidence is None else signals.confidence[some],
    )


def _is_own(model: Any) -> bool:
    """Whether a model, or a part of it, is trained by a class of the user's own."""
    parts = [model, *(model.get_params(deep=True).values() if hasattr(model, "get_params") else ())]
    trained = [type(part) for part in parts if hasattr(part, "fit") and not isinstance(part, type)]
    return any(kind.__module__ in sys.modules and is_own(sys.modules[kind.__module__]) for kind in trained)


def _few(data: Data, job: Job) -> IntArray:
    """At most half of the model's records of each class."""
    rows = generator_for(job.seed, "control").permutation(np.flatnonzero(job.members))
    classes, codes = np.unique(data.labels[rows], return_inverse=True)
    parts = [rows[codes == code] for code in range(len(classes))]
    return np.concatenate([part[: min(MOST_PER_CLASS, (len(part) + 1) // 2)] for part in parts])


def _same(first: Signals, second: Signals) -> bool:
    ours, theirs = ((each.correct, each.confidence) for each in (first, second))
    return all(a is b or np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))  # type: ignore[arg-type]
