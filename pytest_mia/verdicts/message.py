"""The words of a verdict: the number, its interval and the limit first, then what it rests on and what to try next."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from pytest_mia.core.text import counted, printable, shown
from pytest_mia.results.audit_data import AuditData
from pytest_mia.results.values import floored
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Interval

MEANINGS = {
    "pass": "these attacks, at this strength, did not exceed it; that is no proof of privacy",
    "leak": "the model leaks who was in its training data",
    "inconclusive": "the data can't decide",
    "invalid": "the data can't answer the question",
}
RELATIONS = {
    "pass": "is below the limit",
    "leak": "is above the limit",
    "inconclusive": "is neither clearly below nor clearly above the limit",
    "invalid": "can't be compared with the limit",
}
CHANGE = "advantage_change"
METRICS = {
    "membership_advantage": "membership advantage",
    "epsilon": "measured epsilon",
    CHANGE: "change of the membership advantage",
}
CHANGES = {
    "pass": ("is not shown to be above the tolerance", "no regression was shown"),
    "leak": ("is above the tolerance", "the model leaks more than when the baseline was saved"),
    "invalid": ("can't be compared with the tolerance", MEANINGS["invalid"]),
}
"""Relation and meaning of a change since a baseline."""
CLAIMS = {
    "pass": ("is not above the limit", "the claim is not refuted, which is no proof of it"),
    "leak": ("is above the limit", "the claimed differential privacy is refuted"),
    "invalid": (RELATIONS["invalid"], MEANINGS["invalid"]),
}
"""Relation and meaning of a lower bound of epsilon."""

WORDS = {CHANGE: CHANGES, "epsilon": CLAIMS}
"""Relations and meanings of metrics that aren't bounded on both sides, or have no limit of their own."""

WIDTH = 72
"""Columns of a line, which pytest indents by eight: a terminal has 80 at least."""


def write(judged: AuditData) -> str:
    """The message of a judged result: one line that says it all, then the details.

    Parameters
    ----------
    judged
        A result with verdict, limit and judged interval filled in.
    """
    lines = [first_line(judged), *(_entry(name, text) for name, text in _details(judged))]
    return "\n".join(lines)


def first_line(judged: AuditData) -> str:
    """The number, its interval, the limit, and what that means."""
    assert judged.judged is not None
    assert judged.verdict is not None
    relation, meaning = RELATIONS[judged.verdict], MEANINGS[judged.verdict]
    if judged.metric in WORDS:
        relation, meaning = WORDS[judged.metric][judged.verdict]
    return f"{metric_of(judged)} {_number(judged.judged)} {relation} {judged.threshold:g}: {meaning}"


def metric_of(judged: AuditData) -> str:
    """What was judged, in words."""
    return METRICS.get(judged.metric, judged.metric.replace("tpr_at_fpr_", "TPR at FPR "))


def _number(shown: Interval) -> str:
    if math.isfinite(shown.high):
        return str(shown)
    return f"of at least {floored(shown.low)} ({shown.confidence * 100:g}% confidence)"


def _details(judged: AuditData) -> Iterator[tuple[str, str]]:
    for reason in judged.reasons:
        yield "because", reason
    yield (
        "attack",
        f"{judged.attack}, selected on the shadows from {counted(len(judged.attacks), 'attack')}: {_figures(judged)}",
    )
    if outcomes := [part.verdict for part in judged.slices if part.verdict]:
        counts = ", ".join(f"{outcomes.count(each)} {each}" for each in ("leak", "inconclusive", "pass"))
        yield "parts", f"{counts}, by {shown(judged.slices[0].by)}"
    for each in judged.attackers:
        reached = _number(each.judged or each.advantage)
        yield "against", f"{shown(each.attacker)}: {each.verdict}, {each.attack} {reached}, AUC {each.auc:.3f}"
    if judged.accuracy.train is not None and judged.accuracy.test is not None:
        yield "accuracy", _accuracies(judged)
    for remedy in judged.what_if:
        audit = remedy.audit
        reached = f"{remedy.remedy}: {audit.verdict}, {_number(audit.judged or audit.advantage)}"
        yield "what if", f"{reached} by {audit.attack}, accuracy {_accuracies(audit)}"
    if len(judged.what_if) > 1:
        yield (
            "what if",
            "a remedy on answers passes only if each remedy on answers below it passes too; "
            "you may choose any that passes",
        )
    yield "audited", _audited(judged)
    yield from (("power", text) for text in _power(judged))
    yield from (("control", text) for text in _controls(judged))
    for note in judged.notes:
        yield "note", note
    for number, step in enumerate(judged.next_steps, start=1):
        yield f"try {number}", step
    if judged.replay:
        yield "replay", judged.replay


def _accuracies(audit: AuditData) -> str:
    return ", ".join(
        f"{name} {value:.3f}"
        for name, value in (("train", audit.accuracy.train), ("test", audit.accuracy.test))
        if value is not None
    )


def _figures(judged: AuditData) -> str:
    attack = next(attack for attack in judged.attacks if attack.name == judged.attack)
    nonmembers = sum(attack.counts.nonmembers)
    tails = [_tail(rate, attack.tpr_at_fpr[rate], nonmembers) for rate in ("0.01", "0.001")]
    return ", ".join([f"AUC {attack.auc:.3f}", *tails])


def _tail(rate: str, tpr: float | None, nonmembers: int) -> str:
    at = f"at {float(rate):.1%} FPR"
    if tpr is not None:
        return f"TPR {tpr:.3f} {at}"
    return f"TPR {at} not measurable (needs {10 / float(rate):,.0f} non-members, there are {nonmembers:,})"


def _audited(judged: AuditData) -> str:
    seconds = judged.seconds
    return (
        f"{judged.kind} of {counted(judged.records, 'record')}, {counted(judged.models, 'model')}, "
        f"{counted(judged.shadows, 'shadow')} per target, "
        f"device {judged.device}, {seconds.training:.1f} s training and {seconds.attacks:.1f} s attacks, "
        f"seed {judged.seed}"
    )


def _power(judged: AuditData) -> Iterator[str]:
    """What leak this audit would have been able to see, in the worst case."""
    if judged.metric != "membership_advantage" or judged.threshold is None:
        return
    if judged.detectable is None:
        yield "this audit is too small to distinguish any advantage from 0 with 80% probability"
        return
    levels = error_budget.levels(judged.advantage.confidence, attacks=len(judged.attacks), looks=judged.looks)
    leak = error_budget.detectable(judged.selected, levels, threshold=judged.threshold)
    called = "no advantage" if leak is None else f"an advantage of {leak:.3f}"
    told = f"an advantage of {judged.detectable:.3f} is distinguished from 0"
    yield f"with 80% power, {called} is called a leak, and {told}"


def _controls(judged: AuditData) -> Iterator[str]:
    """What the audit found where it was known what there is to find."""
    if judged.controls is None:
        return
    canaries, shuffled = judged.controls.canaries, judged.controls.shuffled
    if canaries is not None:
        planted = f"{counted(canaries.planted, 'record')} with wrong labels, planted in {canaries.models} models"
        reached = f"{canaries.attack} reaches {canaries.advantage}"
        meaning = (
            "" if canaries.advantage.low > 0 else ": the attacks would have found more if the models had memorised them"
        )
        yield f"{planted}: {reached}{meaning}"
    yield f"shuffled memberships, where there is nothing to find: {shuffled}"


def _entry(name: str, text: str) -> str:
    first, text = f"  {name:<10}", printable(text)
    if name == "replay":
        # A command is for copying, so it stays on one line.
        return first + text
    indent = " " * len(first)
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
