"""An audit judged by a gate: the strongest of its attackers, its remedies, and the words for the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol, Self

from pytest_mia.results.audit_data import Audit, AuditData, RemedyResult
from pytest_mia.verdicts import message, next_steps
from pytest_mia.verdicts.judgement import SEVERITY

SHARED = ("attackers", "seconds", "cache", "test", "replay", "change", "observer")
"""Fields that an audit of several attackers fills in for all of them."""


class Comparison(Protocol):
    """As much of a gate as is needed here."""

    def select(self, audit: Audit) -> Audit:
        """The audit with those attackers and remedies that are judged."""
        ...

    def compare(self, audit: Audit) -> Audit:
        """The audit of one attacker with its verdict and the reasons."""
        ...

    def sharing_error(self, parts: int) -> Self:
        """The same gate, whose error is shared among so many audits."""
        ...


def judge(gate: Comparison, audit: Audit) -> Audit:
    """Judge an audit, the strongest of its attackers where there are several, and every remedy that was measured."""
    __tracebackhide__ = True
    audit = gate.select(audit)
    judged = _judge(gate, audit)
    trainings = sum(each.trains for each in audit.what_if)
    remedies = _judge_remedies(gate.sharing_error(1 + trainings), audit.what_if)
    return _worded(dataclasses.replace(judged, what_if=remedies))


def _judge(gate: Comparison, audit: Audit) -> Audit:
    """The audit without remedies and words."""
    __tracebackhide__ = True
    if not audit.attackers:
        return gate.compare(audit)
    return _worst(audit, [_worded(gate.compare(each)) for each in audit.attackers])


def _worded(judged: Audit) -> Audit:
    """The judged audit with next steps, where it doesn't pass, and its message."""
    steps = () if judged.verdict == "pass" else tuple(next_steps.next_steps(judged))
    judged = dataclasses.replace(judged, next_steps=steps)
    return dataclasses.replace(judged, message=message.write(judged))


def _judge_remedies(gate: Comparison, what_if: Sequence[RemedyResult]) -> tuple[RemedyResult, ...]:
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
    worst = min(judged, key=lambda each: (SEVERITY.index(str(each.verdict)), -_ends(each)[0], -_ends(each)[1]))
    theirs = {row.name: getattr(worst, row.name) for row in dataclasses.fields(worst) if row.name not in SHARED}
    return dataclasses.replace(result, **theirs, attackers=tuple(judged))


def _ends(judged: AuditData) -> tuple[float, float]:
    shown = judged.judged or judged.advantage
    return shown.low, shown.high
