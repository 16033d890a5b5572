"""What if: remedies measured on the models of an audit, each as the audit of a model that is shipped with it.

A user who measures several remedies and ships one that passes has chosen it on the answers that it was judged on. So
remedies on answers are judged in an order that is fixed beforehand, from the one that takes most away, and a remedy can
pass only when all before it have passed (a fixed sequence of tests: Maurer, Hothorn & Lehmacher 1995). However many are
measured, the chance that any of them passes wrongly is then that of one audit. Remedies that train have no such order:
each shares the error with the others, and with that sequence (Bonferroni).
"""

from __future__ import annotations

from dataclasses import replace

from pytest_mia.attacks import registry
from pytest_mia.auditing import attack_stage, retraining
from pytest_mia.auditing.attack_stage import QueriedModels
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.plan import Plan
from pytest_mia.core.settings import Settings
from pytest_mia.core.text import counted
from pytest_mia.models.sklearn import EstimatorAsker
from pytest_mia.models.torch.module import ModuleAsker
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.results.values import Seconds
from pytest_mia.statistics import error_budget
from pytest_mia.training.jobs import Trained
from pytest_mia.verdicts.audit_result import AuditResult

LABELS_ALONE = (
    "what if: the model answers with labels alone, and no remedy makes these coarser; change the training instead"
)
NO_CLASSES = "what if: remedies on answers are measured only for models of classes; change the training instead"


def share_error(settings: Settings, trainings: int) -> Settings:
    """The settings of one remedy's audit, whose error is its share where so many are measured that train."""
    confidence = error_budget.shared_confidence(settings.confidence, 1 + trainings)
    return replace(settings, confidence=confidence, what_if="off", controls=False)


def add_remedies(run: AuditRun, result: AuditResult, models: QueriedModels) -> AuditResult:
    """The result with what each remedy of the method would make of it.

    Parameters
    ----------
    run
        The audit, with the method by which models were queried with each remedy too.
    result
        The audit without any remedy.
    models
        What answered.
    """
    tried, first = run.method.what_if, models.models[0]
    places = [place for place in range(len(tried)) if _fits(run, models, first.what_if[place])]
    note = None
    if not tried:
        note = NO_CLASSES
    elif first.signals.confidence is None:
        places, note = [], LABELS_ALONE
    elif len(places) < len(tried):
        left = f"{len(tried) - len(places)} of {counted(len(tried), 'proposed change')}"
        note = f"what if: {left} of the answers could not be measured: no attack of this audit fits what remains"
    shared = replace(run, settings=share_error(run.settings, _trainings(run, models.plan)))
    wrapped, measured = _wrapped(run, models.plan) if places else "", list[RemedyResult]()
    for place in places:
        remedy = tried[place].remedy
        assert remedy is not None, "what a method tries is a remedy"
        audit = attack_stage.examine(shared, models.apply_remedy(place))
        measured.append(RemedyResult(remedy.line(wrapped), remedy.idea, audit))
    seconds = result.seconds.attacks + sum(each.audit.seconds.attacks for each in measured)
    return replace(
        result,
        what_if=tuple(measured),
        seconds=Seconds(result.seconds.training, seconds),
        notes=(*result.notes, *([note] if note else ())),
    )


def _trainings(run: AuditRun, plan: Plan) -> int:
    """How many remedies are measured that train."""
    return len(retraining.propose_retrainings(plan, run.request)) if run.settings.what_if == "train" else 0


def _fits(run: AuditRun, models: QueriedModels, answered: Trained) -> bool:
    """Whether any attack fits what a model answers with a remedy."""
    names, shadows = run.settings.attacks, models.plan.shadows
    return bool(registry.fitting(answered.signals, shadows=shadows, names=names, features=True))


def _wrapped(run: AuditRun, plan: Plan) -> str:
    """What a remedy is wrapped around; a function of the user's own decides what is shipped, where there is one."""
    model = plan.target if plan.target is not None else plan.tried[0].models[0]
    match run.method.adapter(model, plan.records.data).asker:
        case EstimatorAsker():
            return "estimator"
        case ModuleAsker():
            return "module"
    return "answers"
