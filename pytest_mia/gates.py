"""The gates: a result and a limit in, a judged result out, and the verdict raised where it is not a pass."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import unittest
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pytest_mia import bounds, diagnostics, verdict
from pytest_mia.curves import FALSE_POSITIVE_RATES
from pytest_mia.errors import (
    InconclusiveAuditError,
    InconclusiveAuditWarning,
    InvalidAuditError,
    MembershipLeakError,
    MIAUsageError,
    shown,
)
from pytest_mia.results import AuditResult, Interval, RemedyResult, Selected
from pytest_mia.statistics import epsilon_lower_bound, measurable, rate_bounds

DEFAULT_LIMIT = 0.05
"""Advantage by which a shift between members and non-members is weighed where the limit is no advantage."""

SEVERITY = ("leak", "invalid", "inconclusive", "pass")

RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "threshold": ("a number above 0 and at most 1", lambda value: 0 < value <= 1),
    "at_fpr": (f"one of {', '.join(f'{rate:g}' for rate in FALSE_POSITIVE_RATES)}", FALSE_POSITIVE_RATES.__contains__),
    "epsilon": ("a finite number above 0", lambda value: 0 < value < math.inf),
    "tolerance": ("a number from 0 to 1, 1 excluded", lambda value: 0 <= value < 1),
    "delta": ("a number from 0 to 1, 1 excluded", lambda value: 0 <= value < 1),
    "confidence": ("a number from 0.5 to 1, both excluded", lambda value: 0.5 < value < 1),
}
"""What the arguments of gates must be."""


def membership_advantage(
    result: AuditResult, threshold: float, *, by: str | None = None, confidence: float | None = None
) -> AuditResult:
    """Judge TPR - FPR, overall and in every part of one slice; see `AuditResult.assert_membership_advantage_below`."""
    check(threshold=threshold, confidence=confidence)
    _check_slice(result, by)
    return _judged(result, functools.partial(_advantage, threshold=threshold, by=by), confidence)


def _advantage(result: AuditResult, *, threshold: float, by: str | None, confidence: float | None) -> AuditResult:
    if by is not None or confidence is not None:
        result = _shared(result, confidence or result.advantage.confidence, by)
    result = _weighed(result, threshold)
    others = [(attack.name, attack.advantage) for attack in result.attacks]
    parts = [(f"{part.by}={part.value}", part.advantage) for part in result.slices if part.by == by]
    return _judge(result, "membership_advantage", threshold, result.advantage, others, parts)


def tpr(
    result: AuditResult, threshold: float, *, at_fpr: float = 0.001, confidence: float | None = None
) -> AuditResult:
    """Judge the TPR at a fixed FPR; see `AuditResult.assert_tpr_below`."""
    check(threshold=threshold, at_fpr=at_fpr, confidence=confidence)
    return _judged(result, functools.partial(_tpr, threshold=threshold, at_fpr=at_fpr), confidence)


def _tpr(result: AuditResult, *, threshold: float, at_fpr: float, confidence: float | None) -> AuditResult:
    rate, confidence = f"{at_fpr:g}", confidence or result.advantage.confidence
    tail, levels = result.tails[rate], bounds.levels(confidence, attacks=len(result.attacks), looks=result.looks)
    interval = _rate_interval(tail, levels.selected_low, levels)
    others = [
        (attack.name, _rate_interval(Selected(attack.name, attack.tail_counts[rate]), levels.other_low, levels))
        for attack in result.attacks
    ]
    result = _weighed(dataclasses.replace(result, attack=tail.attack), DEFAULT_LIMIT)
    nonmembers = sum(tail.counts.nonmembers)
    if not result.findings and not measurable(at_fpr, nonmembers):
        reason = f"an FPR of {rate} needs {math.ceil(10 / at_fpr):,} non-members, there are {nonmembers:,}"
        return _closed(result, f"tpr_at_fpr_{rate}", threshold, interval, "inconclusive", [reason])
    return _judge(result, f"tpr_at_fpr_{rate}", threshold, interval, others, [])


def epsilon(
    result: AuditResult, claimed: float, *, delta: float = 1e-5, confidence: float | None = None
) -> AuditResult:
    """Compare a claimed epsilon with the measured lower bound; see `AuditResult.assert_epsilon_below`."""
    check(epsilon=claimed, delta=delta, confidence=confidence)
    return _judged(result, functools.partial(_epsilon, claimed=claimed, delta=delta), confidence)


def _epsilon(result: AuditResult, *, claimed: float, delta: float, confidence: float | None) -> AuditResult:
    confidence, result = confidence or result.advantage.confidence, _weighed(result, DEFAULT_LIMIT)
    guesses = [result.selected, *(tail.counts for tail in result.tails.values())]
    alpha = (1 - confidence) / (len(guesses) * result.looks)
    low = max(epsilon_lower_bound(counts, delta=delta, alpha=alpha) for counts in guesses)
    interval = Interval(low, low, math.inf, confidence)
    outcome = "invalid" if result.findings else "leak" if low > claimed else "pass"
    reasons = {"leak": [f"a training with epsilon {claimed:g} (delta {delta:g}) can't leak that much"], "pass": []}
    return _closed(result, "epsilon", claimed, interval, outcome, reasons.get(outcome, []))


def regression(result: AuditResult, *, tolerance: float = 0.02) -> AuditResult:
    """Compare the advantage with that of a baseline; see `AuditResult.assert_no_advantage_regression`."""
    check(tolerance=tolerance)
    # The strongest attacker is judged, with no word on the others, or on remedies: they weren't in the baseline.
    change, result = result.change, _weighed(dataclasses.replace(result, attackers=(), what_if=()), DEFAULT_LIMIT)
    if change is None or change.difference is None:
        raise MIAUsageError(
            "there is no baseline to compare with; run the test with --mia-save, then without"
            if change is None
            else change.remark
        )
    outcome = "invalid" if result.findings else "leak" if change.difference.low > tolerance else "pass"
    reasons = [f"the advantage was {change.before} in the baseline {change.baseline}, and is {result.advantage}"]
    reasons += [f"the two audits differ: {change.remark}"] if change.remark else []
    if outcome == "pass" and change.difference.high > tolerance:
        reasons.append(f"a change of up to {change.difference.high:+.3f} can't be ruled out with so few records")
    return _worded(_closed(result, verdict.CHANGE, tolerance, change.difference, outcome, reasons))


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


def check(**arguments: Any) -> None:
    """Refuse arguments of a gate that are out of range. This needs no result, so it can be done before training.

    Parameters
    ----------
    **arguments
        Any of ``threshold``, ``at_fpr``, ``epsilon``, ``delta``, ``tolerance``, ``confidence`` (``None``: the audit's
        own).

    Raises
    ------
    MIAUsageError
        With all that are out of range.
    """
    __tracebackhide__ = True
    given = {name: value for name, value in arguments.items() if name != "confidence" or value is not None}
    problems = [
        f"{name} must be {RANGES[name][0]}, got {shown(value)}"
        for name, value in given.items()
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not RANGES[name][1](_float(value))
    ]
    if problems:
        raise MIAUsageError(problems)


def _float(value: numbers.Real) -> float:
    """A number as a float; infinite where it is too large for one, which no range allows."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


