"""The words of a verdict: the number, its interval and the limit first, then what it rests on and what to try next."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence

from pytest_mia import bounds, parts
from pytest_mia.figures import CoinGuesses, Counts, Interval, SliceResult, floored
from pytest_mia.results import AuditResult
from pytest_mia.statistics import rate_bounds, records_to_leak, records_to_pass
from pytest_mia.texts import printable, shown

MEANINGS = {
    "pass": "these attacks, at this strength, did not exceed it; that is no proof of privacy",
    "leak": "the model leaks who was in its training data",
    "inconclusive": "the data can't decide",
    "invalid": "the data can't answer the question",
}
RELATIONS = {
    "pass": "is below the limit",
    "leak": "is above the limit",
    "inconclusive": "can't be told from the limit",
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

OVERFITTED = 0.05
POWER = 0.8
NAMED = 10
"""Parts of the records that are named among the reasons at the most."""
WIDTH = 72
"""Columns of a line, which pytest indents by eight: a terminal has 80 at least."""


def message(judged: AuditResult) -> str:
    """The message of a judged result: one line that says it all, then the details.

    Parameters
    ----------
    judged
        A result with verdict, limit and judged interval filled in.
    """
    lines = [first_line(judged), *(_entry(name, text) for name, text in _details(judged))]
    return "\n".join(lines)


def first_line(judged: AuditResult) -> str:
    """The number, its interval, the limit, and what that means."""
    assert judged.judged is not None
    assert judged.verdict is not None
    relation, meaning = RELATIONS[judged.verdict], MEANINGS[judged.verdict]
    if judged.metric in WORDS:
        relation, meaning = WORDS[judged.metric][judged.verdict]
    return f"{metric_of(judged)} {_number(judged.judged)} {relation} {judged.threshold:g}: {meaning}"


def metric_of(judged: AuditResult) -> str:
    """What was judged, in words."""
    return METRICS.get(judged.metric, judged.metric.replace("tpr_at_fpr_", "TPR at FPR "))


def _number(shown: Interval) -> str:
    if math.isfinite(shown.high):
        return str(shown)
    return f"of at least {floored(shown.low)} ({shown.confidence * 100:g}% confidence)"


def right_guesses(guesses: CoinGuesses, bound: str, delta: float) -> str:
    """What a measured epsilon rests on, in words."""
    if not guesses.guessed:
        return "no guess promised to be right more often than by chance, so none was made"
    kind = "planted records" if guesses.planted else "records"
    which = f"of two {kind} was a member" if guesses.swapped else f"{kind} were members"
    told = f"{guesses.right:,} of {guesses.guessed:,} guesses which {which} were right, of {guesses.coins:,} coins"
    return f"{told} (bound: {bound}; delta {delta:g})"


def flagged_nonmembers(counts: Counts, alpha: float) -> str:
    """At which false-positive rate a tail was measured in fact, in words."""
    rate, low, high = rate_bounds(counts.flagged_nonmembers, counts.nonmembers, alpha=alpha, share=counts.share)
    told = f"{sum(counts.flagged_nonmembers):,} of {sum(counts.nonmembers):,} non-members were accused wrongly"
    return f"{told}: the threshold, learnt on the shadows, has an FPR of {rate:.4f} ({low:.4f} to {high:.4f})"


def what_would_decide(
    counts: Counts, records: int, kind: str, threshold: float, interval: Interval, *, fpr: float | None = None
) -> list[str]:
    """How many records, or shadows, would decide an inconclusive result, if the advantage is what it seems.

    Parameters
    ----------
    counts, records
        The guesses, and the records that they are about.
    kind
        "recipe" or "release".
    threshold
        The limit.
    interval
        What can't be told from it: the advantage, or the TPR where `fpr` says at which rate.
    fpr
        The false-positive rate of a tail.
    """
    targets, alpha = len(counts.members), 1 - interval.confidence
    name = "advantage" if fpr is None else "TPR"
    fpr = min(max(_fpr(counts), 0.05), 0.95) if fpr is None else 0.0
    advantage = max(interval.estimate, 0.0)
    side = records_to_pass if advantage < threshold else records_to_leak
    if math.isclose(advantage, threshold, abs_tol=0.1 * threshold):
        return [f"the {name} lies so near the limit {threshold:g} that no affordable number of records decides"]
    fpr = min(fpr, 0.98 - advantage) if advantage < 0.93 else 0.01
    needed = side(threshold, targets=targets, alpha=alpha, advantage=advantage, fpr=fpr, power=POWER)
    needed = math.ceil(needed / counts.share)
    outcome = "pass" if side is records_to_pass else "leak"
    needed = max(needed, records + 1)
    there_are = f"there are {records:,}"
    reason = f"if the {name} is {advantage:.3f}, {needed:,} records would decide for {outcome} ({there_are})"
    return [reason + _or_shadows(targets, records, needed, kind)]


def of_parts(judged: Sequence[SliceResult], kind: str, threshold: float) -> list[str]:
    """Why these parts of the records don't pass, each in a line."""
    lines = [_of_part(part, kind, threshold) for part in judged[:NAMED]]
    left = len(judged) - len(lines)
    return [*lines, *([f"so do {left} other parts of the records"] if left else [])]


