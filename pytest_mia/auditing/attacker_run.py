"""The audit of one attacker: train look by look, attack what was trained, and say what was found."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_mia import remedies
from pytest_mia.auditing import attack_stage, summary
from pytest_mia.auditing import remedies as what_if
from pytest_mia.auditing.attack_stage import QueriedModels
from pytest_mia.auditing.controls import shuffled_memberships
from pytest_mia.auditing.plan import Plan
from pytest_mia.cache.store import Store
from pytest_mia.core.errors import OutOfTimeError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.results.values import CacheUse
from pytest_mia.training import model_cache, query, train
from pytest_mia.training.backends import select
from pytest_mia.training.backends.protocol import Backend
from pytest_mia.training.jobs import Cache, Method, Progress, Trained
from pytest_mia.validity import user_code
from pytest_mia.verdicts import early_stop, subgroups
from pytest_mia.verdicts.audit_result import AuditResult

FEWEST_SHADOWS = 3


@dataclass(frozen=True)
class Terms:
    """What holds for all attackers of an audit.

    Attributes
    ----------
    settings, progress, replay, threshold, store
        As `pytest_mia.auditing.run` takes them.
    method
        How models are trained and asked.
    begun
        When the audit began, by ``time.perf_counter``.
    attackers
        How many there are; they share the error.
    """

    settings: Settings
    method: Method
    begun: float
    attackers: int = 1
    progress: Progress | None = None
    replay: str = ""
    threshold: float | None = None
    store: Store | None = None

    @property
    def deadline(self) -> float:
        """Time, by ``time.perf_counter``, after which no more models are waited for."""
        return self.begun + (self.settings.time_limit or math.inf)


def run(
    made: Plan, subject: AuditRequest, terms: Terms, common: Sequence[Trained] = ()
) -> tuple[AuditResult, Sequence[Trained]]:
    """Audit the models of one attacker.

    Parameters
    ----------
    made
        What is trained and attacked.
    subject
        What is audited, as this attacker knows it.
    terms
        What he shares with the others.
    common
        The first models, where they were trained for another attacker.

    Returns
    -------
    tuple
        What was found, not judged yet, and the trained models, those of `common` among them.

    Raises
    ------
    ModelTrainingError, InvalidAuditError
        As `pytest_mia.auditing.run` does.
    OutOfTimeError
        When the time limit leaves too few models for an audit.
    """
    settings, store = terms.settings, terms.store
    start = time.perf_counter()
    released, method = _released(made, terms)
    controlled: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    stops = _looks(made, terms)
    with contextlib.closing(select.chosen(settings)) as backend:
        for look, trained, asked in _trained(made, stops, common, method, terms, backend):
            controlled = _controlled(made, trained, asked, store) if controlled is None else controlled
            answered = QueriedModels(made.only([one.number for one in trained]), trained, released, subject)
            context = _context(answered, asked, terms, controlled, looks=len(stops), start=start)
            if store is not None:
                context = replace(context, cache=_cache_use(trained[len(common) :]))
            stopped = _out_of_time(made, answered, settings) if len(trained) < look else ""
            result = attack_stage.examine(answered, context, settings, store)
            if look < stops[-1] and terms.threshold is not None and early_stop.leaks(result, terms.threshold):
                stopped = stopped or f"stopped after {look} of {stops[-1]} models: the leak is certain"
            if stopped:
                result = replace(result, notes=(*result.notes, stopped))
                break
    if settings.controls:
        result = shuffled_memberships.added(result, attack_stage.observed(answered, settings), context, settings, store)
    if settings.what_if != "off":
        result = what_if.measured(result, answered, asked, context, settings, store)
    return result, trained


def _controlled(
    made: Plan, trained: Sequence[Trained], method: Method, store: Store | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Findings and notes on the user's own code; none where no model was trained."""
    if not trained:
        return (), ()
    return user_code.found(made.jobs[trained[0].number], made.records.data, made.tried, trained, method, store)


def _released(made: Plan, terms: Terms) -> tuple[Trained | None, Method]:
    """The released model, asked, and the method by which its shadows are probed as it is."""
    method, settings = terms.method, terms.settings
    if settings.what_if != "off":
        method = method.trying(remedies.by_default(len(made.records.data.classes)))
    if made.target is None:
        return None, method
    asked = query.ask_released(made.target, made.records.data, method, settings.seed, number=len(made.jobs))
    return asked, method.probing_as(asked)


