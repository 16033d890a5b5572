"""What if: remedies measured on the models of an audit, each as the audit of a model that is shipped with it.

Whoever measures several remedies and ships one that passes has chosen it on the answers that it was judged on. So
remedies on answers are judged in an order that is fixed beforehand, from the one that takes most away, and none passes
behind one that doesn't (a fixed sequence of tests: Maurer, Hothorn & Lehmacher 1995). However many are measured, the
chance that any of them passes wrongly is then that of one audit. Remedies that train have no such order: each shares
the error with the others, and with that sequence (Bonferroni).
"""

from __future__ import annotations

import dataclasses

from pytest_mia.attacks import registry
from pytest_mia.auditing import attack_stage, retraining, summary
from pytest_mia.auditing.attack_stage import QueriedModels
from pytest_mia.auditing.plan import Plan
from pytest_mia.cache.store import Store
from pytest_mia.core.settings import Settings
from pytest_mia.models.sklearn import EstimatorAsker
from pytest_mia.models.torch.module import ModuleAsker
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.results.values import Seconds
from pytest_mia.statistics import error_budget
from pytest_mia.training.jobs import Method, Trained
from pytest_mia.verdicts.audit_result import AuditResult

LABELS_ALONE = "what if: the model answers with labels alone, of which no remedy takes anything; training is left"
NO_CLASSES = "what if: remedies on answers are measured for classes alone; training is left"


def sharing(settings: Settings, trainings: int) -> Settings:
    """The settings of one remedy's audit, whose error is its share where so many are measured that train."""
    confidence = error_budget.shared_confidence(settings.confidence, 1 + trainings)
    return dataclasses.replace(settings, confidence=confidence, what_if="off", controls=False)


def measured(
    result: AuditResult,
    answered: QueriedModels,
    method: Method,
    context: summary.Context,
    settings: Settings,
    store: Store | None,
) -> AuditResult:
    """The result with what each remedy of the method would make of it.

    Parameters
    ----------
    result
        The audit without any remedy.
    answered, context, settings, store
        What it was made of; the models were asked with each remedy too.
    method
        How they were asked.
    """
    made, first = answered.plan, answered.models[0]
    places = [place for place in range(len(method.what_if)) if _fits(first.what_if[place], context, settings)]
    note = None
    if not method.what_if:
        note = NO_CLASSES
    elif first.signals.confidence is None:
        places, note = [], LABELS_ALONE
    elif len(places) < len(method.what_if):
        note = f"what if: {len(method.what_if) - len(places)} remedies leave nothing that these attacks look at"
    share = sharing(settings, len(retraining.measured(made, answered.subject, settings)))
    found = []
    for place in places:
        audit = attack_stage.examine(answered.remedied(place), context, share, store)
        remedy = method.what_if[place].remedy
        assert remedy is not None, "what a method tries is a remedy"
        found.append(RemedyResult(remedy.line(_wrapped(made, method)), remedy.idea, audit))
    seconds = result.seconds.attacks + sum(each.audit.seconds.attacks for each in found)
    return dataclasses.replace(
        result,
        what_if=tuple(found),
        seconds=Seconds(result.seconds.training, seconds),
        notes=(*result.notes, *([note] if note else ())),
    )


def _fits(asked: Trained, context: summary.Context, settings: Settings) -> bool:
    return bool(registry.fitting(asked.signals, shadows=context.shadows, names=settings.attacks, features=True))


def _wrapped(made: Plan, method: Method) -> str:
    """What a remedy is wrapped around: the user's own function decides what is shipped, where he gave one."""
    model = made.target if made.target is not None else made.tried[0].models[0]
    match method.adapter(model, made.records.data).asker:
        case EstimatorAsker():
            return "estimator"
        case ModuleAsker():
            return "module"
    return "answers"
