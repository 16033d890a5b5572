"""An audit as rows of a table, whatever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_mia.core.text import shown
from pytest_mia.reports.junit import auc
from pytest_mia.results.values import floored

UNJUDGED = "not judged"
HEADINGS = ("test", "verdict", "measured (low to high)", "limit", "attack", "AUC", "train/test", "shadows", "seconds")

EMPTY = ("",) * len(HEADINGS)
MOST_SLICES = 10
"""Slices that a table shows, the worst of them: the page and the JSON report have all."""


def rows(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """An audit, below it its change since the baseline, each attacker, each slice that was judged, and each remedy."""
    what_if = [_part(audit, each, f"with {each['remedy']}") for each in audit["what_if"]]
    return [*overview(audit), *_slices(audit), *what_if]


def overview(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The same without slices and remedies, for a report that has a table for each of them."""
    against = [_part(audit, each, f"against {shown(each['name'])}") for each in audit["attackers"]]
    return [cells(audit), *_change(audit), *against]


def part_name(part: Mapping[str, Any]) -> str:
    """A slice in a few words, whatever the user has called it."""
    return f"{shown(part['by'])} = {shown(part['value'])}"


def _slices(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each of the worst slices that were judged, and one that counts those that are left out."""
    judged = [part for part in audit["slices"] if part["verdict"] is not None]
    found = [
        (f"  {part_name(part)}", part["verdict"], _advantage(part["advantage"]), cells(audit)[3], *EMPTY[4:])
        for part in judged[:MOST_SLICES]
    ]
    left = [part["verdict"] for part in judged[MOST_SLICES:]]
    counts = ", ".join(f"{left.count(each)} {each}" for each in dict.fromkeys(left))
    return [*found, *([(f"  and {len(left)} more", "", counts, *EMPTY[3:])] if left else [])]


def _part(audit: Mapping[str, Any], part: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return (
        f"  {name}",
        part["verdict"] or UNJUDGED,
        measured({"metric": audit["metric"], "judged": part["judged"]}),
        cells(audit)[3],
        part["attack"],
        number(part["auc"]),
        _accuracies(part["accuracy"]) if "accuracy" in part else "",
        "",
        "",
    )


def cells(audit: Mapping[str, Any]) -> tuple[str, ...]:
    """An audit in one row, cells in the order of `HEADINGS`."""
    area, accuracy = auc(audit), audit["accuracy"]
    return (
        audit["test"],
        audit["verdict"] or UNJUDGED,
        measured(audit),
        "-" if audit["threshold"] is None else f"{audit['threshold']:g}",
        audit["attack"],
        number(area),
        _accuracies(accuracy),
        str(audit["shadows"]),
        f"{sum(audit['seconds'].values()):.1f}",
    )


def measured(audit: Mapping[str, Any]) -> str:
    """The judged number with its bounds, under a short name of its metric."""
    name = audit["metric"].removeprefix("membership_").replace("tpr_at_fpr_", "TPR at FPR ")
    judged = audit["judged"]
    if audit["metric"] == "advantage_change":
        return _moved(judged)
    if judged["high"] is None:
        return f"{name} {floored(judged['low'])} or more"
    return _advantage(judged, name)


def _advantage(interval: Mapping[str, Any], name: str = "advantage") -> str:
    return f"{name} {interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _change(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for the change since the baseline, or for what it is made of where the audit itself is judged by it."""
    change = audit["change"]
    if change is None:
        return []
    if change["difference"] is None:
        text = "nothing to compare with"
    elif audit["metric"] == "advantage_change":
        text = f"advantage {number(change['before']['estimate'])}, now {number(audit['advantage']['estimate'])}"
    else:
        text = _moved(change["difference"])
    return [(f"  since {change['baseline']}", "", text, *EMPTY[3:])]


def _moved(difference: Mapping[str, Any]) -> str:
    """A difference, whose sign says which way it went."""
    return f"change {difference['estimate']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


def _accuracies(accuracy: Mapping[str, float | None]) -> str:
    return f"{number(accuracy['train'])}/{number(accuracy['test'])}"


def number(value: float | None) -> str:
    """A figure of three decimals, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"
