"""An audit of models that were trained elsewhere, from their answers: read, attack, judge."""

from __future__ import annotations

import numpy as np

from pytest_mia.attacks import registry as attacks
from pytest_mia.attacks.observations import Observations
from pytest_mia.auditing import attack_stage, plan, summary
from pytest_mia.auditing.controls import canaries, shuffled_memberships
from pytest_mia.auditing.from_outputs import kinds, read
from pytest_mia.cache.store import Store
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.models.queries import registry
from pytest_mia.validity import membership_design
from pytest_mia.verdicts.audit_result import AuditResult


def run(subject: AuditRequest, settings: Settings, *, replay: str = "", store: Store | None = None) -> AuditResult:
    """Audit outputs that were made before, as a recipe's: each model is a target, attacked with all the others.

    Parameters
    ----------
    subject
        The outputs, and nothing that takes models.
    settings
        How they are attacked.
    replay
        The command that repeats this audit, for messages.
    store
        Where results that were found before lie; ``None`` keeps none.

    Raises
    ------
    MIAUsageError
        For outputs that don't fit together, and whatever they can't answer, all problems at once.
    InvalidAuditError
        For answers that are no numbers.
    """
    if subject.target is not None:
        raise MIAUsageError(
            "mia_outputs and mia_target were both given; outputs are audited as a recipe, without a target"
        )
    problems = [*plan.attack_problems(settings), *_needing_models(subject, settings)]
    if problems:
        raise MIAUsageError(problems)
    reading = kinds.read(read.read(subject.outputs), seed=settings.seed)
    observations = reading.observations
    models, records = observations.members.shape
    dependent = _dependent(observations)
    context = summary.Context(
        kind="recipe",
        audited=records,
        shadows=models - 1,
        models=models,
        slices={},
        device="none",
        findings=dependent,
        notes=reading.notes,
        replay=replay,
        training_seconds=0.0,
        looks=1,
        classes=reading.classes,
    )
    result = attack_stage.attack(observations, context, settings, store)
    if not settings.controls:
        return result
    result = shuffled_memberships.added(result, observations, context, settings, store)
    return canaries.added(result, "that takes models to train")


def _dependent(observations: Observations) -> tuple[str, ...]:
    """Findings that memberships depend on each other, of which one record for each group tells all."""
    members, groups = observations.members, observations.groups
    units = members if groups is None else members[:, np.unique(groups, return_index=True)[1]]
    return tuple(each for each in (membership_design.balanced(units), membership_design.repeated(units)) if each)


def _needing_models(subject: AuditRequest, settings: Settings) -> list[str]:
    """What can't be asked of outputs that were made before."""
    asking = registry.names_that_measure(attacks.reads(settings.attacks or ()))
    found = [f"{name} asks the models themselves, which outputs can't answer; leave it out" for name in asking]
    if subject.augment is not None:
        found.append("mia_augment changes records, of which mia_outputs holds none; give mia_dataset in its place")
    if settings.what_if != "off":
        found.append(
            "what_if asks the models themselves, about noisy copies where a remedy makes answers coarse, which outputs "
            "can't answer; leave it out"
        )
    return found