Judge = Callable[..., AuditResult]


def _judged(result: AuditResult, judge: Judge, confidence: float | None) -> AuditResult:
    """Judge a result, the strongest of its attackers where there are several, and every remedy that was measured."""
    if result.attackers:
        judged = _worst(result, [_worded(judge(each, confidence=confidence)) for each in result.attackers])
    else:
        judged = judge(result, confidence=confidence)
    judged = dataclasses.replace(judged, what_if=_remedies(result.what_if, judge, confidence))
    return _worded(judged)


def _worded(judged: AuditResult) -> AuditResult:
    """The judged result with what to try next, and its message."""
    judged = dataclasses.replace(
        judged, next_steps=() if judged.verdict == "pass" else tuple(verdict.next_steps(judged))
    )
    return dataclasses.replace(judged, message=verdict.message(judged))


def _remedies(what_if: Sequence[RemedyResult], judge: Judge, confidence: float | None) -> tuple[RemedyResult, ...]:
    """Judge remedies, from the one that changes most; of those on answers none passes behind one that doesn't.

    Those that train share the error with each other and with that sequence, as they do at the audit's own confidence.
    """
    trainings = sum(each.trains for each in what_if)
    share = None if confidence is None else bounds.shared_confidence(confidence, 1 + trainings)
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


