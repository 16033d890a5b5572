"""Runs of pytest inside these tests."""

import json
import sys
from pathlib import Path
from typing import ClassVar

import distributed  # noqa: F401
import execnet.gateway_io
import joblib  # noqa: F401
import matplotlib.figure  # noqa: F401
import numpy  # noqa: F401
import pytest
import sklearn.compose
import sklearn.dummy
import sklearn.ensemble
import sklearn.naive_bayes
import sklearn.pipeline
import sklearn.tree  # noqa: F401
import warm
import xdist.dsession
import xdist.looponfail
import xdist.plugin
from projects import ATTACKS, conftest, trees

# An inner run drops what it imported first, and numpy can't be imported twice: so all that is needed is imported here.
# What distributed brings along takes the place of importlib.metadata: dropped, it would leave no package to be found.
import pytest_mia.auditing.run
import pytest_mia.plugin
import pytest_mia.plugin.audit_test
import pytest_mia.reports.github
import pytest_mia.reports.html
import pytest_mia.reports.json
import pytest_mia.reports.registry
import pytest_mia.reports.terminal
import pytest_mia.training.backends.loky
import pytest_mia.verdicts.baseline
import pytest_mia.verdicts.gate_arguments
import pytest_mia.verdicts.judgement
import pytest_mia.verdicts.next_steps

# The filters of these tests hold inside the inner runs too: only -W takes their "error" back.
MODES = {
    "serial": ["-Wdefault"],
    "worker": ["-Wdefault", "-n1"],
    "workers": ["-Wdefault", "-n2"],
    "no-cache": ["-Wdefault", "-pno:cacheprovider"],
    "strict": ["-Werror"],
}


@pytest.fixture(autouse=True)
def away_from_github(monkeypatch):
    """Inner runs write nothing into the summary of a job that runs these tests."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def without_patches(no_patches):
    """Inner runs look for none."""


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch):
    """A file that is written anew within a second, in the same size, would be taken for what it was before."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture(params=["worker", "no-cache", "strict"])
def mode(request):
    """The arguments of one way to run pytest; a second worker takes seconds, and is for what two may spoil."""
    return MODES[request.param]


@pytest.fixture(params=["no-cache", "strict"])
def alone(request):
    """The arguments of one way to run pytest in one process: others take seconds to start."""
    return MODES[request.param]


@pytest.fixture(autouse=True)
def warm_xdist(monkeypatch):
    """Workers of pytest-xdist start in no time."""
    command = [warm.executable(), "-u", "-c", execnet.gateway_io.popen_bootstrapline]
    monkeypatch.setattr(execnet.gateway_io, "popen_args", lambda spec: command)


class Plugins:
    """The plugins of inner runs, under the names of their entry points, which take a while to be read."""

    LOADED: ClassVar = {"mia": pytest_mia.plugin, "xdist": xdist.plugin, "xdist.looponfail": xdist.looponfail}

    @staticmethod
    def pytest_addoption(pluginmanager):
        for name, plugin in Plugins.LOADED.items():
            pluginmanager.register(plugin, name)


@pytest.fixture
def pytester(pytester, monkeypatch, request):
    """Only runs with workers look for plugins by their entry points, and those of tests with `by_entry_points`."""
    looks_for_all = pytester.inline_run

    def inline_run(*args, plugins=(), **settings):
        with monkeypatch.context() as patch:
            if not any(str(each).startswith("-n") for each in args) and "by_entry_points" not in request.fixturenames:
                patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
                plugins = [*plugins, Plugins()]
            return looks_for_all(*args, plugins=plugins, **settings)

    monkeypatch.setattr(pytester, "inline_run", inline_run)
    return pytester


@pytest.fixture
def by_entry_points():
    """Ask for it to have pytest look for plugins."""


@pytest.fixture
def written(pytester):
    """Run tests on the fake engine, with hooks, and with fixtures that return the given expressions."""
    pytester.makepyfile(fake_engine=Path(__file__).with_name("fake_engine.py").read_text())

    def run(tests, *args, hooks="", **fixtures):
        pytester.makeconftest(conftest('pytest_plugins = ["fake_engine"]\n' + hooks, **fixtures))
        pytester.makepyfile(test_privacy=tests)
        return pytester.runpytest(*args)

    return run


@pytest.fixture
def fake(written):
    """Run tests on the fake engine, whose audits measure the given advantage."""

    def run(tests, *args, advantage=0.3, hooks=""):
        return written(tests, *args, hooks=hooks, mia_dataset=advantage, mia_model_factory="object")

    return run


@pytest.fixture
def real(pytester):
    """Run tests on the real engine, by few attacks, and with a report."""

    def run(tests, *args, conftest=None):
        pytester.makeconftest(conftest or trees())
        pytester.makepyfile(test_privacy=tests)
        options = ("--mia-jobs=1", "--mia-json=mia.json", f"--mia-attacks={','.join(ATTACKS)}")
        return pytester.runpytest(*options, *args)

    return run


@pytest.fixture
def reported(pytester):
    """Call it for what the report says of each test's audit, by the test's name."""

    def read():
        found = json.loads((pytester.path / "mia.json").read_text())["audits"]
        return {audit["test"].partition("::")[2]: audit for audit in found}

    return read
