"""An audit from end to end: plan, train, attack, judge. This is the way that the data goes."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_mia import (
    asking,
    attackers,
    attacks,
    auditing_outputs,
    backends,
    canaries,
    control,
    examination,
    findings,
    model_cache,
    parts,
    placebo,
    probes,
    remedies,
    retraining,
    shadows,
    stopping,
    what_if,
)
from pytest_mia.arrays import BoolArray
from pytest_mia.backends import Backend
from pytest_mia.errors import ModelTrainingError, OutOfTimeError
from pytest_mia.figures import CacheUse
from pytest_mia.jobs import Method, Progress, Trained
from pytest_mia.plan import Plan
from pytest_mia.results import AuditResult, RemedyResult
from pytest_mia.settings import Settings
from pytest_mia.slots import Cache
from pytest_mia.store import Store
from pytest_mia.subject import Subject

FEWEST_SHADOWS = 3


@dataclass(frozen=True)
class ShadowModel:
    """A trained shadow and the records (records,) that it was trained on."""

    model: Any
    members: BoolArray


def run(
    subject: Subject,
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
        return auditing_outputs.run(subject, settings, replay=replay, store=store)
    method = _method(subject, settings)
    plans = attackers.planned(subject, settings, method, threshold=threshold, store=store)
    begun = time.perf_counter()
    trained: list[Trained] = []
    results = []
    for side, made in plans:
        if announce is not None:
            # Canaries are planted once, for all attackers.
            more = canaries.line(made) if settings.controls and made is plans[0][1] else ""
            line = f"{made.line}; {more}" if more else made.line
            announce(f"{side.attacker}: {line}" if side.attacker else line)
        # The targets are the same for every attacker, and come first.
        common = [one for one in trained if one.number < made.targets]
        result, trained = _audit(
            made, side, settings, method, common, begun, progress, replay, threshold, store, rivals=len(plans)
        )
        results.append(replace(result, attacker=side.attacker))
    result = results[0] if len(results) == 1 else findings.compared(results)
    result = replace(result, lines=retraining.lines(plans[0][1], subject))
    if settings.controls:
        deadline = begun + (settings.time_limit or math.inf)
        sought = canaries.sought(plans[0][1], method, settings, progress=progress, store=store, deadline=deadline)
        result = canaries.added(result, sought)
    return _retrained(result, plans[0][1], subject, settings, progress, announce, store)


def _retrained(
    result: AuditResult,
    made: Plan,
    subject: Subject,
    settings: Settings,
    progress: Progress | None,
    announce: Callable[[str], None] | None,
    store: Store | None,
) -> AuditResult:
    """The result with the audits of those remedies that train; one that can't be trained is noted."""
    found, notes = list[RemedyResult](), list[str]()
    changes = retraining.measured(made, subject, settings)
    if settings.what_if == "train" and not changes:
        notes.append("what if: nothing to train otherwise is known for this model, or it is a release, trained already")
    for each in changes:
        if announce is not None:
            announce(f"what if: {each.line}")
        try:
            audit = run(each.subject, what_if.sharing(settings, len(changes)), progress=progress, store=store)
        except ModelTrainingError as error:
            notes.append(f"what if: {each.line} can't be measured: {str(error).splitlines()[0]}")
        else:
            found.append(RemedyResult(each.line, each.idea, audit, trains=True))
    return replace(result, what_if=(*result.what_if, *found), notes=(*result.notes, *notes))


def _audit(
    made: Plan,
    subject: Subject,
    settings: Settings,
    method: Method,
    common: Sequence[Trained],
    begun: float,
    progress: Progress | None,
    replay: str,
    threshold: float | None,
    store: Store | None,
    *,
    rivals: int,
) -> tuple[AuditResult, list[Trained]]:
    """The audit of one attacker out of several, and the models that were trained; those in `common` are there."""
    cache = model_cache.of(store, made.records.data, made.tried)
    start = time.perf_counter()
    if settings.what_if != "off":
        method = method.trying(remedies.by_default(len(made.records.data.classes)))
    stops = _looks(made, settings, threshold)
    chances = len(stops) * rivals
    released, method = _released(made, method, settings)
    trained: list[Trained] = []
    controlled: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    with contextlib.closing(backends.chosen(settings)) as backend:
        for look in stops:
            trained += common[len(trained) : look]
            method = method.settled(trained[0]) if trained else method
            trained += _train(made, trained, look, method, settings, progress, begun, cache, backend)
            method = method.settled(trained[0]) if trained else method
            controlled = control.found(made, trained, method, store) if controlled is None else controlled
            so_far = made.only([one.number for one in trained])
            context = _context(so_far, trained, method, settings, controlled, looks=chances, replay=replay, start=start)
            context = replace(context, notes=(*context.notes, *_released_notes(released, trained, method, settings)))
            if store is not None:
                context = replace(context, cache=_cache_use(trained[len(common) :]))
            if len(trained) < look:
                result = _out_of_time(so_far, made, trained, released, subject, context, settings, store)
                break
            result = examination.examine(so_far, trained, released, subject, context, settings, store)
            if look < stops[-1] and threshold is not None and stopping.leaks(result, threshold):
                note = f"stopped after {look} of {stops[-1]} models: the leak is certain"
                result = replace(result, notes=(*result.notes, note))
                break
    if settings.controls:
        observations = examination.observed(so_far, trained, released, subject, settings)
        result = placebo.added(result, observations, context, settings, store)
    if settings.what_if != "off":
        result = what_if.measured(result, so_far, trained, released, subject, method, context, settings, store)
    return result, trained