def _looks(made: Plan, terms: Terms) -> tuple[int, ...]:
    """Numbers of trained models at which the audit is judged; one look at all of them unless it may stop early."""
    if not terms.settings.early_stop or terms.threshold is None or not made.in_order:
        return (len(made.jobs),)
    return early_stop.looks(len(made.jobs))


def _trained(
    made: Plan, stops: Sequence[int], common: Sequence[Trained], method: Method, terms: Terms, backend: Backend
) -> Iterator[tuple[int, Sequence[Trained], Method]]:
    """At each look: the number it waits for, the models so far (fewer when time is up), and how they were asked."""
    cache = model_cache.of(terms.store, made.records.data, made.tried)
    trained: list[Trained] = []
    for look in stops:
        trained += common[len(trained) : look]
        method = method.settled(trained[0]) if trained else method
        trained += _train(made, trained, look, method, terms, cache, backend)
        method = method.settled(trained[0]) if trained else method
        yield look, tuple(trained), method


def _train(
    made: Plan,
    before: Sequence[Trained],
    look: int,
    method: Method,
    terms: Terms,
    cache: Cache,
    backend: Backend,
) -> list[Trained]:
    """Train the models up to a look; progress counts those before them and after them too."""
    jobs = made.jobs[len(before) : look]
    if not jobs:
        return []
    earlier, later = sum(not one.cached for one in before), len(made.jobs) - look

    def tell(done: int, total: int, _seconds: float) -> None:
        if terms.progress is not None:
            terms.progress(earlier + done, earlier + total + later, time.perf_counter() - terms.begun)

    data = made.records.data
    return train.train_all(jobs, data, method, backend=backend, progress=tell, deadline=terms.deadline, cache=cache)


def _out_of_time(made: Plan, answered: QueriedModels, settings: Settings) -> str:
    """That time was up, if an audit can be made of the models that there are."""
    done, in_all = len(answered.trained), len(made.jobs)
    told = f"the time limit of {settings.time_limit:g} s was reached after {done} of {in_all} models"
    if answered.plan.shadows < FEWEST_SHADOWS or not answered.plan.judged.any():
        raise OutOfTimeError(f"{told}, too few for an audit, which needs {FEWEST_SHADOWS} shadows; raise the limit")
    return told


def _context(
    answered: QueriedModels,
    method: Method,
    terms: Terms,
    controlled: tuple[tuple[str, ...], tuple[str, ...]],
    *,
    looks: int,
    start: float,
) -> summary.Context:
    """What is known of an audit beside what models answered; `controlled` are findings and notes on the code."""
    made, trained = answered.plan, answered.trained
    return summary.Context(
        kind=made.kind,
        audited=made.records.audited,
        shadows=made.shadows,
        models=len(made.jobs) + (made.target is not None),
        slices=made.records.slices,
        device=trained[0].device if trained else "cpu",
        findings=(*made.records.findings, *controlled[0]),
        notes=(*made.records.notes, *_training_notes(answered, method, terms.settings), *controlled[1]),
        replay=terms.replay,
        training_seconds=time.perf_counter() - start,
        looks=looks * terms.attackers,
        drawn=terms.settings.coins and made.target is None,
        shift=made.records.shift,
        classes=made.records.classes,
        copied=made.records.copied,
        columns=subgroups.frame_of(made.records.data.X, made.records.audited),
    )


def _cache_use(trained: Sequence[Trained]) -> CacheUse:
    hits = sum(one.cached for one in trained)
    return CacheUse(hits, len(trained) - hits)


def _training_notes(answered: QueriedModels, method: Method, settings: Settings) -> tuple[str, ...]:
    """How models were trained and asked, each of it said once."""
    models = answered.models
    first = [one.description for one in answered.trained[:1] if one.description]
    asked = dict.fromkeys(note for one in models for note in query.told(one, method, settings.queries))
    alone = dict.fromkeys(one.alone for one in models if one.alone)
    why = next((one.moved for one in models if one.moved), "")
    moved = [f"models that the GPU has no room for are on the CPU: {why}"] if why else []
    return (*first, *asked, *alone, *moved)