def _of_part(part: SliceResult, kind: str, threshold: float) -> str:
    name = parts.name(part)
    if part.verdict == "leak":
        return f"{name} is above the limit: {part.advantage}"
    targets = len(part.counts.members)
    if part.needed is not None:
        more = f"{part.needed:,} are needed{_or_shadows(targets, part.records, part.needed, kind)}"
        return f"{name} has {part.records:,} records, too few for any model to pass at {threshold:g}: {more}"
    hint = what_would_decide(part.counts, part.records, kind, threshold, part.advantage)
    return f"{name} reaches {part.advantage}: {'; '.join(hint)}"


def _or_shadows(targets: int, records: int, needed: int, kind: str) -> str:
    """How many shadows make up for records that are not there; each is a target too."""
    if kind != "recipe" or not records:
        return ""
    return f", or {math.ceil(targets * needed / records) - 1} shadows on these records"


def _details(judged: AuditResult) -> Iterator[tuple[str, str]]:
    for reason in judged.reasons:
        yield "because", reason
    yield "attack", f"{judged.attack}, selected on the shadows among {len(judged.attacks)}: {_figures(judged)}"
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
        yield "what if", "judged from the last on, and none passes behind one that doesn't: so one may be chosen here"
    yield "audited", _audited(judged)
    yield from (("power", text) for text in _power(judged))
    yield from (("control", text) for text in _controls(judged))
    for note in judged.notes:
        yield "note", note
    for number, step in enumerate(judged.next_steps, start=1):
        yield f"try {number}", step
    if judged.replay:
        yield "replay", judged.replay


def _accuracies(audit: AuditResult) -> str:
    return ", ".join(
        f"{name} {value:.3f}"
        for name, value in (("train", audit.accuracy.train), ("test", audit.accuracy.test))
        if value is not None
    )


def _figures(judged: AuditResult) -> str:
    attack = next(attack for attack in judged.attacks if attack.name == judged.attack)
    nonmembers = sum(attack.counts.nonmembers)
    tails = [_tail(rate, attack.tpr_at_fpr[rate], nonmembers) for rate in ("0.01", "0.001")]
    return ", ".join([f"AUC {attack.auc:.3f}", *tails])


def _tail(rate: str, tpr: float | None, nonmembers: int) -> str:
    at = f"at {float(rate):.1%} FPR"
    if tpr is not None:
        return f"TPR {tpr:.3f} {at}"
    return f"TPR {at} not measurable ({10 / float(rate):,.0f} non-members needed, {nonmembers:,} there)"


def _audited(judged: AuditResult) -> str:
    seconds = judged.seconds
    return (
        f"{judged.kind} of {judged.records:,} records, {judged.models} models, {judged.shadows} shadows per target, "
        f"device {judged.device}, {seconds.training:.1f} s training and {seconds.attacks:.1f} s attacks, "
        f"seed {judged.seed}"
    )


def _power(judged: AuditResult) -> Iterator[str]:
    """What leak this audit would have been able to see, in the worst case."""
    if judged.metric != "membership_advantage" or judged.threshold is None:
        return
    if judged.detectable is None:
        yield "no advantage, however large, would have been told from 0 four times in five"
        return
    levels = bounds.levels(judged.advantage.confidence, attacks=len(judged.attacks), looks=judged.looks)
    leak = bounds.detectable(judged.selected, levels, threshold=judged.threshold)
    called = "no advantage" if leak is None else f"an advantage of {leak:.3f}"
    yield f"{called} would have been called a leak, and one of {judged.detectable:.3f} told from 0, with 80% power"


