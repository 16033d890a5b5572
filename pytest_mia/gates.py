"""The gates: a result and a limit in, a judged result out, and the verdict raised where it is not a pass."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import unittest
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_mia import bounds, diagnostics, parts, verdict
from pytest_mia import epsilon as epsilons
from pytest_mia.curves import FALSE_POSITIVE_RATES
from pytest_mia.errors import (
    InconclusiveAuditError,
    InconclusiveAuditWarning,
    InvalidAuditError,
    MembershipLeakError,
    MIAUsageError,
    shown,
)
from pytest_mia.figures import CoinGuesses, Interval, Selected, SliceResult, floored
from pytest_mia.results import AuditResult, RemedyResult
from pytest_mia.statistics import measurable, rate_bounds

if TYPE_CHECKING:
    from pytest_mia.subject import Subject

DEFAULT_LIMIT = 0.05
"""Advantage by which a shift between members and non-members is weighed where the limit is no advantage."""

NO_GUESSES = CoinGuesses("", 0, 0, 0)

MECHANISMS = ("any", "gaussian")
"""What a claimed epsilon may be known of: (epsilon, delta) alone, or a Gaussian mechanism's whole trade-off curve."""

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
    result: AuditResult, threshold: float, *, by: Any = None, confidence: float | None = None
) -> AuditResult:
    """Judge TPR - FPR, overall and in every part; see `AuditResult.assert_membership_advantage_below`."""
    __tracebackhide__ = True
    check(threshold=threshold, confidence=confidence)
    return _judged(result, functools.partial(_advantage, threshold=threshold, by=by), confidence)


def _advantage(result: AuditResult, *, threshold: float, by: Any, confidence: float | None) -> AuditResult:
    __tracebackhide__ = True
    found = () if by is None else parts.of(result, by)
    if by is not None or confidence is not None:
        confidence = confidence or result.advantage.confidence
        levels = bounds.levels(confidence, attacks=len(result.attacks), looks=result.looks, parts=by is not None)
        result, found = _shared(result, levels), _parts(found, threshold, levels)
    result = _weighed(_with_parts(result, found), threshold)
    others = [(attack.name, attack.advantage) for attack in result.attacks]
    return _judge(result, "membership_advantage", threshold, result.advantage, others, found)


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
    judged = _judge(result, f"tpr_at_fpr_{rate}", threshold, interval, others)
    if judged.verdict == "invalid":
        return judged
    resolved = [verdict.flagged_nonmembers(tail.counts, levels.high)]
    if judged.verdict == "inconclusive":
        size = (result.records, result.kind)
        resolved += verdict.what_would_decide(tail.counts, *size, threshold, interval, fpr=at_fpr)
    return dataclasses.replace(judged, reasons=(*judged.reasons, *resolved))


def epsilon(
    result: AuditResult, claimed: float, *, delta: float = 1e-5, mechanism: str = "any", confidence: float | None = None
) -> AuditResult:
    """Compare a claimed epsilon with the measured lower bound; see `AuditResult.assert_epsilon_below`."""
    check(epsilon=claimed, delta=delta, mechanism=mechanism, confidence=confidence)
    judge = functools.partial(_epsilon, claimed=claimed, delta=delta, gaussian=mechanism == "gaussian")
    return _judged(result, judge, confidence)


