"""What to try next, for a verdict that isn't a pass."""

from __future__ import annotations

from pytest_mia.results.audit_data import AuditData
from pytest_mia.verdicts.message import CHANGE, metric_of

OVERFITTED = 0.05
"""Accuracy on members less that on others, from which on the difference itself is named."""


def next_steps(judged: AuditData) -> list[str]:
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


def _seems_above(judged: AuditData) -> bool:
    return judged.threshold is not None and (judged.judged or judged.advantage).estimate >= judged.threshold


def _cheapest(judged: AuditData) -> str | None:
    remedy = judged.cheapest
    if remedy is None:
        return None
    reached, test = remedy.audit.judged or remedy.audit.advantage, remedy.audit.accuracy.test
    figures = f"{metric_of(judged)} {reached.estimate:.3f} (at most {reached.high:.3f})"
    figures += "" if test is None else f", accuracy {test:.3f}"
    return f"ship the cheapest remedy that was measured to pass, {remedy.remedy}: {figures}"


def _coarser(judged: AuditData) -> str:
    if judged.what_if:
        count = len(judged.what_if)
        return f"none of the {count} remedies that were measured passes on this model; try them on one that leaks less"
    return "answer more coarsely, and ship it so: labels alone, or probabilities in quarters" + _to_measure(judged)


def _to_measure(judged: AuditData) -> str:
    """How to find out which remedy passes, where none was measured and some can be."""
    if judged.what_if or judged.accuracy.test is None or judged.device == "none":
        return ""
    option = "--mia-what-if" if judged.test else "what_if='outputs'"
    return f" ({option} measures which of pytest_mia.remedies passes)"
