"""The plan of an audit, before any training: which model trains on what, which attacks which, and on which records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pytest_mia.auditing import feasibility
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.seeding import seed_for
from pytest_mia.core.settings import Settings
from pytest_mia.core.text import counted
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.memberships import draw_coins, draw_halves
from pytest_mia.data.records import Records, gather
from pytest_mia.training import batching, factories
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method


@dataclass(frozen=True)
class Plan:
    """What an audit will do. Models are rows, records are columns.

    Attributes
    ----------
    records
        All records.
    jobs
        Models to train; their rows come first.
    target
        The released model, which fills all rows after those of `jobs`; ``None`` for a recipe.
    references, known, judged
        As in `pytest_mia.attacks.observations.Observations`.
    shadows
        Shadows that attack each target.
    tried
        The factories, each with fresh models.
    outlook
        What verdict to expect for a model without any leak, where that isn't a pass.
    """

    records: Records
    jobs: tuple[Job, ...]
    target: Any
    references: BoolArray
    known: BoolArray
    judged: BoolArray
    shadows: int
    tried: tuple[FactoryProbe, ...] = ()
    outlook: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Either "recipe" or "release"."""
        return "recipe" if self.target is None else "release"

    @cached_property
    def members(self) -> BoolArray:
        """Memberships (models, records); the released model is the same in each of its rows."""
        members = np.zeros(self.known.shape, dtype=bool)
        for row, job in enumerate(self.jobs):
            members[row] = job.members
        if self.records.members is not None:
            members[len(self.jobs) :, : self.records.audited] = self.records.members
        return members

    @property
    def line(self) -> str:
        """What the audit will do, and what it can't decide, in one line."""
        models, records = counted(len(self.jobs), "model"), counted(self.records.audited, "record")
        return "; ".join([f"{models} to train, {self.kind} of {records}", *self.outlook, *self.records.notes])

    @property
    def targets(self) -> int:
        """How many of the jobs train models that are judged; they come first."""
        return int(self.judged[: len(self.jobs)].any(axis=1).sum())

    @property
    def seen(self) -> IntArray:
        """The records that this attacker sees: those that are audited, and the attacker's own."""
        return np.flatnonzero(_trainable(self.records) | self.records.held)

    @property
    def in_order(self) -> bool:
        """Whether the first models that are trained make an audit by themselves: no targets wait for their shadows."""
        return bool(self.references[: len(self.jobs)].all())

    def design(self, looks: int) -> AuditDesign:
        """The design of an audit by this plan that is judged so often."""
        records = self.records
        return AuditDesign(
            self.kind,
            records.audited,
            self.shadows,
            len(self.jobs) + (self.target is not None),
            looks=looks,
            shift=records.shift,
            slices=records.slices,
            classes=records.classes,
            copied=records.copied,
        )

    def only(self, numbers: Sequence[int]) -> Plan:
        """The plan of an audit that trains only these jobs."""
        if len(numbers) == len(self.jobs):
            return self
        rows = np.array([*numbers, *range(len(self.jobs), len(self.members))], dtype=np.intp)
        jobs, references = tuple(self.jobs[number] for number in numbers), self.references[rows]
        judged = self.judged[rows]
        shadows = int(references.sum() - (references & judged.any(axis=1)).any())
        return replace(
            self,
            jobs=jobs,
            references=references,
            known=self.known[rows],
            judged=judged,
            shadows=shadows,
        )


def plan_attackers(run: AuditRun) -> list[tuple[AuditRequest, Plan]]:
    """Each attacker's request with the plan of its audit.

    Raises
    ------
    MIAUsageError
        What is wrong with any of them, before anything is trained.
    """
    plans, problems = list[tuple[AuditRequest, Plan]](), list[str]()
    for request in _attackers(run):
        try:
            plans.append((request, make_plan(request, run.settings, run.method, threshold=run.threshold)))
        except MIAUsageError as error:
            problems += error.problems
    if problems:
        raise MIAUsageError([*dict.fromkeys(problems)])
    return [(request, _batch(plan, run)) for request, plan in plans] if len(plans) == 1 else plans


def _attackers(run: AuditRun) -> tuple[AuditRequest, ...]:
    """The request of each attacker; without shadows attackers don't differ."""
    everyone = run.request.attackers
    if run.settings.shadows:
        return everyone
    return (replace(run.request, shadow_factory=everyone[0].guess, shadow_dataset=None),)


def _batch(plan: Plan, run: AuditRun) -> Plan:
    """The plan with its jobs in batches where that is faster; on a cluster and with an early stop each is alone."""
    if run.settings.backend == "dask" or run.settings.early_stop or not plan.jobs:
        return plan
    jobs, reasons = batching.batch_jobs(plan.jobs, plan.tried, plan.records.data, run.method)
    records = replace(plan.records, notes=(*plan.records.notes, *reasons))
    return replace(plan, jobs=jobs, records=records)


