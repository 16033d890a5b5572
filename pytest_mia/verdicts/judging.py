"""An audit judged by a gate, its verdict raised, and the functions and methods that do so with a gate's arguments.

The strongest of several attackers is judged, and every remedy. It is loaded with pytest, so what computes is imported
when a gate judges.
"""

from __future__ import annotations

import dataclasses
import inspect
import unittest
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from pytest_mia.core.errors import (
    InconclusiveAuditError,
    InconclusiveAuditWarning,
    InvalidAuditError,
    MembershipLeakError,
    MIAUsageError,
)
from pytest_mia.results.audit_data import Audit, AuditData, RemedyResult
from pytest_mia.verdicts.gates import Gate

P = ParamSpec("P")
G = TypeVar("G", bound=Gate)
F = TypeVar("F", bound=Callable[..., Any])

SHARED = ("attackers", "seconds", "cache", "test", "replay", "change", "observer")
"""Fields that an audit of several attackers fills in for all of them."""


def judging(gate: Callable[P, Gate], name: str) -> Callable[Concatenate[Audit, P], Audit]:
    """A function of this name that judges an audit: ``judge(result, ...)``, with the gate's own arguments."""

    def judge_result(result: Audit, *args: P.args, **keywords: P.kwargs) -> Audit:
        __tracebackhide__ = True
        return judge(construct(gate, *args, **keywords), result)

    return describe(judge_result, gate, name, first="result")  # type: ignore[return-value]


def construct(gate: Callable[P, G], *args: P.args, **keywords: P.kwargs) -> G:
    """A gate with these arguments; where they are out of range, without our own frames in the traceback."""
    __tracebackhide__ = True
    try:
        return gate(*args, **keywords)
    except MIAUsageError as error:
        raise error.with_traceback(None) from None


def describe(function: F, gate: Callable[..., Gate], name: str, *, first: str | None = None) -> F:
    """The function with a name, and with the gate's signature and docstring."""
    leading = [] if first is None else [inspect.Parameter(first, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    described: Any = function
    described.__name__ = described.__qualname__ = name
    described.__doc__ = gate.__doc__
    described.__signature__ = inspect.Signature([*leading, *_parameters(gate)])
    return function


def shown_call(gate: type[Gate]) -> str:
    """A call of the gate's fixture, as a user would write it."""
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in _parameters(gate)]
    return f"{gate.fixture}{inspect.Signature(bare)}"


def _parameters(gate: Callable[..., Gate]) -> Sequence[inspect.Parameter]:
    return [*inspect.signature(gate).parameters.values()]


def judge(gate: Gate, audit: Audit) -> Audit:
    """Judge an audit, the strongest of its attackers where there are several, and every remedy that was measured."""
    __tracebackhide__ = True
    audit = gate.select(audit)
    judged = _judge(gate, audit)
    trainings = sum(each.trains for each in audit.what_if)
    remedies = _judge_remedies(gate.sharing_error(1 + trainings), audit.what_if)
    return _worded(dataclasses.replace(judged, what_if=remedies))


def _judge(gate: Gate, audit: Audit) -> Audit:
    """The audit without remedies and words."""
    __tracebackhide__ = True
    if not audit.attackers:
        return gate.compare(audit)
    return _worst(audit, [_worded(gate.compare(each)) for each in audit.attackers])


def _worded(judged: Audit) -> Audit:
    """The judged audit with next steps, where it doesn't pass, and its message."""
    # They compute, so they are not loaded with pytest.
    from pytest_mia.verdicts import message, next_steps

    steps = () if judged.verdict == "pass" else tuple(next_steps.next_steps(judged))
    judged = dataclasses.replace(judged, next_steps=steps)
    return dataclasses.replace(judged, message=message.write(judged))


def _judge_remedies(gate: Gate, what_if: Sequence[RemedyResult]) -> tuple[RemedyResult, ...]:
    """Judge remedies, from the one that changes answers most to the one that changes them least.

    A remedy on answers passes only where all that change more pass: a fixed sequence of tests, which needs no
    correction. Remedies that train share the error with each other and with that sequence.
    """
    judged: list[RemedyResult] = []
    failed = ""
    for remedy in reversed(what_if):
        audit = _worded(_judge(gate, remedy.audit))
        if not remedy.trains:
            audit = _behind(failed, audit)
            failed = failed or (remedy.remedy if audit.verdict != "pass" else "")
        judged.append(dataclasses.replace(remedy, audit=audit))
    return tuple(reversed(judged))


def _behind(failed: str, audit: AuditData) -> AuditData:
    """The audit of a remedy, which can't pass where one that changes answers more has failed."""
    if not failed or audit.verdict != "pass":
        return audit
    reason = f"{failed} changes the answers more and does not pass"
    return dataclasses.replace(audit, verdict="inconclusive", reasons=(reason,))


def _worst(result: Audit, judged: Sequence[AuditData]) -> Audit:
    """The verdict on the strongest attacker: a leak when any finds one, a pass only when nobody is above the limit.

    Lower bounds are corrected for the number of attackers (`AuditResult.looks`). Upper bounds need no correction: a
    model that leaks to anyone passes only if the bound against that very attacker fails.
    """
    from pytest_mia.verdicts.judgement import SEVERITY

    worst = min(judged, key=lambda each: (SEVERITY.index(str(each.verdict)), -_ends(each)[0], -_ends(each)[1]))
    theirs = {row.name: getattr(worst, row.name) for row in dataclasses.fields(worst) if row.name not in SHARED}
    return dataclasses.replace(result, **theirs, attackers=tuple(judged))


def _ends(judged: AuditData) -> tuple[float, float]:
    shown = judged.judged or judged.advantage
    return shown.low, shown.high


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
