"""The reports of a run. Each is a module of its name in this folder, and one line here.

Two reports belong to a single test and stand elsewhere: `pytest_mia.reports.junit` gives the properties of a test, and
`pytest_mia.reports.pytest_html` its figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_mia.results.run_outcome import RunOutcome


@dataclass(frozen=True)
class FileReport:
    """A report that is a file. Its module has ``write(path, outcome)``, and its option is ``--mia-NAME``.

    Attributes
    ----------
    help
        What the option does.
    needs
        Packages that the report can't be written without: an extra of the report's name installs them.
    """

    help: str
    needs: tuple[str, ...] = ()


FILES = {
    "json": FileReport("write all audits to this file"),
    "html": FileReport("write a page about all audits, with figures, to this file", needs=("jinja2", "matplotlib")),
}
"""In the order in which they are written: all others could be made again from the JSON report, so it comes first."""

SHOWN = ("terminal", "github")
"""Reports at the end of a run. Their modules have ``show(outcome, reporter)``, with the reporter of pytest."""


def write(name: str, path: Path, outcome: RunOutcome) -> None:
    """Write a report that is a file.

    Raises
    ------
    OSError
        When the file can't be written.
    """
    import_module(f"{__package__}.{name}").write(path, outcome)


def show(outcome: RunOutcome, reporter: Any) -> None:
    """Show a run at its end, in all places that there are."""
    for name in SHOWN:
        import_module(f"{__package__}.{name}").show(outcome, reporter)
