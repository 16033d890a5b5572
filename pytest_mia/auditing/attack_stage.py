"""From the models' answers to a result: run the attacks that fit, keep what they find, and check its validity."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_mia.attacks import registry
from pytest_mia.attacks.kernel_support import with_opinions
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack
from pytest_mia.auditing import result_cache, summary
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.auditing.plan import Plan
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import single_threaded
from pytest_mia.core.settings import Settings
from pytest_mia.core.types import FloatArray
from pytest_mia.data import numeric
from pytest_mia.models.signals import stack
from pytest_mia.results.audit_data import NO_CACHE
from pytest_mia.results.values import CacheUse, Seconds
from pytest_mia.training.jobs import Trained
from pytest_mia.validity import registry as validity
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit, Release
from pytest_mia.verdicts import subgroups
from pytest_mia.verdicts.audit_result import AuditResult


@dataclass(frozen=True)
class QueriedModels:
    """The models of one attacker that have answered so far.

    Attributes
    ----------
    plan
        What is trained and attacked, of these models alone.
    trained
        The models that were trained, in the order of the plan's jobs.
    released
        The released model; ``None`` for a recipe.
    looks
        How often the audit may say leak, at each look of an early stop and for each attacker.
    said
        What is known of the records, of the training and of the user's code.
    seconds
        What training and querying them took.
    cache
        How many of them came from the cache.
    """

    plan: Plan
    trained: Sequence[Trained]
    released: Trained | None
    looks: int = 1
    said: CheckResult = NOTHING
    seconds: float = 0.0
    cache: CacheUse = NO_CACHE

    @property
    def models(self) -> tuple[Trained, ...]:
        """All of them, the released one first."""
        return (*self.trained,) if self.released is None else (self.released, *self.trained)

    @property
    def device(self) -> str:
        """Where they were trained."""
        return self.trained[0].device if self.trained else "cpu"

    def apply_remedy(self, place: int) -> QueriedModels:
        """The same models, as they answer with one of the remedies that they were queried with."""
        released = None if self.released is None else self.released.what_if[place]
        return replace(self, trained=[one.what_if[place] for one in self.trained], released=released)


def examine(run: AuditRun, models: QueriedModels) -> AuditResult:
    """Attack the models that have answered so far, and check whether the audit is valid."""
    observations, records = observe(run, models), models.plan.records
    result = attack(run, observations, models.plan.design(models.looks))
    checked = validity.check_observations(ObservedAudit(observations, _release(run, models.plan)))
    if run.store is not None and models.cache.misses:
        run.store.prune()
    return replace(
        complete(run, result, validity.join_results([models.said, checked])),
        device=models.device,
        seconds=Seconds(models.seconds, result.seconds.attacks),
        cache=models.cache,
        columns=subgroups.frame_of(records.data.X, records.audited),
    )


def complete(run: AuditRun, result: AuditResult, said: CheckResult) -> AuditResult:
    """The result with its findings, its notes and its replay command."""
    remarks = () if run.store is None else run.store.remarks
    return replace(
        result,
        findings=said.findings,
        notes=(*said.notes, *result.notes, *remarks),
        replay=run.replay,
        inconclusive=run.settings.inconclusive,
    )


def observe(run: AuditRun, models: QueriedModels) -> Observations:
    """What attacks see of the models so far; the released model's answers fill the rows after the trained models'."""
    plan, released = models.plan, models.released
    signals = [one.signals for one in models.trained]
    if released is not None:
        signals += [released.signals] * (len(plan.members) - len(signals))
    records, seen = plan.records, plan.seen
    return Observations(
        stack(signals, losses=run.request.loss is not None).of(np.arange(len(plan.members)), seen),
        plan.members[:, seen],
        records.data.labels[seen],
        plan.references,
        plan.known[:, seen],
        plan.judged[:, seen],
        run.settings.seed,
        None if records.groups is None else records.groups[seen],
        _features(plan, run.settings),
        drawn=run.settings.coins and plan.target is None,
    )


def attack(run: AuditRun, observations: Observations, design: AuditDesign) -> AuditResult:
    """Run the attacks that fit, or load what they found on the same observations before.

    Returns
    -------
    AuditResult
        What they found, and nothing of how the models came about.

    Raises
    ------
    MIAUsageError
        When none of the attacks that were asked for fits.
    """
    start, settings = time.perf_counter(), run.settings
    signals, features = observations.signals, observations.features is not None
    fitting = registry.fitting(signals, shadows=design.shadows, names=settings.attacks, features=features)
    if not fitting:
        raise MIAUsageError(_describe_misfit(observations, settings, design.shadows))
    slot = result_cache.find_slot(run.store, [each.name for each in fitting], observations, design, settings)
    result = None if slot is None else slot.load()
    if slot is None:
        result = _run_attacks(fitting, observations, design, settings)
    elif result is None:
        with slot.claim():
            result = slot.load()
            if result is None:
                result = _run_attacks(fitting, observations, design, settings)
                slot.save(result)
    assert result is not None, "what is not loaded is computed"
    seconds = Seconds(0.0, time.perf_counter() - start)
    return replace(result, notes=_describe_left_out(fitting, settings), seconds=seconds)


def _run_attacks(
    fitting: Sequence[Attack], observations: Observations, design: AuditDesign, settings: Settings
) -> AuditResult:
    import sklearn.ensemble  # noqa: F401  (loads the threads that are limited here)

    with single_threaded():
        if registry.read_opinions([one.name for one in fitting]):
            # Computed once for all targets.
            observations = with_opinions(observations)
        return summary.summarise(fitting, observations, design, settings)


def _release(run: AuditRun, plan: Plan) -> Release | None:
    if plan.target is None:
        return None
    fresh = plan.tried[0].models[0] if plan.tried and plan.tried[0].models else None
    return Release(plan.target, fresh, run.request.may_differ, run.request.own_records is not None)


def _features(plan: Plan, settings: Settings) -> FloatArray | None:
    """The records as numbers, where an attack that was asked for looks at them."""
    wanted = settings.attacks is not None and registry.read_features(settings.attacks)
    features = numeric.to_matrix(plan.records.data.X, plan.records.data.y) if wanted else None
    return None if features is None else features[plan.seen]


def _describe_misfit(observations: Observations, settings: Settings, shadows: int) -> str:
    possible = ", ".join(each.name for each in registry.fitting(observations.signals, shadows=shadows)) or "none"
    asked = ", ".join(settings.attacks or ())
    return f"none of the attacks {asked} fits what these models answer; the attacks that fit: {possible}"


def _describe_left_out(fitting: Sequence[Attack], settings: Settings) -> tuple[str, ...]:
    """The note on attacks that were asked for, and can't be run on what there is."""
    run = {registry.DEFAULT, *(attack.name for attack in fitting)}
    missing = [name for name in settings.attacks or () if name not in run]
    why = "attacks that were not run, because the answers, the records or the number of shadows don't allow them"
    return (f"{why}: {', '.join(missing)}",) if missing else ()