def make_plan(request: AuditRequest, settings: Settings, method: Method, *, threshold: float | None) -> Plan:
    """Check everything that can be checked without training, and decide who trains on what.

    Raises
    ------
    MIAUsageError
        With every problem that was found.
    ModelTrainingError
        When the factory raises.
    """
    problems, records = settings.contradictions() + feasibility.find_attack_problems(settings), None
    if request.target is None and settings.shadows == 0:
        problems.append("shadows must be at least 3 to audit a recipe, got 0; give mia_target to audit a trained model")
    if request.target is not None and settings.shadows == 0:
        # Nobody would train on further records.
        request = replace(request, dataset=None, shadow_dataset=None)
    tried = factories.try_factories(request, settings)
    try:
        records = gather(request, seed=settings.seed, kind=factories.find_kind(request, tried))
        problems += feasibility.find_size_problems(records, settings, threshold)
    except MIAUsageError as error:
        problems += error.problems
    problems += feasibility.find_augment_problems(request, settings, records)
    problems += factories.find_problems(request, settings, method, None if records is None else records.data, tried)
    if problems or records is None:
        raise MIAUsageError(problems)
    plan = _release(request, records, settings) if request.target is not None else _recipe(request, records, settings)
    _refuse_empty_halves(plan)
    return replace(plan, tried=tried, outlook=feasibility.describe_outlook(records, settings, threshold))


def _recipe(request: AuditRequest, records: Records, settings: Settings) -> Plan:
    """Every model is a target in turn, and the others are its shadows; an attacker who guesses has separate shadows.

    With coins the shadows are separate too: targets that attack each other would reveal each other's coins.
    """
    targets = _jobs(_factories(request.model_factory, settings.shadows + 1), _trainable(records), records, settings)
    if request.guess is None and request.own_records is None and not settings.coins:
        every = np.broadcast_to(_trainable(records), (len(targets), len(records.data.labels)))
        return Plan(records, targets, None, np.ones(len(targets), dtype=bool), every, every, settings.shadows)
    guessed = _jobs(_shadow_factories(request, settings), records.held, records, settings, first=len(targets))
    is_shadow = np.repeat([False, True], [len(targets), len(guessed)])
    known = is_shadow[:, None] & records.held
    judged = ~is_shadow[:, None] & _trainable(records)
    return Plan(records, targets + guessed, None, is_shadow, known, judged, settings.shadows)


def _release(request: AuditRequest, records: Records, settings: Settings) -> Plan:
    """The released model against shadows; without shadows, half of its records teach and the other half judge."""
    audited = _trainable(records)
    if settings.shadows == 0:
        sides, split = records.members.astype(int), seed_for(settings.seed, "split")  # type: ignore[union-attr]
        learnt = draw_halves(sides, models=1, seed=split, groups=records.groups)
        nothing = np.zeros_like(learnt[0])
        known, judged = np.stack([learnt[0], nothing]), np.stack([nothing, ~learnt[0]])
        return Plan(records, (), request.target.model, np.zeros(2, dtype=bool), known, judged, settings.shadows)
    shadows = _jobs(_shadow_factories(request, settings), records.held, records, settings)
    is_shadow = np.arange(len(shadows) + 1) < len(shadows)
    known, judged = is_shadow[:, None] & records.held, ~is_shadow[:, None] & audited
    return Plan(records, shadows, request.target.model, is_shadow, known, judged, settings.shadows)


def _jobs(
    factories: list[Callable[[], Any]], held: BoolArray, records: Records, settings: Settings, first: int = 0
) -> tuple[Job, ...]:
    """One job per factory, numbered from `first`, each on its own half, or by its own coins, of the records held."""
    groups = None if records.groups is None else np.unique(records.groups[held], return_inverse=True)[1]
    strata = np.unique(records.data.labels[held], return_inverse=True)[1]
    models = first + len(factories)
    if settings.coins:
        halves = draw_coins(len(strata), models=models, seed=settings.seed, groups=groups)
    else:
        halves = draw_halves(strata, models=models, seed=settings.seed, groups=groups)
    jobs = []
    for number, factory in enumerate(factories, start=first):
        members = np.zeros(len(held), dtype=bool)
        members[held] = halves[number]
        jobs.append(Job(number, seed_for(settings.seed, "model", number), factory, members))
    return tuple(jobs)


def _factories(factory: Callable[[], Any] | None, models: int) -> list[Callable[[], Any]]:
    return [factory] * models if factory is not None else []


def _shadow_factories(request: AuditRequest, settings: Settings) -> list[Callable[[], Any]]:
    guesses = request.shadow_factories
    return [guesses[number % len(guesses)] for number in range(settings.shadows)]


def _trainable(records: Records) -> BoolArray:
    """The audited records as a mask over all."""
    return np.arange(len(records.data.labels)) < records.audited


def _refuse_empty_halves(plan: Plan) -> None:
    empty = [job.number for job in plan.jobs if not job.members.any()]
    if empty:
        records = plan.records
        units, remedy = counted(records.audited, "record"), "give at least two records of one class"
        if records.groups is not None:
            units, remedy = f"{len(np.unique(records.groups))} groups of records", "give more groups"
        raise MIAUsageError(f"model {empty[0]} would train on nothing: its half of the {units} is empty; {remedy}")
