"""An audit from end to end: plan, train, attack, judge. This is the way that the data goes.

An audit is a generator: it yields what is shown while it runs, and returns what it found. Close it to end its workers.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_mia.auditing import plan as planning
from pytest_mia.auditing import remedies, retraining, summary
from pytest_mia.auditing.attacker_run import run_attacker
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.controls import canaries
from pytest_mia.auditing.from_outputs.run import audit_outputs
from pytest_mia.auditing.plan import Plan
from pytest_mia.cache.store import Store
from pytest_mia.core.errors import InvalidAuditError, MIAUsageError, ModelTrainingError, OutOfTimeError
from pytest_mia.core.events import Announcement, Event, Progress
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.core.types import BoolArray
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.training.jobs import Trained
from pytest_mia.training.train import Training, train_steps
from pytest_mia.verdicts.audit_result import AuditResult

NOTHING_TO_TRAIN = (
    "what if: no other training is proposed: none is known for this model, or it is a release, which is trained already"
)


@dataclass(frozen=True)
class ShadowModel:
    """A trained shadow and the records (records,) that it was trained on."""

    model: Any
    members: BoolArray


def run(
    request: AuditRequest,
    settings: Settings,
    *,
    replay: str = "",
    threshold: float | None = None,
    store: Store | None = None,
) -> Generator[Event, None, AuditResult]:
    """Audit a recipe or a release.

    Parameters
    ----------
    request
        What is audited.
    settings
        How.
    replay, threshold, store
        As in `AuditRun`.

    Yields
    ------
    Announcement
        What is about to be done, before anything is trained.
    Progress
        Before and after each model that is trained.

    Returns
    -------
    AuditResult
        What was found, not judged yet.

    Raises
    ------
    MIAUsageError
        Bad input, all problems at once, before anything is trained.
    ModelTrainingError
        The user's code raised.
    InvalidAuditError
        A model answered with NaN or infinity.
    OutOfTimeError
        The time limit left too few models for an audit.
    """
    started = AuditRun.start(request, settings, store=store, replay=replay, threshold=threshold)
    if request.outputs is not None:
        return audit_outputs(started)
    return (yield from _audit_models(started))


def _audit_models(run: AuditRun) -> Generator[Event, None, AuditResult]:
    attackers = planning.plan_attackers(run)
    plan = attackers[0][1]
    run = dataclasses.replace(run, attackers=len(attackers))
    result = yield from _attack_side_by_side(run, attackers)
    result = dataclasses.replace(result, lines=retraining.describe_retrainings(plan, run.request))
    if run.settings.controls:
        found = yield from canaries.seek(run, plan)
        result = canaries.add_canaries(result, found)
    if run.settings.what_if == "train":
        result = yield from _train_remedies(run, plan, result)
    return result


def _attack_side_by_side(
    run: AuditRun, attackers: Sequence[tuple[AuditRequest, Plan]]
) -> Generator[Event, None, AuditResult]:
    """The result of the only attacker, or of all of them side by side."""
    trained: Sequence[Trained] = ()
    results = list[AuditResult]()
    for request, plan in attackers:
        # Canaries are planted once, for all attackers.
        more = canaries.describe_canaries(plan) if run.settings.controls and not results else ""
        name = f"{request.attacker}: " if request.attacker else ""
        yield Announcement(name + plan.line + (f"; {more}" if more else ""))
        # The targets are the same for every attacker, and come first.
        common = [one for one in trained if one.number < plan.targets]
        result, trained = yield from run_attacker(dataclasses.replace(run, request=request), plan, common)
        results.append(dataclasses.replace(result, attacker=request.attacker))
    return results[0] if len(results) == 1 else summary.compare(results)


def _train_remedies(run: AuditRun, plan: Plan, result: AuditResult) -> Generator[Event, None, AuditResult]:
    """The result with the audits of those remedies that train, within the audit's own time limit.

    One that can't be measured leaves a note: what was found without it stays.
    """
    changes = retraining.propose_retrainings(plan, run.request)
    shared = remedies.share_error(run.settings, len(changes))
    audits, notes = list[RemedyResult](), [] if changes else [NOTHING_TO_TRAIN]
    for each in changes:
        if run.out_of_time:
            notes.append(f"what if: {each.line} was not measured: the time limit was reached")
            continue
        yield Announcement(f"what if: {each.line}")
        try:
            audit = yield from _audit_models(run.start_again(each.request, shared))
        except (InvalidAuditError, MIAUsageError, ModelTrainingError, OutOfTimeError) as error:
            notes.append(f"what if: {each.line} can't be measured: {str(error).splitlines()[0]}")
        else:
            audits.append(RemedyResult(each.line, each.idea, audit, trains=True))
    return dataclasses.replace(result, what_if=(*result.what_if, *audits), notes=(*result.notes, *notes))


def train(request: AuditRequest, settings: Settings) -> Generator[Event, None, tuple[ShadowModel, ...]]:
    """Train the shadows of an audit and keep them.

    Yields
    ------
    Announcement, Progress
        As `run` does.

    Returns
    -------
    tuple of ShadowModel
        In the order of the audit, attacker by attacker where there are several; for a recipe every model, since each is
        a shadow of the others.

    Raises
    ------
    MIAUsageError, ModelTrainingError, InvalidAuditError
        As `run` does.
    """
    run = AuditRun.start(request, settings)
    method = dataclasses.replace(run.method, probes=())
    shadows = list[ShadowModel]()
    for _, plan in planning.plan_attackers(dataclasses.replace(run, method=method)):
        yield Announcement(plan.line)
        jobs = [job for job in plan.jobs if plan.references[job.number]]
        trained = list[Trained]()
        with contextlib.closing(train_steps(jobs, Training(plan.records.data, method, keep_models=True))) as steps:
            for step in steps:
                trained += step.models
                yield Progress(step.done, step.total, step.seconds)
        trained.sort(key=lambda one: one.number)
        shadows += [ShadowModel(one.model, plan.members[one.number]) for one in trained]
    return tuple(shadows)
