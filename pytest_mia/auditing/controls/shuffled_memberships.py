"""The negative control: the same attacks on memberships that no model was trained by, of which nothing can be told.

Memberships are shuffled among the records, for all models alike. So nothing that a model answers goes with them any
more, while what they say of each other stays: a design by which a target's memberships can be read off the others'
shows itself here, as an attack does that sees what it must not.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.auditing import attack_stage, summary
from pytest_mia.cache.store import Store
from pytest_mia.core.seeding import generator_for
from pytest_mia.core.settings import Settings
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.results.controls import Controls
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Interval
from pytest_mia.verdicts.audit_result import AuditResult

CONFIDENCE = 0.995
"""Of each bound, so that both hold with 99%."""


def shuffled(observations: Observations) -> Observations:
    """The same with memberships that were shuffled among the judged records, and among the others; by whole groups."""
    judged = np.asarray(observations.judged.any(axis=0))
    records = np.arange(len(judged)) if observations.groups is None else observations.groups
    _, first, unit = np.unique(records, return_index=True, return_inverse=True)
    order = _order(judged[first], generator_for(observations.seed, "placebo"))
    return dataclasses.replace(observations, members=observations.members[:, first[order]][:, unit])


def measured(observations: Observations, context: summary.Context, settings: Settings, store: Store | None) -> Interval:
    """The advantage that the attacks reach on shuffled memberships, with bounds of 99.5% confidence each.

    Parameters
    ----------
    observations, context, settings, store
        As `pytest_mia.auditing.attack_stage.attack` had them for the audit itself.
    """
    result = attack_stage.attack(shuffled(observations), context, settings, store)
    return error_budget.plain_interval(result.selected, CONFIDENCE)


def finding(interval: Interval) -> str | None:
    """The finding that attacks tell apart what nobody can."""
    if interval.low <= 0 <= interval.high:
        return None
    return (
        f"on shuffled memberships, where there is nothing to find, the advantage is {interval}, and not 0: memberships "
        "depend on each other, or an attack sees them. Draw each model's half by itself, without regard to the others"
    )


def added(
    result: AuditResult, observations: Observations, context: summary.Context, settings: Settings, store: Store | None
) -> AuditResult:
    """The result with this control, whose failure makes it invalid; of what it was made, as in `measured`."""
    interval = measured(observations, context, settings, store)
    wrong = finding(interval)
    found = (wrong,) if wrong else ()
    return dataclasses.replace(result, controls=Controls(interval), findings=(*result.findings, *found))


def _order(judged: BoolArray, rng: np.random.Generator) -> IntArray:
    """A random order of units that keeps the judged ones among themselves."""
    order = np.arange(len(judged))
    for side in (judged, ~judged):
        order[side] = rng.permutation(order[side])
    return order
