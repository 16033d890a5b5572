"""One page that shows all of a run: it needs no network and no script, and can be printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pytest_mia._version import __version__
from pytest_mia.reports import atomic_write, plots
from pytest_mia.reports.json import environment
from pytest_mia.reports.svg import COLOURS
from pytest_mia.reports.table import HEADINGS, UNJUDGED, cells, number, overview, part_name
from pytest_mia.results.run_outcome import RunOutcome
from pytest_mia.results.values import floored

SYMBOLS = {"pass": "✓", "leak": "✗", "inconclusive": "?", "invalid": "!", UNJUDGED: "-"}
RATES = ("0.001", "0.01", "0.1")


@dataclass(frozen=True)
class Section:
    """An audit on the page.

    Attributes
    ----------
    name
        Its anchor.
    audit
        As `AuditResult.to_dict` gives it.
    verdict
        In one word, or two.
    headline
        What was measured, and what that means.
    figures
        Its drawings.
    facts
        Settings and what else belongs to it, in words.
    """

    name: str
    audit: Mapping[str, Any]
    verdict: str
    headline: str
    figures: Sequence[plots.Drawing]
    facts: Mapping[str, str]


def write(path: Path, outcome: RunOutcome) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path
        The file; its folder must exist.
    outcome
        The run.

    Raises
    ------
    OSError
        When the file can't be written.
    """
    atomic_write.write(path, page(outcome.audits, lost=outcome.lost))


def page(audits: Sequence[Mapping[str, Any]], *, lost: Sequence[str] = ()) -> str:
    """The page as text; the same audits give the same text, letter by letter."""
    loader = jinja2.PackageLoader("pytest_mia", "reports")
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": number, "interval": interval, "drawing": _drawing, "part_name": part_name}
    trade_off = plots.trade_off(audits)
    return made.get_template("page.html.j2").render(
        sections=[_section(place, audit) for place, audit in enumerate(audits, start=1)],
        counts=_counts(audits),
        headings=HEADINGS,
        rows=[overview(audit) for audit in audits],
        symbols=SYMBOLS,
        rates=RATES,
        trade_off=trade_off,
        lost=lost,
        environment=environment(),
        version=__version__,
        colours=COLOURS,
    )


def interval(shown: Mapping[str, Any]) -> str:
    """An interval as a table shows it, its bounds in one line."""
    if shown["high"] is None:
        return f"{floored(shown['low'])} or more"
    bounds = f"({number(shown['low'])} to {number(shown['high'])})".replace(" ", "\N{NO-BREAK SPACE}")
    return f"{number(shown['estimate'])} {bounds}"


def _section(place: int, audit: Mapping[str, Any]) -> Section:
    name, verdict = f"audit-{place}", audit["verdict"] or UNJUDGED
    headline = audit["message"].partition("\n")[0] or f"{cells(audit)[2]}, {UNJUDGED}"
    return Section(name, audit, verdict, headline, plots.draw_audit(audit, name), _facts(audit))


def _facts(audit: Mapping[str, Any]) -> dict[str, str]:
    accuracy, seconds, cache = audit["accuracy"], audit["seconds"], audit["cache"]
    return {
        "kind": audit["kind"],
        "records": f"{audit['records']:,}",
        "models": f"{audit['models']:,}",
        "shadows per target": f"{audit['shadows']:,}",
        "smallest advantage distinguished from 0 with 80% power": number(audit["detectable"]),
        **_controls(audit["controls"]),
        "accuracy on members": number(accuracy["train"]),
        "accuracy on non-members": number(accuracy["test"]),
        "confidence of each bound": f"{audit['judged']['confidence'] * 100:g}%",
        "seed": str(audit["seed"]),
        "device": audit["device"],
        "seconds of training": f"{seconds['training']:.1f}",
        "seconds of attacks": f"{seconds['attacks']:.1f}",
        "models from the cache": f"{cache['hits']:,} of {cache['hits'] + cache['misses']:,}",
    }


def _controls(controls: Mapping[str, Any] | None) -> dict[str, str]:
    """What the controls found, where they were asked for."""
    if controls is None:
        return {}
    found = {"advantage on shuffled memberships": interval(controls["shuffled"])}
    canaries = controls["canaries"]
    return found if canaries is None else found | {"advantage on planted records": interval(canaries["advantage"])}


def _counts(audits: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many audits ended with which verdict, those that occur."""
    verdicts = [audit["verdict"] or UNJUDGED for audit in audits]
    return {verdict: verdicts.count(verdict) for verdict in SYMBOLS if verdict in verdicts}


def _drawing(figure: plots.Drawing) -> Markup:
    """The SVG as it is: matplotlib and ElementTree have escaped what it holds."""
    return Markup(figure.svg)
