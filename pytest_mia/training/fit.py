"""Train one model, or several as one: each is made by its factory and trained on its own half, with its own seed.

A model's answers are reduced to signals in the process that trained it; the model is then dropped, unless models are
kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_mia.core.seeding import seeded, single_threaded
from pytest_mia.data.containers import take
from pytest_mia.data.records import Data
from pytest_mia.models.protocol import BatchTrainer, CannotBatch
from pytest_mia.models.torch.cuda import meant_by_cuda, memory_ran_out, release
from pytest_mia.training.factories import call_factory
from pytest_mia.training.failures import attempts, name_errors
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.training.query import check_order, query_model


def train_together(jobs: Sequence[Job], data: Data, method: Method, *, keep_models: bool = False) -> list[Trained]:
    """Train models as one, and query each about every record.

    Models that can't be trained as one are trained one by one; where a GPU's memory runs out, half as many at a time.
    """
    if len(jobs) == 1:
        return [train_one(jobs[0], data, method, keep_model=keep_models)]
    try:
        return _train_batch(jobs, data, method, keep_models=keep_models)
    except CannotBatch as error:
        most, why = 1, str(error)
    except Exception as error:
        if not memory_ran_out(error):
            raise
        most, why = -(-len(jobs) // 2), "the GPU has no room for more"
    # Only here: inside of the handler the error's traceback still refers to what is on the GPU.
    release()
    how = "models are trained one by one" if most == 1 else f"no more than {most} models are trained as one"
    parts = [jobs[start : start + most] for start in range(0, len(jobs), most)]
    trained = [one for part in parts for one in train_together(part, data, method, keep_models=keep_models)]
    return [replace(one, alone=one.alone or f"{how}: {why}") for one in trained]


def _train_batch(jobs: Sequence[Job], data: Data, method: Method, *, keep_models: bool) -> list[Trained]:
    start = time.perf_counter()
    models: Sequence[Any] = [call_factory(job.factory, job.seed) for job in jobs]
    adapter = method.adapter(models[0], data)
    assert isinstance(adapter.trainer, BatchTrainer), "jobs are in a batch only where their trainer can train a batch"
    rows, seeds = [np.flatnonzero(job.members) for job in jobs], [job.seed for job in jobs]
    with seeded(seeds[0]), single_threaded():
        models = adapter.trainer.fit_together(models, data.X, data.y, rows, seeds)
    found = []
    for job, model in zip(jobs, models, strict=True):
        with name_errors(job), single_threaded():
            for attempt in attempts(method):
                with attempt:
                    trained = replace(_query_trained(job, model, data, attempt.method), moved=attempt.moved)
        found.append(replace(trained, model=model if keep_models else None))
    seconds = (time.perf_counter() - start) / len(jobs)
    return [replace(one, seconds=seconds) for one in found]


def _query_trained(job: Job, model: Any, data: Data, method: Method) -> Trained:
    with seeded(job.seed):
        return query_model(method.adapter(model, data), model, data, method, job.number, job.seed)


def train_one(job: Job, data: Data, method: Method, *, keep_model: bool = False) -> Trained:
    """Train one model and query it about every record; the user's global random generators stay as they were."""
    start = time.perf_counter()
    with single_threaded(), name_errors(job):
        for attempt in attempts(method):
            with attempt:
                trained = replace(_train_alone(job, data, attempt.method), moved=attempt.moved)
    return replace(trained, model=trained.model if keep_model else None, seconds=time.perf_counter() - start)


def _train_alone(job: Job, data: Data, method: Method) -> Trained:
    with seeded(job.seed):
        model = job.factory()
        adapter = method.adapter(model, data)
        rows = np.flatnonzero(job.members)
        # A second time, for libraries that the factory imported.
        with single_threaded(), meant_by_cuda(adapter.device):
            model = adapter.trainer.fit(
                model, take(data.X, rows), None if data.y is None else take(data.y, rows), job.seed
            )
            if job.number == 0:
                check_order(adapter, model, data.X, data.y, job.seed)
            return replace(query_model(adapter, model, data, method, job.number, job.seed), model=model)
