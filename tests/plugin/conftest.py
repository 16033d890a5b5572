"""Runs of pytest inside these tests."""

import importlib
import json
import sys
from pathlib import Path

import execnet.gateway_io
import pytest
import warm
from projects import ATTACKS, conftest, trees

# An inner run drops what it imported first, and numpy can't be imported twice: so all that is needed is imported here.
# What distributed brings along takes the place of importlib.metadata: dropped, it would leave no package to be found.
LOADED = ["_pytest.stepwise", "distributed", "joblib", "matplotlib.figure", "xdist.dsession"]
LOADED += [f"sklearn.{name}" for name in ("compose", "dummy", "ensemble", "naive_bayes", "pipeline", "tree")]
LOADED += ["pytest_mia.auditing.run", "pytest_mia.plugin.audit_test", "pytest_mia.training.backends.loky"]
LOADED += [f"pytest_mia.reports.{name}" for name in ("github", "html", "json", "registry", "terminal")]
LOADED += [f"pytest_mia.verdicts.{name}" for name in ("baseline", "gate_arguments", "judgement", "next_steps")]
for name in LOADED:
    importlib.import_module(name)

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
def warm_xdist(monkeypatch, request):
    """Workers of pytest-xdist start in no time, but those of tests with `cold_workers`."""
    if "cold_workers" not in request.fixturenames:
        command = [warm.executable(), "-u", "-c", execnet.gateway_io.popen_bootstrapline]
        monkeypatch.setattr(execnet.gateway_io, "popen_args", lambda spec: command)


class Plugins:
    """The plugins of inner runs, under the names of their entry points, which take a while to be read."""

    @staticmethod
    def pytest_addoption(pluginmanager):
        for name, module in (("mia", "pytest_mia.plugin"), ("xdist", "xdist.plugin")):
            pluginmanager.register(importlib.import_module(module), name)


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
