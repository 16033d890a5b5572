"""The attackers of an audit, each with the plan of his own."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from pytest_mia.auditing import plan
from pytest_mia.auditing.plan import Plan
from pytest_mia.cache.store import Store
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.training import batching, model_cache
from pytest_mia.training.jobs import Method


def planned(
    subject: AuditRequest, settings: Settings, method: Method, *, threshold: float | None, store: Store | None
) -> list[tuple[AuditRequest, Plan]]:
    """Each attacker with the plan of his audit.

    Parameters
    ----------
    subject, settings, threshold, store
        As `pytest_mia.auditing.run` takes them.
    method
        How models are trained and asked.

    Raises
    ------
    MIAUsageError
        What is wrong with any of them, before anything is trained.
    """
    made, problems = [], list[str]()
    with contextlib.nullcontext() if store is None else model_cache.watched():
        for side in _sides(subject, settings):
            try:
                made.append((side, plan.make(side, settings, method, threshold=threshold)))
            except MIAUsageError as error:
                problems += error.problems
    if problems:
        raise MIAUsageError([*dict.fromkeys(problems)])
    return [(side, _in_company(made, settings, method)) for side, made in made] if len(made) == 1 else made


def _in_company(made: Plan, settings: Settings, method: Method) -> Plan:
    """The plan in which models are trained as one where that is faster; a cluster, or an early stop, has each alone."""
    if settings.backend == "dask" or settings.early_stop or not made.jobs:
        return made
    jobs, reasons = batching.joined(made.jobs, made.tried, made.records.data, method)
    records = replace(made.records, notes=(*made.records.notes, *reasons))
    return replace(made, jobs=jobs, records=records)


def _sides(subject: AuditRequest, settings: Settings) -> tuple[AuditRequest, ...]:
    """The attackers, each by himself; without shadows they don't differ."""
    if settings.shadows:
        return subject.attackers
    return (replace(subject, shadow_factory=subject.attackers[0].guess, shadow_dataset=None),)
