"""The figures of an audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from pytest_mia.core.text import shown
from pytest_mia.reports.svg import COLOURS, draw
from pytest_mia.reports.table import measured

MOST_PARTS = 20
MOST_LETTERS = 20
"""Of a name beside an interval."""
LINES = ((COLOURS["first"], "-"), (COLOURS["second"], "--"), (COLOURS["third"], ":"))
MARKERS = {"pass": "o", "leak": "s", "inconclusive": "D", "invalid": "X", None: "v"}
INK, FAINT, FIRST, SECOND, THIRD = COLOURS.values()
KEY = "Square: clearly above the limit. Circle: clearly below it. Diamond: neither."

Audit = Mapping[str, Any]
Interval = Mapping[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A figure: its SVG, and the caption below it."""

    svg: str
    caption: str


def draw_audit(audit: Audit, name: str) -> list[Drawing]:
    """All figures of an audit, under a name of its own; those for which it holds nothing are left out.

    Parameters
    ----------
    audit
        As `AuditResult.to_dict` gives it.
    name
        Sets its drawings apart from those of other audits on the page.
    """
    found = [_verdict(audit, f"{name}-verdict")]
    found += [_roc(audit, f"{name}-roc")] if any(curve["fpr"] for curve in audit["roc"]) else []
    found += [_histogram(audit, f"{name}-scores")] if audit["histogram"] is not None else []
    # A user's slice may be called "class" too.
    parts: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for kind in ("classes", "slices"):
        for part in audit[kind]:
            parts.setdefault((kind, part["by"]), []).append(part)
    found += [_parts(audit, by, each, f"{name}-part{place}") for place, ((_, by), each) in enumerate(parts.items())]
    return found


