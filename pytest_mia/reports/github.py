"""Where teams on GitHub read: the summary of a step, and annotations beside the test that failed."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_mia.reports.table import HEADINGS, rows
from pytest_mia.results.run_outcome import Place, Placed, RunOutcome

MARKUP = frozenset("\\`*_[]<>|~&#$@!")
"""Characters that mean something in a table of GitHub's Markdown."""


def show(outcome: RunOutcome, reporter: Any) -> None:
    """Publish a run; pytest's reporter writes to the log of the job."""
    publish(outcome.placed, lost=outcome.lost, root=reporter.config.rootpath, write_line=reporter.write_line)


def publish(audits: Placed, *, lost: Sequence[str], root: Path, write_line: Callable[[str], object]) -> None:
    """Append to the summary of the step where GitHub asks for one, and write annotations where it reads them.

    Parameters
    ----------
    audits
        All audits of the run.
    lost
        What never arrived from the processes that run the tests, in words.
    root
        pytest's root folder.
    write_line
        Writes a line to the log of the job.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with open(path, "a", encoding="utf-8", errors="replace") as file:
                file.write(summary([audit for audit, _ in audits], lost))
        except OSError as error:
            write_line(f"mia: the summary of the step can't be written: {error}")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for command in commands(audits, root, Path(os.environ.get("GITHUB_WORKSPACE") or root)):
            write_line(command)


def summary(audits: Sequence[Mapping[str, Any]], lost: Sequence[str]) -> str:
    """All audits in Markdown: a table, the whole message of each that is no pass, and what was lost.

    Parameters
    ----------
    audits
        As `AuditResult.to_dict` gives them.
    lost
        What never arrived from the processes that run the tests, in words.
    """
    lines = ["### Membership inference audits", "", _row(HEADINGS), _row(["---"] * len(HEADINGS))]
    lines += [_row(map(escaped, cells)) for audit in audits for cells in rows(audit)]
    for audit in audits:
        if audit["verdict"] not in ("pass", None):
            title, message = html.escape(f"{audit['verdict']}: {audit['test']}"), html.escape(audit["message"])
            lines += ["", f"<details><summary>{title}</summary>", "", f"<pre>{message}</pre>", "</details>"]
    lines += ["", *(f"**lost {escaped(what)}**" for what in lost)]
    return "\n".join(lines) + "\n"


def commands(audits: Placed, root: Path, workspace: Path) -> list[str]:
    """A workflow command for each audit whose test failed, and a warning where data that can't decide failed none.

    Parameters
    ----------
    audits
        All audits of the run.
    root
        pytest's root folder.
    workspace
        The checkout, relative to which files are named.
    """
    return [
        _command("error" if place.failed else "warning", audit, place, root, workspace)
        for audit, place in audits
        if audit["verdict"] == "inconclusive" or (place.failed and audit["verdict"] not in ("pass", None))
    ]


def escaped(text: str) -> str:
    """Text that a cell of a Markdown table shows as it is: every character of markup as a reference to itself."""
    line = " ".join(str(text).split())
    return "".join(f"&#{ord(character)};" if character in MARKUP else character for character in line)


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _command(level: str, audit: Mapping[str, Any], place: Place, root: Path, workspace: Path) -> str:
    file = Path(os.path.normpath(root / place.file))
    file = file.relative_to(workspace) if file.is_relative_to(workspace) else file
    properties = {
        "file": file.as_posix(),
        "line": str(place.line),
        "title": f"membership inference: {audit['verdict']}",
    }
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {named}::{_data(audit['message'])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
