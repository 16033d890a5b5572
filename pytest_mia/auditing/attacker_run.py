"""The audit by one attacker: train look by look, and attack what was trained."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Generator, Sequence

from pytest_mia import remedies as answer_remedies
from pytest_mia.auditing import attack_stage, remedies
from pytest_mia.auditing.attack_stage import QueriedModels
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.controls import shuffled_memberships
from pytest_mia.auditing.plan import Plan
from pytest_mia.core.errors import OutOfTimeError
from pytest_mia.core.events import Progress
from pytest_mia.results.audit_data import NO_CACHE
from pytest_mia.results.values import CacheUse
from pytest_mia.training import model_cache, query
from pytest_mia.training.backends import select
from pytest_mia.training.jobs import Trained
from pytest_mia.training.train import Training, train_steps
from pytest_mia.validity import registry as validity
from pytest_mia.validity.protocol import NOTHING, CheckResult
from pytest_mia.validity.user_code import UserCode
from pytest_mia.verdicts import early_stop
from pytest_mia.verdicts.audit_result import AuditResult

FEWEST_SHADOWS = 3

TrainedModels = tuple[Trained, ...]


def run_attacker(
    run: AuditRun, plan: Plan, common: Sequence[Trained] = ()
) -> Generator[Progress, None, tuple[AuditResult, TrainedModels]]:
    """Audit the models of one attacker.

    Parameters
    ----------
    run
        The audit, with this attacker's request.
    plan
        What is trained and attacked.
    common
        The first models, where they were trained for another attacker.

    Yields
    ------
    Progress
        Before and after each model that is trained.

    Returns
    -------
    tuple
        What was found, not judged yet, and the trained models, those of `common` among them.

    Raises
    ------
    ModelTrainingError, InvalidAuditError
        As `pytest_mia.auditing.run.run` does.
    OutOfTimeError
        When the time limit leaves too few models for an audit.
    """
    start = time.perf_counter()
    run, released = _query_released(run, plan)
    stops, trained, code = _looks(run, plan), TrainedModels(), None
    with select.connect(run.settings) as backend:
        cache = model_cache.open_model_cache(run.store, plan.records.data, plan.tried)
        training = Training(plan.records.data, run.method, backend, cache, run.deadline)
        for look in stops:
            trained += tuple(common[len(trained) : look])
            run = run.settle(trained)
            trained += yield from _train(run, plan, training, trained, look)
            run = run.settle(trained)
            code = _check_code(run, plan, trained) if code is None else code
            models = QueriedModels(
                plan.only([one.number for one in trained]), trained, released, len(stops) * run.attackers
            )
            said = validity.join_results([_describe(run, models), code])
            cached = NO_CACHE if run.store is None else _count_cached(trained[len(common) :])
            models = dataclasses.replace(models, said=said, seconds=time.perf_counter() - start, cache=cached)
            stopped = _out_of_time(run, models, len(plan.jobs)) if len(trained) < look else ""
            result = attack_stage.examine(run, models)
            if look < stops[-1] and run.threshold is not None and early_stop.leaks(result, run.threshold):
                stopped = stopped or f"training stopped after {look} of {stops[-1]} models, because the leak is certain"
            if stopped:
                result = dataclasses.replace(result, notes=(*result.notes, stopped))
                break
    if run.settings.controls:
        result = shuffled_memberships.add_control(run, result, models)
    if run.settings.what_if != "off":
        result = remedies.add_remedies(run, result, models)
    return result, trained


def _query_released(run: AuditRun, plan: Plan) -> tuple[AuditRun, Trained | None]:
    """The released model's answers, and the run whose shadows are probed as it is."""
    method, data = run.method, plan.records.data
    if run.settings.what_if != "off":
        method = method.trying(answer_remedies.by_default(len(data.classes)))
    if plan.target is None:
        return dataclasses.replace(run, method=method), None
    released = query.query_released(plan.target, data, method, run.settings.seed, number=len(plan.jobs))
    return dataclasses.replace(run, method=method.probing_as(released)), released


def _looks(run: AuditRun, plan: Plan) -> tuple[int, ...]:
    """Numbers of trained models at which the audit is judged; one look at all of them unless it may stop early."""
    if not run.settings.early_stop or run.threshold is None or not plan.in_order:
        return (len(plan.jobs),)
    return early_stop.looks(len(plan.jobs))


def _train(
    run: AuditRun, plan: Plan, training: Training, before: TrainedModels, look: int
) -> Generator[Progress, None, TrainedModels]:
    """Train the models up to a look; progress counts those before them and after them too."""
    jobs = plan.jobs[len(before) : look]
    if not jobs:
        return ()
    earlier, later = sum(not one.cached for one in before), len(plan.jobs) - look
    trained = list[Trained]()
    with contextlib.closing(train_steps(jobs, dataclasses.replace(training, method=run.method))) as steps:
        for step in steps:
            trained += step.models
            yield Progress(earlier + step.done, earlier + step.total + later, time.perf_counter() - run.begun)
    return tuple(sorted(trained, key=lambda one: one.number))


def _check_code(run: AuditRun, plan: Plan, trained: TrainedModels) -> CheckResult:
    """What is to be said of the user's own code; nothing where no model was trained."""
    if not trained or not plan.tried or not plan.tried[0].models:
        return NOTHING
    job = plan.jobs[trained[0].number]
    return validity.check_code(UserCode(job, plan.records.data, plan.tried, trained, run.method, run.store))


def _describe(run: AuditRun, models: QueriedModels) -> CheckResult:
    """What is known of the records, and how models were trained and queried, each once."""
    records, everyone = models.plan.records, models.models
    first = [one.description for one in models.trained[:1] if one.description]
    asked = dict.fromkeys(
        note for one in everyone for note in query.describe_queries(one, run.method, run.settings.queries)
    )
    alone = dict.fromkeys(one.alone for one in everyone if one.alone)
    why = next((one.moved for one in everyone if one.moved), "")
    moved = [f"models that the GPU has no room for were run on the CPU: {why}"] if why else []
    return CheckResult(records.findings, (*records.notes, *first, *asked, *alone, *moved))


def _count_cached(trained: TrainedModels) -> CacheUse:
    hits = sum(one.cached for one in trained)
    return CacheUse(hits, len(trained) - hits)


def _out_of_time(run: AuditRun, models: QueriedModels, planned: int) -> str:
    """The note that time was up, if an audit can be made of the models that there are."""
    reached = (
        f"the time limit of {run.settings.time_limit:g} s was reached after {len(models.trained)} of {planned} models"
    )
    if models.plan.shadows < FEWEST_SHADOWS or not models.plan.judged.any():
        raise OutOfTimeError(
            f"{reached}, too few for an audit, which needs {FEWEST_SHADOWS} shadows; raise the time limit"
        )
    return reached