def _epsilon(
    result: AuditResult, *, claimed: float, delta: float, gaussian: bool, confidence: float | None
) -> AuditResult:
    """Guesses that depend on each other share the error (Bonferroni), so those that show most may be taken."""
    confidence, result = confidence or result.advantage.confidence, _weighed(result, DEFAULT_LIMIT)
    alpha = (1 - confidence) / (max(len(result.coins), 1) * result.looks)
    best = max(result.coins, key=lambda each: epsilons.pure_bound(each, alpha=alpha), default=NO_GUESSES)
    found, most = (
        epsilons.lower_bound(each, delta=delta, alpha=alpha, gaussian=gaussian)
        for each in (best, epsilons.perfect(best))
    )
    result = dataclasses.replace(result, attack=best.attack or result.attack)
    interval = Interval(found.epsilon, found.epsilon, math.inf, confidence)
    outcome = "invalid" if result.findings else "leak" if found.epsilon > claimed else "pass"
    reasons = [f"a training with epsilon {claimed:g} (delta {delta:g}) can't leak that much"] * (outcome == "leak")
    reasons.append(verdict.right_guesses(best, found.name, delta))
    if best.swapped and result.kind == "recipe":
        reasons.append("halves of a fixed size show at most half of what independent coins do (--mia-coins)")
    if most.epsilon <= claimed:
        reasons.append(f"this audit could refute nothing from {floored(most.epsilon)} on, were all guesses right")
    return _closed(result, "epsilon", claimed, interval, outcome, [] if outcome == "invalid" else reasons)


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
        Any of ``threshold``, ``at_fpr``, ``epsilon``, ``delta``, ``mechanism``, ``tolerance``, ``confidence``
        (``None``: the audit's own).

    Raises
    ------
    MIAUsageError
        With all that are out of range.
    """
    __tracebackhide__ = True
    given = {name: value for name, value in arguments.items() if name != "confidence" or value is not None}
    mechanism = given.pop("mechanism", "any")
    problems = [] if mechanism in MECHANISMS else [f"mechanism must be any or gaussian, got {shown(mechanism)}"]
    if mechanism == "gaussian" and given.get("delta") == 0:
        problems.append("delta must be above 0 for mechanism gaussian, which has no epsilon without one, got 0")
    problems += [
        f"{name} must be {RANGES[name][0]}, got {shown(value)}"
        for name, value in given.items()
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not RANGES[name][1](_float(value))
    ]
    if problems:
        raise MIAUsageError(problems)


def check_parts(by: Any, subject: Subject) -> None:
    """Refuse what can't divide the records of a subject, before anything is trained; see `pytest_mia.parts.check`."""
    __tracebackhide__ = True
    if by is not None and subject.outputs is None:
        parts.check(by, subject.dataset if subject.target is None else getattr(subject.target, "members", None))


def _float(value: numbers.Real) -> float:
    """A number as a float; infinite where it is too large for one, which no range allows."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


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


def _shared(result: AuditResult, levels: bounds.Levels) -> AuditResult:
    """The result with its bounds at these levels."""
    return dataclasses.replace(
        result,
        advantage=bounds.selected_interval(result.selected, levels),
        detectable=bounds.detectable(result.selected, levels),
        attacks=tuple(
            dataclasses.replace(attack, advantage=bounds.other_interval(attack.counts, levels))
            for attack in result.attacks
        ),
    )


def _parts(found: Sequence[SliceResult], threshold: float, levels: bounds.Levels) -> tuple[SliceResult, ...]:
    """Each part with its verdict, the worst first."""
    intervals = bounds.parts_intervals([part.counts for part in found], threshold, levels)
    judged = [parts.judged(part, each, threshold) for part, each in zip(found, intervals, strict=True)]
    return tuple(sorted(judged, key=lambda part: (SEVERITY.index(str(part.verdict)), -part.advantage.estimate)))


def _with_parts(result: AuditResult, judged: Sequence[SliceResult]) -> AuditResult:
    """The result whose slices begin with those that were judged, in the place of what it said of them before."""
    names = {part.by for part in judged}
    if any(part.by in names for part in result.slices):
        others = [part for part in result.slices if part.by not in names]
        return dataclasses.replace(result, slices=(*judged, *others))
    classes = [part for part in result.classes if part.by not in names]
    return dataclasses.replace(result, slices=(*judged, *result.slices), classes=tuple(classes))


def _rate_interval(tail: Selected, alpha_low: float, levels: bounds.Levels) -> Interval:
    flagged, members = tail.counts.flagged_members, tail.counts.members
    estimate, low, _ = rate_bounds(flagged, members, alpha=alpha_low, share=tail.counts.share)
    high = rate_bounds(flagged, members, alpha=levels.high, share=tail.counts.share)[2]
    return Interval(float(estimate), float(low), float(high), levels.confidence)


Named = Sequence[tuple[str, Interval]]


def _judge(
    result: AuditResult,
    metric: str,
    threshold: float,
    interval: Interval,
    others: Named,
    judged: Sequence[SliceResult] = (),
) -> AuditResult:
    """Pass and leak by the selected attack; a leak also by any other attack, or any part, that is above the limit."""
    above = [(name, each) for name, each in others if each.low > threshold]
    leaking, undecided = ([part for part in judged if part.verdict == way] for way in ("leak", "inconclusive"))
    close = functools.partial(_closed, result, metric, threshold)
    if result.findings:
        return close(interval, "invalid", [])
    if interval.low > threshold:
        reached = [f"{name} reaches {each}" for name, each in above[:3]]
        return close(interval, "leak", [*reached, *verdict.of_parts(leaking, result.kind, threshold)])
    if above or leaking:
        worst = max([each for _, each in above] + [part.advantage for part in leaking], key=lambda each: each.low)
        reasons = [f"{name} is above the limit" for name, each in sorted(above, key=lambda pair: -pair[1].low)[:1]]
        reasons += verdict.of_parts(leaking, result.kind, threshold)
        reasons[0] += f", though the selected attack {result.attack} reaches {interval}"
        return close(worst, "leak", reasons)
    if interval.high < threshold and not undecided:
        return close(interval, "pass", [])
    worst = max([interval, *(part.advantage for part in undecided)], key=lambda each: each.high)
    worst = interval if interval.high >= threshold else worst
    reasons = verdict.of_parts(undecided, result.kind, threshold)
    if metric == "membership_advantage" and interval.high >= threshold:
        reasons += verdict.what_would_decide(result.selected, result.records, result.kind, threshold, interval)
    return close(worst, "inconclusive", reasons)


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
