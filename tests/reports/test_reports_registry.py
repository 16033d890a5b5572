"""Every report of the registry is a module with the function that the registry calls."""

import importlib
import inspect

import pytest

from pytest_mia.reports import registry
from pytest_mia.results.run_outcome import RunOutcome


@pytest.mark.parametrize(
    ("name", "function", "parameters"),
    [
        *((name, "write", ["path", "outcome"]) for name in registry.FILES),
        *((name, "show", ["outcome", "reporter"]) for name in registry.SHOWN),
    ],
)
def test_modules(name, function, parameters):
    module = importlib.import_module(f"pytest_mia.reports.{name}")

    assert list(inspect.signature(getattr(module, function)).parameters) == parameters


@pytest.mark.parametrize("name", registry.FILES)
def test_a_run_without_audits_is_written_too(tmp_path, name):
    registry.write(name, tmp_path / "report", RunOutcome([], lost=["the verdict of test_a"]))

    assert (tmp_path / "report").stat().st_size > 0
