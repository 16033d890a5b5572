"""Train the models of an audit that are in no cache, in this process or by the workers of a backend.

Each model is trained with one thread, so the figures are bit for bit the same for any number of workers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mia.core.seeding import single_threaded
from pytest_mia.data.records import Data
from pytest_mia.training.fit import train_together
from pytest_mia.training.jobs import UNCACHED, Cache, Job, Method, Slot, Trained, Unit

if TYPE_CHECKING:
    from pytest_mia.training.backends.protocol import Backend


@dataclass(frozen=True)
class Training:
    """How the models of an audit are trained.

    Attributes
    ----------
    data, method
        The records, and how models are trained and queried.
    backend
        Trains models at the same time; ``None`` trains all of them in this process.
    cache
        Where trained models are looked up and kept.
    deadline
        Time, by ``time.perf_counter``, after which training stops; the first model is always trained.
    keep_models
        Keep the models themselves; they are then all trained in this process.
    """

    data: Data
    method: Method
    backend: Backend | None = None
    cache: Cache = UNCACHED
    deadline: float = math.inf
    keep_models: bool = False


@dataclass(frozen=True)
class Step:
    """How far a training is.

    Attributes
    ----------
    models
        The models since the last step, trained or loaded from the cache.
    done, total
        How many models are trained so far, and how many will be; those from the cache don't count.
    seconds
        Time since the training began.
    """

    models: Sequence[Trained]
    done: int
    total: int
    seconds: float


def train_all(jobs: Sequence[Job], data: Data, method: Method, **how: Any) -> list[Trained]:
    """Train every model that is in no cache, and query it about every record.

    Parameters
    ----------
    jobs
        The models to train.
    data, method, **how
        As in `Training`.

    Returns
    -------
    list of Trained
        In the order of their numbers.

    Raises
    ------
    ModelTrainingError, InvalidAuditError
        As `train_steps` does.
    """
    steps = train_steps(jobs, Training(data, method, **how))
    return sorted((one for step in steps for one in step.models), key=lambda one: one.number)


def train_steps(jobs: Sequence[Job], training: Training) -> Generator[Step, None, None]:
    """Train every model that is in no cache, step by step; close the generator to end the workers.

    The first model is trained in this process: it shows errors early, how long the others will take, and whether
    answers vary. The others are trained in this process too, or on the backend where that is faster.

    Parameters
    ----------
    jobs
        The models to train.
    training
        On what, how, and where.

    Yields
    ------
    Step
        Before and after each model that is trained.

    Raises
    ------
    ModelTrainingError
        When the user's code raises; the message holds its traceback.
    InvalidAuditError
        When a model answers with NaN.
    """
    start = time.perf_counter()
    [slot] = training.cache.slots(jobs[:1], training.method)
    first = slot.load()
    if first is None:
        if training.backend is not None:
            training.backend.check(jobs, training.method)
        yield Step((), 0, len(jobs), 0.0)
        [first] = train_unit([(jobs[0], slot)], training, wait=math.inf)
    method = training.method.settled(first)
    slots = training.cache.slots(jobs[1:], method, first)
    loaded = [slot.load() for slot in slots]
    missing = [(job, slot) for job, slot, one in zip(jobs[1:], slots, loaded, strict=True) if one is None]
    done = int(not first.cached)
    total = done + len(missing)
    yield Step((first, *(one for one in loaded if one is not None)), done, total, time.perf_counter() - start)
    training = dataclasses.replace(training, method=method)
    with contextlib.closing(_train_others(_group_units(missing), training, first)) as others:
        while time.perf_counter() < training.deadline and (one := next(others, None)) is not None:
            done += 1
            yield Step((one,), done, total, time.perf_counter() - start)


def train_unit(unit: Unit, training: Training, *, wait: float) -> list[Trained]:
    """The models of a unit: loaded where another process has trained them meanwhile, otherwise trained and saved.

    A process that holds the first model of a batch trains the whole batch, so the first slot is claimed before the
    others and released after them.

    Parameters
    ----------
    unit
        What to train.
    training
        On what, and how.
    wait
        Seconds to wait for another process that trains the same models.

    Returns
    -------
    list of Trained
        Without those that another process still trains.
    """
    with contextlib.ExitStack() as claims:
        held = list[tuple[Job, Slot]]()
        for job, slot in unit:
            if claims.enter_context(slot.claim(wait=wait)):
                held.append((job, slot))
            elif not held:
                return []
        models = {job.number: one for job, slot in held if (one := slot.load()) is not None}
        missing = [(job, slot) for job, slot in held if job.number not in models]
        models |= _train_and_save(missing, training) if missing else {}
        return [models[job.number] for job, _ in held]


def _train_and_save(missing: Unit, training: Training) -> Mapping[int, Trained]:
    """The models by their numbers; a model of a batch is trained together with the whole batch."""
    job, slot = missing[0]
    # What is looked up to find all libraries that have threads isn't what training reads.
    with single_threaded(), slot.watch() as watch:
        trained = train_together(job.batch or (job,), training.data, training.method, keep_models=training.keep_models)
    models = {one.number: dataclasses.replace(one, trace=watch.trace) for one in trained}
    for job, slot in missing:
        slot.save(models[job.number], watch)
    return {job.number: models[job.number] for job, _ in missing}


def _group_units(missing: Unit) -> list[Unit]:
    """The jobs of one batch together; large batches first, so that no worker ends with a large one."""
    found = itertools.groupby(missing, key=lambda each: [job.number for job in each[0].batch] or each[0].number)
    return sorted((list(unit) for _, unit in found), key=len, reverse=True)


def _train_others(units: Sequence[Unit], training: Training, first: Trained) -> Generator[Trained, None, None]:
    """Models that a backend or this process trains, and at the end those that other processes trained meanwhile."""
    done = set()
    with contextlib.closing(_train_on_backend(units, training, first) or _train_here(units, training)) as models:
        for one in models:
            done.add(one.number)
            yield one
    for unit in units:
        if time.perf_counter() >= training.deadline:
            return
        left = [(job, slot) for job, slot in unit if job.number not in done]
        yield from train_unit(left, training, wait=max(0.0, training.deadline - time.perf_counter()))


def _train_on_backend(
    units: Sequence[Unit], training: Training, first: Trained
) -> Generator[Trained, None, None] | None:
    backend = None if training.keep_models else training.backend
    if backend is None or not backend.suits(units, training.method, first):
        return None
    return backend.train(units, training.data, training.method, first)


def _train_here(units: Sequence[Unit], training: Training) -> Generator[Trained, None, None]:
    for unit in units:
        yield from train_unit(unit, training, wait=0.0)
