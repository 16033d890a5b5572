"""What to try next, for a verdict that isn't a pass."""

from __future__ import annotations

from pytest_mia.results.audit_data import AuditData
from pytest_mia.verdicts.message import CHANGE, metric_of
from pytest_mia.verdicts.reasons import is_near

OVERFITTED = 0.05
"""Accuracy on members less that on others, from which on the difference itself is named."""


def next_steps(judged: AuditData) -> list[str]:
    """The three next things to try, for this verdict and this model."""
    match judged.verdict:
        case "invalid":
            return _mend(judged)
        case "inconclusive":
            return _decide(judged)
        case _ if judged.metric == CHANGE:
            return _compare_versions(judged)
        case _ if judged.metric == "epsilon":
            return _check_mechanism()
    return _leak_less(judged)


def _mend(judged: AuditData) -> list[str]:
    """For an audit that can't answer the question."""
    return [
        "fix what the first reason names",
        "check the data set: duplicates, and sources or dates that differ between members and non-members",
        "train two models of the factory on different halves by hand, and compare their answers"
        if judged.kind == "recipe"
        else "audit the recipe instead: its halves are drawn at random, so they can't differ by themselves",
    ]


def _decide(judged: AuditData) -> list[str]:
    """For an audit whose data can't decide."""
    shadows = 2 * max(judged.shadows, 3) + 1
    less = _cheapest(judged) or (
        "a model that leaks less, so that its upper bound falls below the limit: coarser answers, regularisation"
        + _to_measure(judged)
    )
    targets = "an audit of the recipe as well: it judges every model that it trains, not one alone"
    if judged.kind == "recipe":
        targets = f"more shadows, since each of them is a target too: --mia-shadows={shadows}"
    records = "more records, if there are any: the interval narrows with the square root of their number"
    if _is_near(judged):
        return [
            less,
            targets,
            f"look at the records that are exposed most (records {_exposed(judged)}): are they unusual?",
        ]
    # Where the advantage seems to be above the limit, more data would only show that it is.
    return [less, targets, records] if _seems_above(judged) else [records, targets, less]


def _compare_versions(judged: AuditData) -> list[str]:
    """For an advantage that grew."""
    baseline = "" if judged.change is None else judged.change.baseline
    return [
        f"find what changed since .mia/{baseline}.json was committed: data, features, training, packages",
        "check whether the model still passes the other gates",
        f"if you accept the growth, save it as the baseline: the same command with --mia-save={baseline}",
    ]


def _check_mechanism() -> list[str]:
    """For a claim of differential privacy that is refuted."""
    return [
        "check the noise: is it scaled by the clipping norm, drawn again in each step, and added to the sum of "
        "gradients?",
        "check the clipping: is each record's own gradient clipped, rather than the batch's, and every parameter's?",
        "check the accountant: the number of steps, the sampling rate (half of the records train here), and persons "
        "with several records",
    ]


def _leak_less(judged: AuditData) -> list[str]:
    """For a leak."""
    gap = (judged.accuracy.train or 0.0) - (judged.accuracy.test or 0.0)
    regularise = "regularise (weight decay, fewer epochs, larger leaves, a smaller C)"
    if judged.lines:
        regularise = f"regularise: {' or '.join(judged.lines)}"
    return [
        f"train accuracy is {gap:.3f} above test accuracy: {regularise}" if gap > OVERFITTED else regularise,
        _cheapest(judged) or _coarser(judged),
        f"train on more records, or leave out those that are exposed most (records {_exposed(judged)})",
    ]


def _exposed(judged: AuditData) -> str:
    return ", ".join(str(each.record) for each in judged.most_exposed[:3])


def _is_near(judged: AuditData) -> bool:
    """Whether the advantage lies too near the limit for more records to decide, as the reasons then say."""
    return judged.threshold is not None and is_near(_estimate(judged), judged.threshold)


def _estimate(judged: AuditData) -> float:
    return max((judged.judged or judged.advantage).estimate, 0.0)


def _seems_above(judged: AuditData) -> bool:
    return judged.threshold is not None and _estimate(judged) >= judged.threshold


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
    return "ship a model that returns less: labels alone, or probabilities rounded to quarters" + _to_measure(judged)


def _to_measure(judged: AuditData) -> str:
    """How to find out which remedy passes, where none was measured and some can be."""
    if judged.what_if or judged.accuracy.test is None or judged.device == "none":
        return ""
    option = "--mia-what-if" if judged.test else "what_if='outputs'"
    return f" ({option} measures which of pytest_mia.remedies passes)"
