"""Which models of an audit are trained as one batch.

The batch that a model is trained in changes the last bits of its weights, so every run must form the same batches. The
first model is always trained alone: it shows errors early, and how long the others will take. The others are batched by
their numbers, in blocks that stay the same when models are added: 1 to 7, 8 to 15, 16 to 31...
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import joblib

from pytest_mia.models.protocol import BatchTrainer
from pytest_mia.models.torch.tensors import is_module
from pytest_mia.training.jobs import Job

if TYPE_CHECKING:
    from pytest_mia.data.records import Data
    from pytest_mia.training.factories import FactoryProbe
    from pytest_mia.training.jobs import Method

MOST_ON_CPU = 16
MOST_ON_GPU = 64
"""A batch of this size keeps one GPU busy, and many models are still divided equally among several GPUs."""
FEWEST_PER_CORE = 8


def batch_jobs(
    jobs: Sequence[Job], tried: Sequence[FactoryProbe], data: Data, method: Method
) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """The jobs of an audit, each with its batch, and for the report the reasons why models are trained one by one.

    On a CPU, models are batched only where there are at least eight for each core of this machine: fewer models are
    trained faster side by side, in several processes.

    Parameters
    ----------
    jobs
        All jobs of the audit.
    tried
        Their factories, each with fresh models.
    data, method
        The records, and how models are trained.
    """
    found: dict[int, Job] = {job.number: job for job in jobs}
    reasons = []
    for each in tried:
        own = [job for job in jobs if job.factory is each.factory]
        device = method.adapter(each.models[0], data).device if own else "cpu"
        if device == "cpu" and len(jobs) < FEWEST_PER_CORE * joblib.cpu_count():
            continue
        why = _why_alone(each, data, method) if own else None
        if why is None:
            found |= {job.number: job for job in _form_batches(own, MOST_ON_CPU if device == "cpu" else MOST_ON_GPU)}
        elif why:
            reasons.append(f"models are trained one by one: {why}")
    return tuple(found.values()), tuple(dict.fromkeys(reasons))


def _why_alone(tried: FactoryProbe, data: Data, method: Method) -> str | None:
    """Why models of this factory are trained one by one: ``None`` where they are batched, empty where it is obvious."""
    trainer = method.adapter(tried.models[0], data).trainer
    if isinstance(trainer, BatchTrainer):
        return trainer.why_alone(tried.models, data.X, data.y)
    return "mia_training is a function, which trains one model at a time" if is_module(tried.models[0]) else ""


def _form_batches(jobs: Sequence[Job], most: int) -> list[Job]:
    blocks: dict[Hashable, list[Job]] = defaultdict(list)
    for job in jobs:
        blocks[_block(job.number, most)].append(job)
    return [
        replace(job, batch=tuple(block)) if len(block) > 1 and job.number else job
        for block in blocks.values()
        for job in block
    ]


def _block(number: int, most: int) -> tuple[int, int]:
    """The block of a model, of which `most` are trained together."""
    if number < FEWEST_PER_CORE:
        return 0, int(number > 0)
    size = min(1 << (number.bit_length() - 1), most)
    return size, number // size
