"""Training: every model by its own call of the factory, on its own half, with its own seed.

Models are trained here or by the workers of a backend, each with one inner thread, so that the figures are the same
bit for bit whatever the number of workers. A model's answers are reduced to signals where it was trained; the model
itself is dropped unless it is asked for.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_mia.cache import file_reads
from pytest_mia.core.seeding import seeded, single_threaded
from pytest_mia.data.containers import take
from pytest_mia.data.records import Data
from pytest_mia.models.protocol import BatchTrainer, CannotBatch
from pytest_mia.models.torch.cuda import meant_by_cuda, memory_ran_out, release
from pytest_mia.training import answer_order
from pytest_mia.training.jobs import UNCACHED, Cache, Job, Method, Progress, Trained, Unit
from pytest_mia.training.out_of_memory import where_it_fits
from pytest_mia.training.query import asked
from pytest_mia.training.user_errors import call_factory, named

if TYPE_CHECKING:
    from pytest_mia.training.backends.protocol import Backend


def train_all(
    jobs: Sequence[Job],
    data: Data,
    method: Method,
    *,
    backend: Backend | None = None,
    progress: Progress | None = None,
    keep_models: bool = False,
    deadline: float = math.inf,
    cache: Cache = UNCACHED,
) -> list[Trained]:
    """Train every model that is in no cache, and ask it about every record.

    The first model is trained in this process: it shows early what is wrong, tells the time that the others will
    take, and whether answers vary. The others follow here, or on the backend where that pays.

    Parameters
    ----------
    jobs
        The models to train.
    data, method
        On what, and how.
    backend
        Trains models at the same time; ``None`` trains all of them in this process.
    progress
        Told before and after each model; models from the cache don't count.
    keep_models
        Keep the models; they are then all trained in this process.
    deadline
        Time, by ``time.perf_counter``, after which no more models are waited for; the first one always is.
    cache
        Where models that were trained before are found, and others are kept.

    Returns
    -------
    list of Trained
        In the order of `jobs`.

    Raises
    ------
    ModelTrainingError
        When the user's code raises; the message holds its traceback.
    InvalidAuditError
        When a model answers with NaN.
    """
    start, tell = time.perf_counter(), progress or _silent
    slot = cache.slots(jobs[:1], method)[0]
    first = slot.load()
    if first is None:
        if backend is not None:
            backend.check(jobs, method)
        tell(0, len(jobs), 0.0)
        train = trainer(jobs[0], data, method, keep_models=keep_models)
        first = slot.obtain(functools.partial(train, jobs[0]), wait=math.inf)
    assert first is not None, "a slot that is waited for without an end gives a model"
    method = method.settled(first)
    slots = cache.slots(jobs[1:], method)
    found = [slot.load() for slot in slots]
    missing = [(job, slot) for job, slot, one in zip(jobs[1:], slots, found, strict=True) if one is None]
    trained = [first, *(one for one in found if one is not None)]
    new = int(not first.cached)
    total = new + len(missing)
    tell(new, total, time.perf_counter() - start)
    parts = _units(missing)
    sent = backend is not None and not keep_models and backend.suits(parts, method, first)
    models = backend.train(parts, data, method, first) if backend is not None and sent else None
    here = functools.partial(obtained, data=data, method=method, keep_models=keep_models)
    # Who holds on to an interrupt between two models, as pytest does, would hold on to the workers too.
    with contextlib.closing(_obtained(parts, models, here, deadline)) as others:
        while time.perf_counter() < deadline and (one := next(others, None)) is not None:
            trained.append(one)
            new += 1
            tell(new, total, time.perf_counter() - start)
    return sorted(trained, key=lambda one: one.number)


def _units(missing: Unit) -> list[Unit]:
    """Those of one company together; large companies first, so that no worker is left with one at the end."""
    found = itertools.groupby(missing, key=lambda each: [job.number for job in each[0].company] or each[0].number)
    return sorted((list(unit) for _, unit in found), key=len, reverse=True)


def _obtained(
    missing: Sequence[Unit],
    models: Generator[Trained, None, None] | None,
    here: Callable[..., Sequence[Trained]],
    deadline: float,
) -> Generator[Trained, None, None]:
    """Models that a backend trains, or this process; at last those that other processes were training meanwhile."""
    models = models or (one for unit in missing for one in here(unit, wait=0.0))
    done = set()
    with contextlib.closing(models):
        for one in models:
            done.add(one.number)
            yield one
    for unit in missing:
        if time.perf_counter() >= deadline:
            return
        left = [(job, slot) for job, slot in unit if job.number not in done]
        yield from here(left, wait=max(0.0, deadline - time.perf_counter()))


def obtained(unit: Unit, data: Data, method: Method, *, wait: float, keep_models: bool = False) -> list[Trained]:
    """The models of a unit, each kept in its slot; without those that another process trains just now.

    Parameters
    ----------
    unit
        What to train.
    data, method
        On what, and how.
    wait
        Seconds to wait for another process.
    keep_models
        Keep the models themselves too.
    """
    return _kept(unit, trainer(unit[0][0], data, method, keep_models=keep_models), wait) if unit else []


def _kept(unit: Unit, train: Callable[[Job], Trained], wait: float) -> list[Trained]:
    """Who has the first model has all of them: the others are kept before its slot is let go."""
    if not unit:
        return []
    (job, slot), *rest = unit
    others: list[Trained] = []

    def trained() -> Trained:
        one = train(job)
        with file_reads.not_recording():
            others.extend(_kept(rest, train, 0.0))
        return one

    first = slot.obtain(trained, wait=wait)
    return [] if first is None else [first, *(others or _kept(rest, train, wait))]


def trainer(job: Job, data: Data, method: Method, *, keep_models: bool) -> Callable[[Job], Trained]:
    """Trains the job, and others of its company: all of them when the first one is asked for."""
    if not job.company:
        return functools.partial(train_one, data=data, method=method, keep_model=keep_models)

    @functools.cache
    def together() -> dict[int, Trained]:
        return {one.number: one for one in train_together(job.company, data, method, keep_models=keep_models)}

    return lambda one: together()[one.number]


def train_together(jobs: Sequence[Job], data: Data, method: Method, *, keep_models: bool = False) -> list[Trained]:
    """Train models as one and ask each about every record.

    One by one where it turns out that they can't be; half as many at a time where a GPU's memory runs out.
    """
    if len(jobs) == 1:
        return [train_one(jobs[0], data, method, keep_model=keep_models)]
    try:
        return _as_one(jobs, data, method, keep_models=keep_models)
    except CannotBatch as error:
        most, why = 1, str(error)
    except Exception as error:
        if not memory_ran_out(error):
            raise
        most, why = -(-len(jobs) // 2), "the GPU has no room for more"
    # Not before: what was on the GPU hangs on the error's traceback.
    release()
    how = "models are trained one by one" if most == 1 else f"no more than {most} models are trained as one"
    parts = [jobs[start : start + most] for start in range(0, len(jobs), most)]
    trained = [one for part in parts for one in train_together(part, data, method, keep_models=keep_models)]
    return [replace(one, alone=one.alone or f"{how}: {why}") for one in trained]


def _as_one(jobs: Sequence[Job], data: Data, method: Method, *, keep_models: bool) -> list[Trained]:
    start = time.perf_counter()
    models: Sequence[Any] = [call_factory(job.factory, job.seed) for job in jobs]
    adapter = method.adapter(models[0], data)
    assert isinstance(adapter.trainer, BatchTrainer), "jobs have company only where it was found that they can be"
    rows, seeds = [np.flatnonzero(job.members) for job in jobs], [job.seed for job in jobs]
    with seeded(seeds[0]), single_threaded():
        models = adapter.trainer.fit_together(models, data.X, data.y, rows, seeds)
    found = []
    for job, model in zip(jobs, models, strict=True):
        with named(job), single_threaded():
            trained = where_it_fits(functools.partial(_asked, job, model, data), method)
        found.append(replace(trained, model=model if keep_models else None))
    seconds = (time.perf_counter() - start) / len(jobs)
    return [replace(one, seconds=seconds) for one in found]


def _asked(job: Job, model: Any, data: Data, method: Method) -> Trained:
    with seeded(job.seed):
        return asked(method.adapter(model, data), model, data, method, job.number, job.seed)


def train_one(job: Job, data: Data, method: Method, *, keep_model: bool = False) -> Trained:
    """Train one model and ask it about every record; the user's global generators stay as they were."""
    start = time.perf_counter()
    with single_threaded(), named(job):
        trained = where_it_fits(functools.partial(_alone, job, data), method)
    return replace(trained, model=trained.model if keep_model else None, seconds=time.perf_counter() - start)


def _alone(job: Job, data: Data, method: Method) -> Trained:
    with seeded(job.seed):
        model = job.factory()
        adapter = method.adapter(model, data)
        rows = np.flatnonzero(job.members)
        # Once more, for the libraries that the factory was the first to import.
        with single_threaded(), meant_by_cuda(adapter.device):
            model = adapter.fit(model, take(data.X, rows), None if data.y is None else take(data.y, rows), job.seed)
            if job.number == 0:
                answer_order.check(adapter, model, data.X, data.y, job.seed)
            return replace(asked(adapter, model, data, method, job.number, job.seed), model=model)


def _silent(_done: int, _total: int, _seconds: float) -> None:
    pass
