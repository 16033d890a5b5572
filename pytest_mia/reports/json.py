"""The JSON report, the source of every other one."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path

from pytest_mia._version import __version__
from pytest_mia.reports import atomic_write
from pytest_mia.results.run_outcome import RunOutcome

SCHEMA = "pytest-mia/1"
PACKAGES = ("pytest", "numpy", "scipy", "scikit-learn", "torch")


def write(path: Path, outcome: RunOutcome) -> None:
    """Write the report, whole or not at all.

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
    report = {"schema": SCHEMA, "pytest_mia": __version__, "environment": environment(), "audits": outcome.audits}
    atomic_write.write(path, json.dumps(report, indent=2, allow_nan=False) + "\n")


def environment() -> dict[str, str]:
    """Versions of Python, of the platform and of the packages that figures depend on, where they are installed."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