def _weighed(result: AuditResult, limit: float) -> AuditResult:
    """The result with the finding that its sides differ too much by themselves for this limit, if they do."""
    finding = diagnostics.shift_finding(result.shift, limit)
    return dataclasses.replace(result, findings=(*result.findings, finding)) if finding else result


def _check_slice(result: AuditResult, by: str | None) -> None:
    __tracebackhide__ = True
    known = sorted({part.by for part in result.slices})
    if by is not None and by not in known:
        raise MIAUsageError(f"by must name a slice of the dataset ({', '.join(known) or 'it has none'}), got {by!r}")


def _shared(result: AuditResult, confidence: float, by: str | None) -> AuditResult:
    """The result with its bounds at this confidence, whose error all attacks and all parts of the slice share."""
    parts = sum(part.by == by for part in result.slices)
    levels = bounds.levels(confidence, attacks=len(result.attacks) + parts, looks=result.looks)
    return dataclasses.replace(
        result,
        advantage=bounds.selected_interval(result.selected, levels),
        attacks=tuple(
            dataclasses.replace(attack, advantage=bounds.other_interval(attack.counts, levels))
            for attack in result.attacks
        ),
        slices=tuple(
            dataclasses.replace(part, advantage=bounds.other_interval(part.counts, levels)) if part.by == by else part
            for part in result.slices
        ),
    )


def _rate_interval(tail: Selected, alpha_low: float, levels: bounds.Levels) -> Interval:
    flagged, members = tail.counts.flagged_members, tail.counts.members
    estimate, low, _ = rate_bounds(flagged, members, alpha=alpha_low, share=tail.counts.share)
    high = rate_bounds(flagged, members, alpha=levels.high, share=tail.counts.share)[2]
    return Interval(float(estimate), float(low), float(high), levels.confidence)


Named = Sequence[tuple[str, Interval]]


def _judge(
    result: AuditResult, metric: str, threshold: float, interval: Interval, others: Named, parts: Named
) -> AuditResult:
    """Pass and leak by the selected attack; a leak also by any other attack, or part of a slice, above the limit."""
    above = [(name, each) for name, each in [*others, *parts] if each.low > threshold]
    undecided = [(name, each) for name, each in parts if each.high >= threshold]
    if result.findings:
        return _closed(result, metric, threshold, interval, "invalid", [])
    if interval.low > threshold:
        return _closed(
            result, metric, threshold, interval, "leak", [f"{name} reaches {each}" for name, each in above[:3]]
        )
    if above:
        name, worst = max(above, key=lambda pair: pair[1].low)
        reason = f"{name} is above the limit, though the selected attack {result.attack} reaches {interval}"
        return _closed(result, metric, threshold, worst, "leak", [reason])
    if interval.high < threshold and not undecided:
        return _closed(result, metric, threshold, interval, "pass", [])
    worst = interval if interval.high >= threshold else max(undecided, key=lambda pair: pair[1].high)[1]
    reasons = [f"{name} reaches {each}" for name, each in undecided]
    reasons += verdict.what_would_decide(result, threshold, worst) if metric == "membership_advantage" else []
    return _closed(result, metric, threshold, worst, "inconclusive", reasons)


def _closed(
    result: AuditResult, metric: str, threshold: float, interval: Interval, outcome: str, reasons: Sequence[str]
) -> AuditResult:
    return dataclasses.replace(
        result,
        metric=metric,
        threshold=float(threshold),
        judged=interval,
        verdict=outcome,
        reasons=(*result.findings, *reasons) if outcome == "invalid" else tuple(reasons),
    )
