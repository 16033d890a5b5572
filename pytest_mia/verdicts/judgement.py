"""One result judged by one limit: pass, leak, inconclusive or invalid, with the reasons."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data import split_shift
from pytest_mia.results.audit_data import Audit
from pytest_mia.results.values import SliceResult, floored
from pytest_mia.statistics import epsilon_bounds as epsilons
from pytest_mia.statistics import error_budget, measurable, rate_bounds
from pytest_mia.statistics.counts import CoinGuesses, Interval, Selected
from pytest_mia.verdicts import message, subgroups
from pytest_mia.verdicts import reasons as grounds

DEFAULT_LIMIT = 0.05
"""Advantage by which a shift between members and non-members is weighed where the limit is no advantage."""

NO_GUESSES = CoinGuesses("", 0, 0, 0)

SEVERITY = ("leak", "invalid", "inconclusive", "pass")

Named = Sequence[tuple[str, Interval]]
"""What other attacks reached."""


def judge_advantage(result: Audit, *, threshold: float, by: Any, confidence: float | None) -> Audit:
    """TPR - FPR, overall and in every part."""
    __tracebackhide__ = True
    found = () if by is None else subgroups.divide(result, by)
    if by is not None or confidence is not None:
        confidence = confidence or result.advantage.confidence
        levels = error_budget.levels(confidence, attacks=len(result.attacks), looks=result.looks, parts=by is not None)
        result, found = _shared(result, levels), _parts(found, threshold, levels)
    result = _weighed(_with_parts(result, found), threshold)
    others = [(attack.name, attack.advantage) for attack in result.attacks]
    return _judge(result, "membership_advantage", threshold, result.advantage, others, found)


def judge_tpr(result: Audit, *, threshold: float, at_fpr: float, confidence: float | None) -> Audit:
    """The TPR at a fixed FPR."""
    rate, confidence = f"{at_fpr:g}", confidence or result.advantage.confidence
    tail, levels = result.tails[rate], error_budget.levels(confidence, attacks=len(result.attacks), looks=result.looks)
    interval = _rate_interval(tail, levels.selected_low, levels)
    others = [
        (attack.name, _rate_interval(Selected(attack.name, attack.tail_counts[rate]), levels.other_low, levels))
        for attack in result.attacks
    ]
    result = _weighed(dataclasses.replace(result, attack=tail.attack), DEFAULT_LIMIT)
    nonmembers = sum(tail.counts.nonmembers)
    if not result.findings and not measurable(at_fpr, nonmembers):
        needed = math.ceil(10 / at_fpr)
        reason = f"to measure the TPR at an FPR of {rate} takes {needed:,} non-members, there are {nonmembers:,}"
        return _closed(result, f"tpr_at_fpr_{rate}", threshold, interval, "inconclusive", [reason])
    judged = _judge(result, f"tpr_at_fpr_{rate}", threshold, interval, others)
    if judged.verdict == "invalid":
        return judged
    resolved = [grounds.flagged_nonmembers(tail.counts, levels.high)]
    if judged.verdict == "inconclusive":
        size = (result.records, result.kind)
        resolved += grounds.what_would_decide(tail.counts, *size, threshold, interval, fpr=at_fpr)
    return dataclasses.replace(judged, reasons=(*judged.reasons, *resolved))


def judge_epsilon(result: Audit, *, claimed: float, delta: float, gaussian: bool, confidence: float | None) -> Audit:
    """A claimed epsilon and the measured lower bound.

    Guesses that depend on each other share the error (Bonferroni), so those that show most may be taken.
    """
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
    reasons = [grounds.right_guesses(best, found.name, delta)]
    if outcome == "leak":
        reasons.insert(0, f"a training with epsilon {claimed:g} (delta {delta:g}) can't leak that much")
    if best.swapped and result.kind == "recipe":
        reasons.append(
            "halves of a fixed size show at most half of the epsilon that independent coins show: use --mia-coins"
        )
    if most.epsilon <= claimed:
        reasons.append(
            f"even with all guesses right, this audit could not refute a claim of {floored(most.epsilon)} or more"
        )
    return _closed(result, "epsilon", claimed, interval, outcome, [] if outcome == "invalid" else reasons)


def judge_change(result: Audit, *, tolerance: float) -> Audit:
    """How far the advantage moved since a baseline was saved."""
    moved, result = result.change, _weighed(result, DEFAULT_LIMIT)
    if moved is None or moved.difference is None:
        raise MIAUsageError(
            "there is no baseline to compare with; make one first: run the same test with --mia-save=main"
            if moved is None
            else moved.remark
        )
    outcome = "invalid" if result.findings else "leak" if moved.difference.low > tolerance else "pass"
    reasons = [f"the advantage was {moved.before} in the baseline {moved.baseline}, and is {result.advantage}"]
    reasons += [f"the two audits differ: {moved.remark}"] if moved.remark else []
    if outcome == "pass" and moved.difference.high > tolerance:
        reasons.append(f"a change of up to {moved.difference.high:+.3f} can't be ruled out with so few records")
    return _closed(result, message.CHANGE, tolerance, moved.difference, outcome, reasons)


def _judge(
    result: Audit,
    metric: str,
    threshold: float,
    interval: Interval,
    others: Named,
    judged: Sequence[SliceResult] = (),
) -> Audit:
    """Pass and leak by the selected attack; a leak also by any other attack, or any part, that is above the limit."""
    above = [(name, each) for name, each in others if each.low > threshold]
    leaking, undecided = ([part for part in judged if part.verdict == way] for way in ("leak", "inconclusive"))
    close = functools.partial(_closed, result, metric, threshold)
    if result.findings:
        return close(interval, "invalid", [])
    if interval.low > threshold:
        reached = [_reached(result, interval, name, each) for name, each in above[:3]]
        return close(interval, "leak", [*reached, *grounds.of_parts(leaking, result.kind, threshold)])
    if above or leaking:
        worst = max([each for _, each in above] + [part.advantage for part in leaking], key=lambda each: each.low)
        reasons = [f"{name} is above the limit" for name, each in sorted(above, key=lambda pair: -pair[1].low)[:1]]
        reasons += grounds.of_parts(leaking, result.kind, threshold)
        reasons[0] += f", though the selected attack {result.attack} reaches {interval}"
        return close(worst, "leak", reasons)
    if interval.high < threshold and not undecided:
        return close(interval, "pass", [])
    worst = max([interval, *(part.advantage for part in undecided)], key=lambda each: each.high)
    worst = interval if interval.high >= threshold else worst
    reasons = grounds.of_parts(undecided, result.kind, threshold)
    if metric == "membership_advantage" and interval.high >= threshold:
        reasons += grounds.what_would_decide(result.selected, result.records, result.kind, threshold, interval)
    return close(worst, "inconclusive", reasons)


def _reached(result: Audit, interval: Interval, name: str, own: Interval) -> str:
    """What an attack reached; of the selected one, the figures of the first line, so that it has no others."""
    return f"the selected attack {name} reaches {interval}" if name == result.attack else f"{name} reaches {own}"


def _closed(
    result: Audit, metric: str, threshold: float, interval: Interval, outcome: str, reasons: Sequence[str]
) -> Audit:
    return dataclasses.replace(
        result,
        metric=metric,
        threshold=float(threshold),
        judged=interval,
        verdict=outcome,
        reasons=(*result.findings, *reasons) if outcome == "invalid" else tuple(reasons),
    )


def _weighed(result: Audit, limit: float) -> Audit:
    """The result with the finding that its sides differ too much by themselves for this limit, if they do."""
    finding = split_shift.describe_shift(result.shift, limit)
    return dataclasses.replace(result, findings=(*result.findings, finding)) if finding else result


def _shared(result: Audit, levels: error_budget.Levels) -> Audit:
    """The result with its bounds at these levels."""
    return dataclasses.replace(
        result,
        advantage=error_budget.selected_interval(result.selected, levels),
        detectable=error_budget.detectable(result.selected, levels),
        attacks=tuple(
            dataclasses.replace(attack, advantage=error_budget.other_interval(attack.counts, levels))
            for attack in result.attacks
        ),
    )


def _parts(found: Sequence[SliceResult], threshold: float, levels: error_budget.Levels) -> tuple[SliceResult, ...]:
    """Each part with its verdict, the worst first."""
    intervals = error_budget.parts_intervals([part.counts for part in found], threshold, levels)
    judged = [subgroups.judge(part, each, threshold) for part, each in zip(found, intervals, strict=True)]
    return tuple(sorted(judged, key=lambda part: (SEVERITY.index(str(part.verdict)), -part.advantage.estimate)))


def _with_parts(result: Audit, judged: Sequence[SliceResult]) -> Audit:
    """The result whose slices begin with those that were judged, in the place of what it said of them before."""
    names = {part.by for part in judged}
    if any(part.by in names for part in result.slices):
        others = [part for part in result.slices if part.by not in names]
        return dataclasses.replace(result, slices=(*judged, *others))
    classes = [part for part in result.classes if part.by not in names]
    return dataclasses.replace(result, slices=(*judged, *result.slices), classes=tuple(classes))


def _rate_interval(tail: Selected, alpha_low: float, levels: error_budget.Levels) -> Interval:
    flagged, members = tail.counts.flagged_members, tail.counts.members
    estimate, low, _ = rate_bounds(flagged, members, alpha=alpha_low, share=tail.counts.share)
    high = rate_bounds(flagged, members, alpha=levels.high, share=tail.counts.share)[2]
    return Interval(float(estimate), float(low), float(high), levels.confidence)
