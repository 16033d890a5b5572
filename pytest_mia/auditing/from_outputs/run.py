"""An audit of models that were trained elsewhere, from their answers: read, attack, judge."""

from __future__ import annotations

from dataclasses import replace

from pytest_mia.attacks import registry as attacks
from pytest_mia.auditing import attack_stage, feasibility
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.controls import canaries, shuffled_memberships
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.auditing.from_outputs import kinds, read
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.models.queries import registry
from pytest_mia.validity.protocol import CheckResult, ObservedAudit
from pytest_mia.validity.registry import check_observations, join_results
from pytest_mia.verdicts.audit_result import AuditResult


def audit_outputs(run: AuditRun) -> AuditResult:
    """Audit outputs that were made before, as a recipe's: each model is a target, attacked with all the others.

    Parameters
    ----------
    run
        The audit, whose request holds outputs, and nothing that takes models.

    Raises
    ------
    MIAUsageError
        For outputs that don't fit together, and whatever they can't answer, all problems at once.
    InvalidAuditError
        For answers that are no numbers.
    """
    if run.request.target is not None:
        raise MIAUsageError(
            "mia_outputs and mia_target were both given; outputs are audited as a recipe: leave mia_target out"
        )
    problems = [*feasibility.find_attack_problems(run.settings), *_needing_models(run)]
    if problems:
        raise MIAUsageError(problems)
    reading = kinds.interpret_outputs(read.read_outputs(run.request.outputs), seed=run.settings.seed)
    observations = reading.observations
    models, records = observations.members.shape
    design = AuditDesign("recipe", records, models - 1, models, classes=reading.classes)
    result = attack_stage.attack(run, observations, design)
    checked = check_observations(ObservedAudit(observations, drawn_elsewhere=True))
    said = join_results([CheckResult(notes=reading.notes), checked])
    result = replace(attack_stage.complete(run, result, said), device="none")
    if not run.settings.controls:
        return result
    result = shuffled_memberships.add_measured(run, result, observations, design)
    return canaries.add_canaries(result, "an audit of outputs trains no models")


def _needing_models(run: AuditRun) -> list[str]:
    """What can't be asked of outputs that were made before."""
    asking = registry.names_that_measure(attacks.reads(run.settings.attacks or ()))
    problems = [f"{name} asks the models themselves, which outputs can't answer; leave it out" for name in asking]
    if run.request.augment is not None:
        problems.append(
            "mia_augment changes records, and mia_outputs holds no records; give mia_dataset instead of mia_outputs"
        )
    if run.settings.what_if != "off":
        problems.append(
            "what_if queries the models themselves, and mia_outputs holds only their answers; leave what_if out"
        )
    return problems
