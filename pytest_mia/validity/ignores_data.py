"""Do the user's own functions use the records, and the model, that they are given?

A function that trains on something else, such as a global variable of the same name, gives models that know all records
alike, and these would pass every limit; the same holds for a function that queries another model. This check finds such
functions: it trains once more with the seed of the first model, on a few of its records with other labels. If the code
ignores its data, the answers are the same as before. Where a training can't be repeated exactly (random draws without a
seed, sums in no fixed order), the answers are right, which no model can learn from wrong labels.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import IntArray
from pytest_mia.data.containers import take
from pytest_mia.data.records import Data
from pytest_mia.models.signals import same, stack
from pytest_mia.training import fit, model_cache, train
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.validity import identical_models
from pytest_mia.validity.pretrained_factory import BEYOND_CHANCE
from pytest_mia.validity.protocol import NOTHING, CheckResult
from pytest_mia.validity.user_code import UserCode

MOST_PER_CLASS = 10


def make_twin(job: Job, data: Data) -> tuple[Job, Data] | None:
    """The same model on a few of its records of each class, labelled as the next class; without classes unchanged.

    ``None`` where there are no fewer records: to learn nothing from labels alone is no fault.
    """
    members = np.zeros(len(job.members), dtype=bool)
    members[_draw_few(data, job)] = True
    if (members == job.members).all():
        return None
    if not len(data.classes):
        return dataclasses.replace(job, members=members), data
    _, first = np.unique(data.labels, return_index=True)
    y = take(data.y, first[(data.labels + 1) % len(first)])
    return dataclasses.replace(job, members=members), dataclasses.replace(data, y=y)


def check(code: UserCode) -> CheckResult:
    """The finding that what a model learns from makes no difference.

    The twin of the first model is found in the cache, when it was trained before.
    """
    twin = make_twin(code.job, code.data) if code.suspects else None
    if twin is None:
        return NOTHING
    job, data = twin
    plain = dataclasses.replace(code.method, probes=(), what_if=())
    cache = model_cache.open_model_cache(code.store, data, code.factories)
    try:
        (other,) = train.train_all([job], data, plain, cache=cache)
    except Exception:
        # So few records may be too few for the user's code, which may then raise anything; they prove nothing.
        return NOTHING
    if same(code.trained[0].signals, other.signals):
        alike = identical_models.is_constant(stack([code.trained[0].signals]), data.labels)
        ignored = None if alike else "answers exactly as before"
    else:
        ignored = _describe_knowledge(code.trained[0], other, code.job, code.data, plain)
    if ignored is None:
        return NOTHING
    finding = (
        f"{' or '.join(code.suspects)} ignores what it is given: trained on a few records with other labels, "
        f"a model {ignored}. Train on the X and y that the function is given, and query the model that it is given"
    )
    return CheckResult((finding,))


def _describe_knowledge(trained: Trained, twin: Trained, job: Job, data: Data, method: Method) -> str | None:
    """What a twin knows that its records can't have taught it, where no two trainings are alike."""
    outside, right = np.flatnonzero(~job.members), twin.signals.correct
    if right is None or not len(data.classes) or not len(outside):
        return None
    share, chance = right[outside].mean(), np.bincount(data.labels[outside]).max() / len(outside)
    # A model that was made to know more, and can be trained again to the same, differs by what it was given.
    if share < chance + BEYOND_CHANCE or same(trained.signals, fit.train_one(job, data, method).signals):
        return None
    return f"is still right on {share:.3f} of the records that it never saw"


def _draw_few(data: Data, job: Job) -> IntArray:
    """At most half of the model's records of each class."""
    rows = generator_for(job.seed, "control").permutation(np.flatnonzero(job.members))
    classes, codes = np.unique(data.labels[rows], return_inverse=True)
    parts = [rows[codes == code] for code in range(len(classes))]
    return np.concatenate([part[: min(MOST_PER_CLASS, (len(part) + 1) // 2)] for part in parts])
