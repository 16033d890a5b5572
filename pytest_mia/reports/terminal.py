"""The table at the end of a run, one row per audit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_mia.reports.table import HEADINGS, UNJUDGED, rows
from pytest_mia.results.run_outcome import RunOutcome

COLOURS = {"pass": {"green": True}, "inconclusive": {"yellow": True}}
A_PASS = "pass: these attacks, at this strength, did not exceed the limit; that is no proof of privacy"


def show(outcome: RunOutcome, reporter: pytest.TerminalReporter) -> None:
    """Write the table; nothing when no audit ran. In a terminal that is too narrow, each row is folded.

    Parameters
    ----------
    outcome
        The run.
    reporter
        pytest's own.
    """
    audits = outcome.audits
    if audits:
        reporter.write_sep("=", "membership inference audits")
        lines = [HEADINGS, *(row for audit in audits for row in rows(audit))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        colours = [COLOURS.get(cells[1], {"red": cells[1] != UNJUDGED}) for cells in lines[1:]]
        columns = reporter.config.get_terminal_writer().fullwidth
        if reporter.isatty and sum(widths) + 2 * len(widths) > columns:
            for cells, colour in zip(lines[1:], colours, strict=True):
                _fold(reporter, cells, columns, colour)
        else:
            for cells, colour in zip(lines, [{"bold": True}, *colours], strict=True):
                _write(reporter, cells, widths, colour)
    for remark in dict.fromkeys(_remark(audit) for audit in audits):
        if remark:
            reporter.write_line(f"mia: {remark}")
    if any(audit["verdict"] == "pass" for audit in audits):
        reporter.write_line(A_PASS)
    for what in outcome.unheeded:
        reporter.write_line(f"mia: {what}", yellow=True)
    for what in outcome.lost:
        reporter.write_line(f"mia: lost {what}; a run that loses a verdict fails", red=True)


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


def _remark(audit: Mapping[str, Any]) -> str:
    """Why an audit is not compared with the baseline, or what else has changed."""
    change = audit["change"]
    if change is None or not change["remark"]:
        return ""
    return str(change["remark"] if change["difference"] is None else f"{audit['test']}: {change['remark']}")
