"""The gates: a result and a limit in, a judged result out, and the verdict raised where it is not a pass."""

from __future__ import annotations

import dataclasses
import functools
import unittest
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from pytest_mia.core.errors import (
    InconclusiveAuditError,
    InconclusiveAuditWarning,
    InvalidAuditError,
    MembershipLeakError,
)
from pytest_mia.results.audit_data import Audit, AuditData, RemedyResult
from pytest_mia.statistics import error_budget
from pytest_mia.verdicts import judgement, message, next_steps
from pytest_mia.verdicts.gate_arguments import check
from pytest_mia.verdicts.judgement import SEVERITY


def membership_advantage(result: Audit, threshold: float, *, by: Any = None, confidence: float | None = None) -> Audit:
    """Judge TPR - FPR, overall and in every part; see `AuditResult.assert_membership_advantage_below`."""
    __tracebackhide__ = True
    check(threshold=threshold, confidence=confidence)
    return _judged(result, functools.partial(judgement.advantage, threshold=threshold, by=by), confidence)


def tpr(result: Audit, threshold: float, *, at_fpr: float = 0.001, confidence: float | None = None) -> Audit:
    """Judge the TPR at a fixed FPR; see `AuditResult.assert_tpr_below`."""
    check(threshold=threshold, at_fpr=at_fpr, confidence=confidence)
    return _judged(result, functools.partial(judgement.tpr, threshold=threshold, at_fpr=at_fpr), confidence)


def epsilon(
    result: Audit, claimed: float, *, delta: float = 1e-5, mechanism: str = "any", confidence: float | None = None
) -> Audit:
    """Compare a claimed epsilon with the measured lower bound; see `AuditResult.assert_epsilon_below`."""
    check(epsilon=claimed, delta=delta, mechanism=mechanism, confidence=confidence)
    judge = functools.partial(judgement.epsilon, claimed=claimed, delta=delta, gaussian=mechanism == "gaussian")
    return _judged(result, judge, confidence)


def regression(result: Audit, *, tolerance: float = 0.02) -> Audit:
    """Compare the advantage with that of a baseline; see `AuditResult.assert_no_advantage_regression`."""
    check(tolerance=tolerance)
    # The strongest attacker is judged, with no word on the others, or on remedies: they weren't in the baseline.
    alone = dataclasses.replace(result, attackers=(), what_if=())
    return _worded(judgement.change(alone, tolerance=tolerance))


def enforce(judged: Audit) -> Audit:
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


SHARED = ("attackers", "seconds", "cache", "test", "replay", "change")
"""What an audit of several attackers says of all of them."""


class Judge(Protocol):
    """Judges an audit by one limit."""

    def __call__(self, result: Audit, /, *, confidence: float | None) -> Audit:
        """The judged audit."""
        ...


def _judged(result: Audit, judge: Judge, confidence: float | None) -> Audit:
    """Judge a result, the strongest of its attackers where there are several, and every remedy that was measured."""
    __tracebackhide__ = True
    if result.attackers:
        judged = _worst(result, [_worded(judge(each, confidence=confidence)) for each in result.attackers])
    else:
        judged = judge(result, confidence=confidence)
    judged = dataclasses.replace(judged, what_if=_remedies(result.what_if, judge, confidence))
    return _worded(judged)


def _worded(judged: Audit) -> Audit:
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


def _worst(result: Audit, judged: Sequence[AuditData]) -> Audit:
    """The verdict on the strongest attacker: a leak when any finds one, a pass only when nobody is above the limit.

    Lower bounds are corrected for the number of attackers (`AuditResult.looks`). Upper bounds need no correction: a
    model that leaks to anyone passes only if the bound against that very attacker fails.
    """
    worst = min(judged, key=lambda each: (SEVERITY.index(str(each.verdict)), -_ends(each)[0], -_ends(each)[1]))
    theirs = {row.name: getattr(worst, row.name) for row in dataclasses.fields(worst) if row.name not in SHARED}
    return dataclasses.replace(result, **theirs, attackers=tuple(judged))


def _ends(judged: AuditData) -> tuple[float, float]:
    shown = judged.judged or judged.advantage
    return shown.low, shown.high
