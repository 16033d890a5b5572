"""What a second run costs: audits of Location-30 under pytest, with an empty cache and with a full one.

    python benchmarks/store.py [--data ../shared/data/location30.npz] [--repeats 5]

Each run is a pytest process of its own. Beside them a run of a test that does nothing, with the same conftest, so with
the same libraries loaded, shows what pytest itself takes. Prints the table of benchmarks/README.md: the median of the
repeats, in seconds of wall-clock time and of processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CONFTEST = """
import numpy as np
import pytest
{imports}

@pytest.fixture
def mia_dataset():
    data = np.load({data!r})
    return data["X"], data["y"]

@pytest.fixture
def mia_model_factory():
    return {factory}
"""
AUDIT = """
def test_release(mia_audit):
    assert mia_audit.models == 8
"""
NOTHING = """
def test_nothing():
    pass
"""
MODELS = {
    "logistic regression": (
        "from sklearn.linear_model import LogisticRegression",
        "lambda: LogisticRegression(max_iter=200)",
    ),
    "torch network 446-128-30": (
        "from torch import nn",
        "lambda: nn.Sequential(nn.Linear(446, 128), nn.Tanh(), nn.Linear(128, 30))",
    ),
}


@dataclass(frozen=True)
class Run:
    """Seconds that a pytest process took, by the wall clock and by its processors, and how many models it trained."""

    wall: float
    processor: float
    trained: int


def run(folder: Path, test: str, *options: str) -> Run:
    """One pytest process on one of the two tests."""
    report = folder / "mia.json"
    command = [sys.executable, "-m", "pytest", "-q", f"test_{test}.py", f"--mia-json={report}", *options]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    audits = json.loads(report.read_text())["audits"]
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, processor, sum(audit["cache"]["misses"] for audit in audits))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/location30.npz"))
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    print("| model | run | models trained | wall clock | over pytest alone | processor | over pytest alone |")
    print("|---|---|---|---|---|---|---|")
    for name, (imports, factory) in MODELS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            lines = CONFTEST.format(imports=imports, factory=factory, data=os.fspath(given.data.resolve()))
            for file, text in {"conftest": lines, "test_audit": AUDIT, "test_nothing": NOTHING}.items():
                (folder / f"{file}.py").write_text(text)
            run(folder, "nothing")
            rounds = [
                {
                    "pytest alone": run(folder, "nothing"),
                    "cold": run(folder, "audit", "--cache-clear"),
                    "warm": run(folder, "audit"),
                }
                for _ in range(given.repeats)
            ]
        for kind in rounds[0]:
            wall, processor = (
                [statistics.median(getattr(each[which], part) for each in rounds) for which in (kind, "pytest alone")]
                for part in ("wall", "processor")
            )
            cells = [f"{took:.2f} | {took - alone:+.2f}" for took, alone in (wall, processor)]
            print(f"| {name} | {kind} | {rounds[0][kind].trained} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