def train(
    subject: Subject,
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


def _looks(made: Plan, settings: Settings, threshold: float | None) -> tuple[int, ...]:
    """Numbers of trained models at which the audit is judged; one look at all of them unless it may stop early."""
    if not settings.early_stop or threshold is None or not made.in_order:
        return (len(made.jobs),)
    return stopping.looks(len(made.jobs))


def _train(
    made: Plan,
    before: Sequence[Trained],
    look: int,
    method: Method,
    settings: Settings,
    progress: Progress | None,
    start: float,
    cache: Cache,
    backend: Backend,
) -> list[Trained]:
    """Train the models up to a look; progress counts those before them and after them too."""
    jobs = made.jobs[len(before) : look]
    if not jobs:
        return []
    earlier, later = sum(not one.cached for one in before), len(made.jobs) - look

    def tell(done: int, total: int, _seconds: float) -> None:
        if progress is not None:
            progress(earlier + done, earlier + total + later, time.perf_counter() - start)

    return shadows.train_all(
        jobs,
        made.records.data,
        method,
        backend=backend,
        progress=tell,
        deadline=start + (settings.time_limit or math.inf),
        cache=cache,
    )


def _out_of_time(
    so_far: Plan,
    made: Plan,
    trained: Sequence[Trained],
    released: Trained | None,
    subject: Subject,
    context: findings.Context,
    settings: Settings,
    store: Store | None,
) -> AuditResult:
    """The result with the models that there are, if an audit can be made of them."""
    told = f"the time limit of {settings.time_limit:g} s was reached after {len(trained)} of {len(made.jobs)} models"
    if so_far.shadows < FEWEST_SHADOWS or not so_far.judged.any():
        raise OutOfTimeError(f"{told}, too few for an audit, which needs {FEWEST_SHADOWS} shadows; raise the limit")
    result = examination.examine(so_far, trained, released, subject, context, settings, store)
    return replace(result, notes=(*result.notes, told))


def _method(subject: Subject, settings: Settings) -> Method:
    asked = settings.attacks
    needed = None if asked is None or attacks.DEFAULT in asked else probes.measuring(attacks.reads(asked))
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


def _released(made: Plan, method: Method, settings: Settings) -> tuple[Trained | None, Method]:
    """The released model, asked, and the method by which its shadows are probed as it is."""
    if made.target is None:
        return None, method
    asked = asking.ask_released(made.target, made.records.data, method, settings.seed, number=len(made.jobs))
    return asked, method.probing_as(asked)


def _context(
    made: Plan,
    trained: Sequence[Trained],
    method: Method,
    settings: Settings,
    controlled: tuple[tuple[str, ...], tuple[str, ...]],
    *,
    looks: int,
    replay: str,
    start: float,
) -> findings.Context:
    """What is known of an audit beside what models answered; `controlled` are findings and notes on the code."""
    return findings.Context(
        kind=made.kind,
        audited=made.records.audited,
        shadows=made.shadows,
        models=len(made.jobs) + (made.target is not None),
        slices=made.records.slices,
        device=trained[0].device if trained else "cpu",
        findings=(*made.records.findings, *controlled[0]),
        notes=(*made.records.notes, *_training_notes(trained, method, settings), *controlled[1]),
        replay=replay,
        training_seconds=time.perf_counter() - start,
        looks=looks,
        drawn=settings.coins and made.target is None,
        shift=made.records.shift,
        classes=made.records.classes,
        copied=made.records.copied,
        columns=parts.frame_of(made.records.data.X, made.records.audited),
    )


def _cache_use(trained: Sequence[Trained]) -> CacheUse:
    hits = sum(one.cached for one in trained)
    return CacheUse(hits, len(trained) - hits)


def _training_notes(trained: Sequence[Trained], method: Method, settings: Settings) -> tuple[str, ...]:
    if not trained:
        return ()
    notes = [trained[0].description] if trained[0].description else []
    notes += asking.told(trained[0], method, settings.queries)
    notes += dict.fromkeys(one.alone for one in trained if one.alone)
    return (*notes, *_moved(trained))


def _released_notes(
    released: Trained | None, trained: Sequence[Trained], method: Method, settings: Settings
) -> tuple[str, ...]:
    """What is to be said of the released model, where its shadows don't say it already."""
    if released is None:
        return ()
    before = asking.told(trained[0], method, settings.queries) if trained else ()
    own = asking.told(released, method, settings.queries)
    return (*(note for note in own if note not in before), *_moved([released]))


def _moved(trained: Sequence[Trained]) -> tuple[str, ...]:
    why = [one.moved for one in trained if one.moved]
    return (f"models that the GPU has no room for are on the CPU: {why[0]}",) if why else ()