def trade_off(audits: Sequence[Audit]) -> Drawing | None:
    """Test accuracy against advantage, a numbered point for each audit; nothing where no model's accuracy is known."""
    places: dict[tuple[float, float], list[int]] = {}
    for number, audit in enumerate(audits, start=1):
        if audit["accuracy"]["test"] is not None:
            places.setdefault((audit["accuracy"]["test"], audit["advantage"]["estimate"]), []).append(number)
    if not places:
        return None

    def paint(axes: Axes) -> None:
        for (accuracy, advantage), numbers in places.items():
            advantages, verdicts = zip(
                *((audits[each - 1]["advantage"], audits[each - 1]["verdict"]) for each in numbers), strict=True
            )
            low, high = min(each["low"] for each in advantages), max(each["high"] for each in advantages)
            axes.plot([accuracy, accuracy], [low, high], color=FAINT, linewidth=1)
            axes.plot(accuracy, advantage, _marker({*verdicts}), color=FIRST, markersize=7)
            text = ", ".join(map(str, numbers[:3])) + ("…" if len(numbers) > 3 else "")
            label = axes.annotate(text, (accuracy, advantage), (6, 4), textcoords="offset points", color=INK)
            label.set_in_layout(False)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.margins(x=0.25, y=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set(xlabel="test accuracy", ylabel="advantage")

    label = "; ".join(
        f"audits {', '.join(map(str, numbers))}: accuracy {x:.3f}, advantage {y:.3f}"
        for (x, y), numbers in places.items()
    )
    caption = (
        "What each model is worth, and what it gives away: test accuracy against advantage, with its interval. Numbers "
        "are those of the table. Best is low and to the right. Circle: pass. Square: leak. Diamond: inconclusive. "
        "Cross: invalid. Triangle: not judged. Star: judged more than once, with different verdicts."
    )
    return Drawing(draw(paint, name="trade-off", label=f"Accuracy against advantage. {label}", height=2.8), caption)


def _marker(verdicts: Collection[str | None]) -> str:
    return MARKERS[next(iter(verdicts))] if len(verdicts) == 1 else "*"


def _verdict(audit: Audit, name: str) -> Drawing:
    done = "measured" if audit["verdict"] is None else "judged"
    rows = [(shown(each["name"], MOST_LETTERS), each["judged"]) for each in audit["attackers"]] or [
        (done, audit["judged"])
    ]
    metric = _metric(audit)
    caption = f"What was {done}, {metric}, with its interval"
    if audit["threshold"] is None:
        return Drawing(_intervals(rows, None, metric, name, f"{measured(audit)}, not judged"), f"{caption}.")
    label = f"{measured(audit)}, limit {audit['threshold']:g}: {audit['verdict']}"
    return Drawing(
        _intervals(rows, audit["threshold"], metric, name, label),
        f"{caption}, against the limit {audit['threshold']:g} (dashed). {KEY}",
    )


def _parts(audit: Audit, by: str, parts: Sequence[Mapping[str, Any]], name: str) -> Drawing:
    worst = sorted(parts, key=lambda part: -part["advantage"]["estimate"])[:MOST_PARTS]
    names = [shown(part["value"], MOST_LETTERS) for part in worst]
    rows = list(zip(names, (part["advantage"] for part in worst), strict=True))
    limit = audit["threshold"] if audit["metric"] == "membership_advantage" else None
    label = ", ".join(f"{name} {each['estimate']:.3f}" for name, each in rows)
    of = f"the {len(worst)} highest of {len(parts)}" if len(worst) < len(parts) else f"{len(parts)}, highest first"
    title, key = f"Advantage per {shown(by)}", "" if limit is None else f" {KEY}"
    return Drawing(
        _intervals(rows, limit, "advantage", name, f"{title}: {label}"),
        f"{title} ({of}), lower bounds corrected for their number.{key}",
    )


def _intervals(rows: Sequence[tuple[str, Interval]], limit: float | None, metric: str, name: str, label: str) -> str:
    """One line per row: an interval, with a mark whose shape says on which side of the limit it lies."""

    def paint(axes: Axes) -> None:
        for place, (_, interval) in enumerate(rows):
            estimate, low, high = interval["estimate"], interval["low"], interval["high"]
            marker, colour = _side(interval, limit)
            if high is None:
                axes.annotate(
                    "",
                    (1, place),
                    (low, place),
                    ("axes fraction", "data"),
                    "data",
                    {"arrowstyle": "->", "color": colour},
                )
            else:
                axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.plot(estimate, place, marker, color=colour, markersize=6)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        if limit is not None:
            axes.axvline(limit, color=INK, linewidth=1.2, linestyle="--")
        axes.set_yticks(range(len(rows)), [row for row, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.margins(x=0.1)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(metric)

    return draw(paint, name=name, label=label, height=0.7 + 0.22 * len(rows))


def _side(interval: Interval, limit: float | None) -> tuple[str, str]:
    if limit is None:
        return "o", FIRST
    if interval["low"] > limit:
        return "s", SECOND
    return ("o", FIRST) if interval["high"] is None or interval["high"] < limit else ("D", THIRD)


def _roc(audit: Audit, name: str) -> Drawing:
    curves = [curve for curve in audit["roc"] if curve["fpr"]][: len(LINES)]
    floor = min(curve["fpr"][0] for curve in curves)

    def paint(axes: Axes) -> None:
        for curve, (colour, line) in zip(curves, LINES, strict=False):
            low, tpr, high = ([max(rate, floor / 2) for rate in curve[each]] for each in ("low", "tpr", "high"))
            axes.fill_between(curve["fpr"], low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(curve["fpr"], tpr, line, color=colour, linewidth=1.6, label=shown(curve["attack"], 28))
        axes.plot([floor, 1], [floor, 1], color=FAINT, linewidth=0.8, label="guessing")
        axes.set(xscale="log", yscale="log", xlim=(floor, 1), ylim=(floor, 1.1))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="false-positive rate", ylabel="true-positive rate")
        axes.legend(loc="lower right")

    label = "; ".join(
        f"{curve['attack']} finds {_at(curve, 0.01):.1%} of members at 1% false positives" for curve in curves
    )
    caption = (
        f"ROC of the selected attack, {shown(audit['attack'], 40)}, and of attacks that need no shadows; the mean "
        "over the targets, both axes logarithmic. Each band holds point by point."
    )
    return Drawing(draw(paint, name=name, label=label, height=3.2), caption)


def _at(curve: Mapping[str, Any], fpr: float) -> float:
    """The TPR at the largest FPR of the curve that isn't above the given one."""
    rates: list[float] = [tpr for each, tpr in zip(curve["fpr"], curve["tpr"], strict=True) if each <= fpr]
    return rates[-1] if rates else 0.0


def _histogram(audit: Audit, name: str) -> Drawing:
    found = audit["histogram"]
    bins = len(found["members"])
    edges = [found["low"] + (found["high"] - found["low"]) * place / bins for place in range(bins + 1)]

    def paint(axes: Axes) -> None:
        axes.stairs(_shares(found["nonmembers"]), edges, fill=True, color=SECOND, alpha=0.35, label="non-members")
        axes.stairs(_shares(found["members"]), edges, color=FIRST, linewidth=1.6, label="members")
        axes.set(xlabel=f"score of {shown(found['attack'], 30)}", ylabel="share of records", xlim=(edges[0], edges[-1]))
        axes.legend(loc="best")

    sizes = f"{sum(found['members'])} members and {sum(found['nonmembers'])} non-members"
    label = f"Histogram of the scores that {found['attack']} gives to {sizes}"
    caption = (
        "Scores of members (line) and of non-members (filled), higher is more like a member. The outermost bins hold "
        "all that lies beyond."
    )
    return Drawing(draw(paint, name=name, label=label, height=2.6), caption)


def _shares(counts: Sequence[int]) -> list[float]:
    return [count / max(sum(counts), 1) for count in counts]


def _metric(audit: Audit) -> str:
    return str(audit["metric"].replace("_", " ").replace("tpr at fpr", "TPR at FPR"))
