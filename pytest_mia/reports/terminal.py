"""The table at the end of a run, one row per audit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_mia.reports.junit import auc

COLOURS = {"pass": {"green": True}, "inconclusive": {"yellow": True}}
UNJUDGED = "not judged"
A_PASS = "pass: these attacks, at this strength, did not exceed the limit; that is no proof of privacy"
HEADINGS = ("test", "verdict", "measured (low to high)", "limit", "attack", "AUC", "train/test", "shadows", "seconds")


def show(reporter: pytest.TerminalReporter, audits: Sequence[Mapping[str, Any]], *, lost: Sequence[str]) -> None:
    """Write the table; nothing when no audit ran. In a terminal that is too narrow, each row is folded.

    Parameters
    ----------
    reporter
        pytest's own.
    audits
        As `AuditResult.to_dict` gives them.
    lost
        What never arrived from the processes that run the tests, in words.
    """
    if audits:
        reporter.write_sep("=", "membership inference audits")
        rows = [HEADINGS, *(row for audit in audits for row in _rows(audit))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        colours = [COLOURS.get(cells[1], {"red": cells[1] != UNJUDGED}) for cells in rows[1:]]
        columns = reporter.config.get_terminal_writer().fullwidth
        if reporter.isatty and sum(widths) + 2 * len(widths) > columns:
            for cells, colour in zip(rows[1:], colours, strict=True):
                _fold(reporter, cells, columns, colour)
        else:
            for cells, colour in zip(rows, [{"bold": True}, *colours], strict=True):
                _write(reporter, cells, widths, colour)
    if any(audit["verdict"] == "pass" for audit in audits):
        reporter.write_line(A_PASS)
    for what in lost:
        reporter.write_line(f"mia: lost {what}; a verdict that goes missing fails the run", red=True)


def _write(
    reporter: pytest.TerminalReporter, cells: Sequence[str], widths: Sequence[int], colour: Mapping[str, bool]
) -> None:
    """One row, of which the verdict is coloured."""
    test, verdict, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    reporter.write(f"{test}  ")
    reporter.write(verdict, **colour)
    reporter.line(f"  {'  '.join(others)}".rstrip())


def _fold(reporter: pytest.TerminalReporter, cells: Sequence[str], columns: int, colour: Mapping[str, bool]) -> None:
    """One row as a line for its test and verdict, and lines that name each of its other cells."""
    test, verdict, measured, *others = cells
    reporter.write(f"{test}  ")
    reporter.line(verdict, **colour)
    named = [measured, *(f"{name} {cell}" for name, cell in zip(HEADINGS[3:], others, strict=True) if cell)]
    for line in textwrap.wrap(", ".join(named), columns - 1, initial_indent="  ", subsequent_indent="  "):
        reporter.line(line)


def _rows(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """An audit, and below it each attacker where several were compared."""
    limit, metric = _cells(audit)[3], audit["metric"]
    return [_cells(audit)] + [
        (
            f"  against {each['name']}",
            each["verdict"] or UNJUDGED,
            _measured({"metric": metric, "judged": each["judged"]}),
            limit,
            each["attack"],
            _number(each["auc"]),
            *("",) * 3,
        )
        for each in audit["attackers"]
    ]


def _cells(audit: Mapping[str, Any]) -> tuple[str, ...]:
    area, accuracy = auc(audit), audit["accuracy"]
    return (
        audit["test"],
        audit["verdict"] or UNJUDGED,
        _measured(audit),
        "-" if audit["threshold"] is None else f"{audit['threshold']:g}",
        audit["attack"],
        _number(area),
        f"{_number(accuracy['train'])}/{_number(accuracy['test'])}",
        str(audit["shadows"]),
        f"{sum(audit['seconds'].values()):.1f}",
    )


def _measured(audit: Mapping[str, Any]) -> str:
    """The judged number with its bounds, under a short name of its metric."""
    name = audit["metric"].removeprefix("membership_").replace("tpr_at_fpr_", "TPR at FPR ")
    judged = audit["judged"]
    if judged["high"] is None:
        return f"{name} {judged['low']:.3f} or more"
    return f"{name} {judged['estimate']:.3f} ({judged['low']:.3f} to {judged['high']:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
