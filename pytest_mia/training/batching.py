"""Which models of an audit are trained as one: the same ones always, since company changes a model's last bits.

The first model is trained alone, whatever follows: it shows what is wrong, and how long the others will take. These go
together by their numbers, in blocks that stay as they are when models are added: 1 to 7, 8 to 15, 16 to 31...
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
"""So that several GPUs have equal shares of many models; one step of so many keeps a GPU busy."""
FEWEST_PER_CORE = 8


def batch_jobs(
    jobs: Sequence[Job], tried: Sequence[FactoryProbe], data: Data, method: Method
) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """The jobs of an audit, each with its company, and why others have none, for the report.

    On a CPU, models keep each other company only where there are at least eight for each core of this machine: with
    fewer, to train them side by side in several processes is faster.

    Parameters
    ----------
    jobs
        All of the audit's.
    tried
        Their factories, with fresh models of each.
    data, method
        On what they are trained, and how.
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
    """Why models of this factory are trained one by one; empty where nobody would expect otherwise."""
    trainer = method.adapter(tried.models[0], data).trainer
    if isinstance(trainer, BatchTrainer):
        return trainer.why_alone(tried.models, data.X, data.y)
    return "mia_training is a function, which trains one model at a time" if is_module(tried.models[0]) else ""


def _form_batches(jobs: Sequence[Job], most: int) -> list[Job]:
    blocks: dict[Hashable, list[Job]] = defaultdict(list)
    for job in jobs:
        blocks[_block(job.number, most)].append(job)
    return [
        replace(job, company=tuple(block)) if len(block) > 1 and job.number else job
        for block in blocks.values()
        for job in block
    ]


def _block(number: int, most: int) -> tuple[int, int]:
    """The block of a model, of which `most` are trained together."""
    if number < FEWEST_PER_CORE:
        return 0, int(number > 0)
    size = min(1 << (number.bit_length() - 1), most)
    return size, number // size
