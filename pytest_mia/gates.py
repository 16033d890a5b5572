"""The gates: a result and a limit in, a judged result out, and the verdict raised where it is not a pass."""

from __future__ import annotations

import dataclasses
import functools
import unittest
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pytest_mia.core.errors import (
    InconclusiveAuditError,
    InconclusiveAuditWarning,
    InvalidAuditError,
    MembershipLeakError,
)
from pytest_mia.results.audit_data import AuditResult, RemedyResult
from pytest_mia.statistics import error_budget
from pytest_mia.verdicts import judgement, message, next_steps
from pytest_mia.verdicts.gate_arguments import check
from pytest_mia.verdicts.judgement import SEVERITY


def membership_advantage(
    result: AuditResult, threshold: float, *, by: Any = None, confidence: float | None = None
) -> AuditResult:
    """Judge TPR - FPR, overall and in every part; see `AuditResult.assert_membership_advantage_below`."""
    __tracebackhide__ = True
    check(threshold=threshold, confidence=confidence)
    return _judged(result, functools.partial(judgement.advantage, threshold=threshold, by=by), confidence)


def tpr(
    result: AuditResult, threshold: float, *, at_fpr: float = 0.001, confidence: float | None = None
) -> AuditResult:
    """Judge the TPR at a fixed FPR; see `AuditResult.assert_tpr_below`."""
    check(threshold=threshold, at_fpr=at_fpr, confidence=confidence)
    return _judged(result, functools.partial(judgement.tpr, threshold=threshold, at_fpr=at_fpr), confidence)


def epsilon(
    result: AuditResult, claimed: float, *, delta: float = 1e-5, mechanism: str = "any", confidence: float | None = None
) -> AuditResult:
    """Compare a claimed epsilon with the measured lower bound; see `AuditResult.assert_epsilon_below`."""
    check(epsilon=claimed, delta=delta, mechanism=mechanism, confidence=confidence)
    judge = functools.partial(judgement.epsilon, claimed=claimed, delta=delta, gaussian=mechanism == "gaussian")
    return _judged(result, judge, confidence)


def regression(result: AuditResult, *, tolerance: float = 0.02) -> AuditResult:
    """Compare the advantage with that of a baseline; see `AuditResult.assert_no_advantage_regression`."""
    check(tolerance=tolerance)
    # The strongest attacker is judged, with no word on the others, or on remedies: they weren't in the baseline.
    alone = dataclasses.replace(result, attackers=(), what_if=())
    return _worded(judgement.change(alone, tolerance=tolerance))


def enforce(judged: AuditResult) -> AuditResult:
    """Return a passed result; raise, warn or skip for any other verdict.

    The exception carries the judged result as ``result``.
    """
    __tracebackhide__ = True
    error: Exception
    match judged.verdict:
        case "pass":
            return judged
        case "leak":
            error = MembershipLeakError(judged.message)
        case "invalid":
            error = InvalidAuditError(judged.message)
        case _ if judged.inconclusive == "warn":
            warnings.warn(judged.message, InconclusiveAuditWarning, stacklevel=3)
            return judged
        case _ if judged.inconclusive == "skip":
            error = unittest.SkipTest(judged.message)
        case _:
            error = InconclusiveAuditError(judged.message)
    error.result = judged  # type: ignore[union-attr]
    raise error


Judge = Callable[..., AuditResult]


def _judged(result: AuditResult, judge: Judge, confidence: float | None) -> AuditResult:
    """Judge a result, the strongest of its attackers where there are several, and every remedy that was measured."""
    __tracebackhide__ = True
    if result.attackers:
        judged = _worst(result, [_worded(judge(each, confidence=confidence)) for each in result.attackers])
    else:
        judged = judge(result, confidence=confidence)
    judged = dataclasses.replace(judged, what_if=_remedies(result.what_if, judge, confidence))
    return _worded(judged)


def _worded(judged: AuditResult) -> AuditResult:
    """The judged result with what to try next, and its message."""
    judged = dataclasses.replace(
        judged, next_steps=() if judged.verdict == "pass" else tuple(next_steps.next_steps(judged))
    )
    return dataclasses.replace(judged, message=message.message(judged))


def _remedies(what_if: Sequence[RemedyResult], judge: Judge, confidence: float | None) -> tuple[RemedyResult, ...]:
    """Judge remedies, from the one that changes most; of those on answers none passes behind one that doesn't.

    Those that train share the error with each other and with that sequence, as they do at the audit's own confidence.
    """
    trainings = sum(each.trains for each in what_if)
    share = None if confidence is None else error_budget.shared_confidence(confidence, 1 + trainings)
    found: list[RemedyResult] = []
    before = ""
    for each in reversed(what_if):
        audit = _judged(each.audit, judge, share)
        if not each.trains and before and audit.verdict == "pass":
            audit = dataclasses.replace(
                audit, verdict="inconclusive", reasons=(f"{before}, which takes more away, doesn't pass",)
            )
        if not each.trains and audit.verdict != "pass":
            before = before or each.remedy
        found.append(dataclasses.replace(each, audit=audit))
    return tuple(reversed(found))


def _worst(result: AuditResult, judged: Sequence[AuditResult]) -> AuditResult:
    """The verdict on the strongest attacker: a leak when any finds one, a pass only when nobody is above the limit.

    Lower bounds are corrected for the number of attackers (`AuditResult.looks`). Upper bounds need no correction: a
    model that leaks to anyone passes only if the bound against that very attacker fails.
    """
    worst = min(judged, key=lambda each: (SEVERITY.index(str(each.verdict)), -_ends(each)[0], -_ends(each)[1]))
    kept = {name: getattr(result, name) for name in ("seconds", "cache", "test", "replay", "change")}
    return dataclasses.replace(worst, attackers=tuple(judged), **kept)


def _ends(judged: AuditResult) -> tuple[float, float]:
    shown = judged.judged or judged.advantage
    return shown.low, shown.high
