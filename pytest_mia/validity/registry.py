"""Every validity check, one a line, in the order in which findings and notes are shown."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mia.validity import (
    coarse_answers,
    constant_answers,
    identical_models,
    ignores_data,
    label_encoding,
    membership_design,
    pretrained_factory,
    release_mismatch,
    sees_other_records,
)
from pytest_mia.validity.protocol import CheckResult, ObservationCheck, ObservedAudit
from pytest_mia.validity.user_code import CodeCheck, UserCode

OBSERVATION_CHECKS: tuple[ObservationCheck, ...] = (
    membership_design.check,
    release_mismatch.check,
    identical_models.check,
    label_encoding.check,
    coarse_answers.check,
    constant_answers.check,
)
"""Checks of what models answered."""

CODE_CHECKS: tuple[CodeCheck, ...] = (
    pretrained_factory.check,
    ignores_data.check,
    sees_other_records.check,
)
"""Checks of the user's own code, by the first model that was trained."""


def check_observations(audit: ObservedAudit) -> CheckResult:
    """What all checks say of what models answered."""
    return join_results([check(audit) for check in OBSERVATION_CHECKS])


def check_code(code: UserCode) -> CheckResult:
    """What all checks say of the user's own code."""
    return join_results([check(code) for check in CODE_CHECKS])


def join_results(results: Sequence[CheckResult]) -> CheckResult:
    """What several checks say, in their order."""
    findings = tuple(text for each in results for text in each.findings)
    return CheckResult(findings, tuple(text for each in results for text in each.notes))
