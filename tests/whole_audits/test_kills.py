"""A part of benchmarks/kills.py, which kills audits 50 times: nothing done is lost, nothing half done counts."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import warm

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.fixture(scope="module")
def kills():
    spec = importlib.util.spec_from_file_location("kills", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["training in two workers", "writing entries of the cache", "writing reports"])
def test_what_is_killed_leaves_nothing_half_done(kills, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(sys, "executable", warm.executable())
    monkeypatch.setattr(kills, "SHADOWS", 15)
    _, kill = kills.KINDS[kind]
    found = kill(tmp_path, 1, np.random.default_rng(0))
    assert found.killed == 1
    assert (found.damaged, found.lost, found.halves, found.orphans) == (0, 0, 0, 0)
