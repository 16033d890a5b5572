"""An audit from end to end: plan, train, attack, judge. This is the way that the data goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_mia.attacks import registry as attacks
from pytest_mia.auditing import attacker_run, attackers, remedies, retraining, summary
from pytest_mia.auditing.attacker_run import Terms
from pytest_mia.auditing.controls import canaries
from pytest_mia.auditing.from_outputs import outputs_run
from pytest_mia.auditing.plan import Plan
from pytest_mia.cache.store import Store
from pytest_mia.core.errors import ModelTrainingError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.core.types import BoolArray
from pytest_mia.models.queries import registry
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.training import train as shadows
from pytest_mia.training.jobs import Method, Progress, Trained
from pytest_mia.verdicts.audit_result import AuditResult


@dataclass(frozen=True)
class ShadowModel:
    """A trained shadow and the records (records,) that it was trained on."""

    model: Any
    members: BoolArray


def run(
    subject: AuditRequest,
    settings: Settings,
    *,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
    replay: str = "",
    threshold: float | None = None,
    store: Store | None = None,
) -> AuditResult:
    """Audit a recipe or a release.

    Parameters
    ----------
    subject
        What is audited.
    settings
        How.
    progress
        Told after each trained model.
    announce
        Told in one line what is about to be done, before anything is trained.
    replay
        The command that repeats this audit, for messages.
    threshold
        The limit that the result will be judged by, where it is known: sizes that can't decide are then refused early.
    store
        Where models that were trained before are found, and others are kept; ``None`` keeps none.

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
    """
    if subject.outputs is not None:
        return outputs_run.run(subject, settings, replay=replay, store=store)
    method = _method(subject, settings)
    plans = attackers.planned(subject, settings, method, threshold=threshold, store=store)
    terms = Terms(settings, method, time.perf_counter(), len(plans), progress, replay, threshold, store)
    result, made = _compared(plans, terms, announce), plans[0][1]
    result = replace(result, lines=retraining.lines(made, subject))
    if settings.controls:
        sought = canaries.sought(made, method, settings, progress=progress, store=store, deadline=terms.deadline)
        result = canaries.added(result, sought)
    return _retrained(result, made, subject, terms, announce)


def _compared(
    plans: Sequence[tuple[AuditRequest, Plan]], terms: Terms, announce: Callable[[str], None] | None
) -> AuditResult:
    """The result of the only attacker, or of all of them side by side."""
    trained: Sequence[Trained] = ()
    results = []
    for side, made in plans:
        if announce is not None:
            # Canaries are planted once, for all attackers.
            more = canaries.line(made) if terms.settings.controls and made is plans[0][1] else ""
            announce((f"{side.attacker}: " if side.attacker else "") + made.line + (f"; {more}" if more else ""))
        # The targets are the same for every attacker, and come first.
        common = [one for one in trained if one.number < made.targets]
        result, trained = attacker_run.run(made, side, terms, common)
        results.append(replace(result, attacker=side.attacker))
    return results[0] if len(results) == 1 else summary.compared(results)


def _retrained(
    result: AuditResult,
    made: Plan,
    subject: AuditRequest,
    terms: Terms,
    announce: Callable[[str], None] | None,
) -> AuditResult:
    """The result with the audits of those remedies that train; one that can't be trained is noted."""
    settings = terms.settings
    found, notes = list[RemedyResult](), list[str]()
    changes = retraining.measured(made, subject, settings)
    shared = remedies.sharing(settings, len(changes))
    if settings.what_if == "train" and not changes:
        notes.append("what if: nothing to train otherwise is known for this model, or it is a release, trained already")
    for each in changes:
        if announce is not None:
            announce(f"what if: {each.line}")
        try:
            audit = run(each.subject, shared, progress=terms.progress, store=terms.store)
        except ModelTrainingError as error:
            notes.append(f"what if: {each.line} can't be measured: {str(error).splitlines()[0]}")
        else:
            found.append(RemedyResult(each.line, each.idea, audit, trains=True))
    return replace(result, what_if=(*result.what_if, *found), notes=(*result.notes, *notes))


def train(
    subject: AuditRequest,
    settings: Settings,
    *,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> tuple[ShadowModel, ...]:
    """Train the shadows of an audit and keep them.

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
    method = replace(_method(subject, settings), probes=())
    found: list[ShadowModel] = []
    for _, made in attackers.planned(subject, settings, method, threshold=None, store=None):
        if announce is not None:
            announce(made.line)
        jobs = [job for job in made.jobs if made.references[job.number]]
        kept = shadows.train_all(jobs, made.records.data, method, progress=progress, keep_models=True)
        found += [ShadowModel(one.model, made.members[one.number]) for one in kept]
    return tuple(found)


def _method(subject: AuditRequest, settings: Settings) -> Method:
    asked = settings.attacks
    needed = None if asked is None or attacks.DEFAULT in asked else registry.names_that_measure(attacks.reads(asked))
    return Method(
        subject.training,
        subject.predict,
        subject.loss,
        settings.device,
        settings.queries,
        subject.augment,
        needed,
        settings.seed,
    )