def _controls(judged: AuditResult) -> Iterator[str]:
    """What the audit found where it was known what there is to find."""
    if judged.controls is None:
        return
    canaries, shuffled = judged.controls.canaries, judged.controls.shuffled
    if canaries is not None:
        planted = f"{canaries.planted} records with wrong labels, planted in {canaries.models} models"
        reached = f"{canaries.attack} reaches {canaries.advantage}"
        meaning = "" if canaries.advantage.low > 0 else ": models that memorise them would have shown more"
        yield f"{planted}: {reached}{meaning}"
    yield f"shuffled memberships, where there is nothing to find: {shuffled}"


def next_steps(judged: AuditResult) -> list[str]:
    """The three next things to try, for this verdict and this model."""
    recipe = judged.kind == "recipe"
    if judged.metric == CHANGE and judged.verdict == "leak":
        baseline = "" if judged.change is None else judged.change.baseline
        return [
            f"what changed since .mia/{baseline}.json was committed: data, features, training, packages",
            "the limits of the other gates: is the model still fit to be shipped?",
            f"where the growth is meant, save it: the same command with --mia-save={baseline}",
        ]
    if judged.metric == "epsilon" and judged.verdict == "leak":
        return [
            "the noise: is it scaled by the clipping norm, drawn anew in each step, and added to the sum of gradients?",
            "the clipping: is each record's own gradient clipped, rather than the batch's, and every parameter's?",
            "the accountant: steps, rate of sampling (half of the records train here), and records of one person",
        ]
    if judged.verdict == "invalid":
        return [
            "mend what the first reason names",
            "look at the rows of the data set by index: duplicates, sources, dates",
            "train two models of the factory on different halves by hand, and compare their answers"
            if recipe
            else "audit the recipe instead: its halves are drawn at random, so they can't differ by themselves",
        ]
    released = _cheapest(judged)
    if judged.verdict == "inconclusive":
        more = f"more shadows, each of which is a target too: --mia-shadows={2 * max(judged.shadows, 3) + 1}"
        steps = [
            "more records, if there are any: margins shrink with their square root",
            more if recipe else "the recipe, audited too: every model that it trains is judged, not one alone",
            released
            or "a model that leaks less, so that its upper bound falls below the limit: coarser answers, regularisation"
            + _to_measure(judged),
        ]
        # Where the advantage seems to be above the limit, more data would only show that it is.
        return steps[::-1] if _seems_above(judged) else steps
    gap = (judged.accuracy.train or 0.0) - (judged.accuracy.test or 0.0)
    exposed = ", ".join(str(each.record) for each in judged.most_exposed[:3])
    regularise = "regularise (weight decay, fewer epochs, larger leaves, a smaller C)"
    if judged.lines:
        regularise = f"regularise: {' or '.join(judged.lines)}"
    return [
        f"train accuracy is {gap:.3f} above test accuracy: {regularise}" if gap > OVERFITTED else regularise,
        released or _coarser(judged),
        f"train on more records, or leave out those that are exposed most (records {exposed})",
    ]


def _seems_above(judged: AuditResult) -> bool:
    return judged.threshold is not None and (judged.judged or judged.advantage).estimate >= judged.threshold


def _cheapest(judged: AuditResult) -> str | None:
    remedy = judged.cheapest
    if remedy is None:
        return None
    reached, test = remedy.audit.judged or remedy.audit.advantage, remedy.audit.accuracy.test
    figures = f"{metric_of(judged)} {reached.estimate:.3f} (at most {reached.high:.3f})"
    figures += "" if test is None else f", accuracy {test:.3f}"
    return f"ship the cheapest remedy that was measured to pass, {remedy.remedy}: {figures}"


def _coarser(judged: AuditResult) -> str:
    if judged.what_if:
        count = len(judged.what_if)
        return f"none of the {count} remedies that were measured passes on this model; try them on one that leaks less"
    return "answer more coarsely, and ship it so: labels alone, or probabilities in quarters" + _to_measure(judged)


def _to_measure(judged: AuditResult) -> str:
    """How to find out which remedy passes, where none was measured and some can be."""
    if judged.what_if or judged.accuracy.test is None or judged.device == "none":
        return ""
    option = "--mia-what-if" if judged.test else "what_if='outputs'"
    return f" ({option} measures which of pytest_mia.remedies passes)"


def _fpr(counts: Counts) -> float:
    return sum(counts.flagged_nonmembers) / max(sum(counts.nonmembers), 1)


def _entry(name: str, text: str) -> str:
    first, text = f"  {name:<10}", printable(text)
    if name == "replay":
        # A command is for copying, so it stays on one line.
        return first + text
    indent = " " * len(first)
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
