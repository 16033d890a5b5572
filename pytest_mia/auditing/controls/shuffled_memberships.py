"""The negative control: the same attacks on memberships that no model was trained by, of which nothing can be told.

Memberships are shuffled among the records, for all models alike. So nothing that a model answers goes with them any
more, while what they say of each other stays: a design by which a target's memberships can be read off the others'
shows itself here, as an attack does that sees what it must not.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.auditing import attack_stage
from pytest_mia.auditing.attack_stage import QueriedModels
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.results.controls import Controls
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Interval
from pytest_mia.verdicts.audit_result import AuditResult

CONFIDENCE = 0.995
"""Of each bound, so that both hold with 99%."""


def shuffle_memberships(observations: Observations) -> Observations:
    """The same with memberships that were shuffled among the judged records, and among the others; by whole groups."""
    judged = np.asarray(observations.judged.any(axis=0))
    records = np.arange(len(judged)) if observations.groups is None else observations.groups
    _, first, unit = np.unique(records, return_index=True, return_inverse=True)
    order = _draw_order(judged[first], generator_for(observations.seed, "placebo"))
    return dataclasses.replace(observations, members=observations.members[:, first[order]][:, unit])


def measure(run: AuditRun, observations: Observations, design: AuditDesign) -> Interval:
    """The advantage that the attacks reach on shuffled memberships, with bounds of 99.5% confidence each.

    Parameters
    ----------
    run, observations, design
        As `pytest_mia.auditing.attack_stage.attack` had them for the audit itself.
    """
    result = attack_stage.attack(run, shuffle_memberships(observations), design)
    return error_budget.plain_interval(result.selected, CONFIDENCE)


def find_failure(interval: Interval) -> str | None:
    """The finding that attacks tell apart what nobody can."""
    if interval.low <= 0 <= interval.high:
        return None
    return (
        f"on shuffled memberships, where there is nothing to find, the advantage is {interval}, and not 0: memberships "
        "depend on each other, or an attack sees them. Draw each model's members independently of the other models"
    )


def add_control(run: AuditRun, result: AuditResult, models: QueriedModels) -> AuditResult:
    """The result of an audit of these models with this control, whose failure makes it invalid."""
    return add_measured(run, result, attack_stage.observe(run, models), models.plan.design(models.looks))


def add_measured(run: AuditRun, result: AuditResult, observations: Observations, design: AuditDesign) -> AuditResult:
    """The result of an audit of these observations with this control."""
    interval = measure(run, observations, design)
    failed = find_failure(interval)
    findings = (*result.findings, failed) if failed else result.findings
    return dataclasses.replace(result, controls=Controls(interval), findings=findings)


def _draw_order(judged: BoolArray, rng: np.random.Generator) -> IntArray:
    """A random order of units that keeps the judged ones among themselves."""
    order = np.arange(len(judged))
    for side in (judged, ~judged):
        order[side] = rng.permutation(order[side])
    return order
