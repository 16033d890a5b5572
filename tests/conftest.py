"""What all tests share."""

import gc
import importlib
import os
import sys
import time
import types
from pathlib import Path

import hypothesis
import pytest
import warm

pytest_plugins = ["pytester"]

if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of libraries beside those of another process wait for each other. They look here when they are loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# Timings are for benchmarks: a busy machine is no failure.


QUICK = {"PYTEST_ADDOPTS": "-p no:hypothesispytest"}
"""For runs of pytest inside tests: Hypothesis is loaded for a second at the end of each, whether it is used or not."""


def pytest_configure(config):
    """Processes of pytest-xdist share a server of warm Pythons, which starts while they collect."""
    if sys.platform == "linux" and config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        os.environ[warm.COMMAND] = warm.begin()


@pytest.fixture(scope="session", autouse=True)
def quick_children():
    """Coverage doesn't follow the processes that tests start: it would take twice as long, for a few lines more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        for name, value in QUICK.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def warm_workers():
    """Joblib's workers start warm."""
    if sys.platform == "linux":
        from joblib.externals.loky.backend import popen_loky_posix

        # The module ``sys``, but for the Python that workers are started by.
        stand_in = types.ModuleType("sys")
        stand_in.__getattr__ = lambda name: warm.executable() if name == "executable" else getattr(sys, name)
        popen_loky_posix.sys = stand_in


@pytest.fixture
def pytester(pytester, monkeypatch):
    """The runs of pytest inside tests are quick ones; pytester itself takes this setting away."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    return pytester


@pytest.fixture(scope="session")
def load_benchmark():
    """Call it with the name of a file in benchmarks/, to import what is shown there at length."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
        yield importlib.import_module


def pytest_collection_finish():
    """What tests and libraries consist of stays: to look through it for garbage again and again takes minutes."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_was_read(monkeypatch):
    """A cached model depends on all that its code ever read in this process; in each test it has read nothing yet."""
    from pytest_mia.cache import recorder

    monkeypatch.setattr(recorder, "_records", {})


@pytest.fixture
def no_patches(monkeypatch):
    """What others may have patched in the thousands of modules that tests load isn't looked for.

    That takes half the time of a small audit; `tests/cache` and `tests/whole_audits` do look.
    """
    from pytest_mia.cache import user_modules

    # A function of these tests would be a patch itself.
    monkeypatch.setattr(user_modules, "find_other_modules", list)


@pytest.fixture
def deadline_passes(monkeypatch):
    """Call it to let any deadline of training pass: no test waits for one, or depends on how fast a machine is."""
    from pytest_mia.auditing import audit_run
    from pytest_mia.training import train

    passed = []
    clock = types.SimpleNamespace(perf_counter=lambda: time.perf_counter() + 1e9 * bool(passed))
    monkeypatch.setattr(train, "time", clock)
    monkeypatch.setattr(audit_run, "time", clock)
    return lambda: passed.append(True)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """A Dask scheduler, which takes seconds to start; see `empty`."""
    import clusters

    with clusters.running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def empty(scheduler, monkeypatch):
    """A cluster without workers, whose own the test starts: those end with it."""
    # What other tests loaded, every worker would load too, which takes seconds.
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    yield scheduler
    scheduler.dismiss_workers()


@pytest.fixture
def cached_audit(tmp_path, no_patches):
    """Audit a small tree, or anything else, with a cache in the folder of the test."""
    import whole

    import pytest_mia

    def audit(factory=whole.tree, dataset=whole.NOISE, **settings):
        settings = {"shadows": 3, "attacks": ["loss"], "jobs": 1, "cache_dir": tmp_path / "cache"} | settings
        return pytest_mia.audit(factory, dataset, **settings)

    return audit
