"""What is left of an audit that is killed: 50 times kill -9, at random moments of training and of writing.

    python benchmarks/kills.py [--kills 50] [--seed 0]

Each victim is a process of its own. Audits train in one process or in two workers (every second time the audit alone
is killed, not its workers), and go on in the cache of the one that was killed before; the others write entries of the
cache, or reports, without a pause. Prints the table of benchmarks/README.md; all but its first two columns ought to
be 0.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from pytest_mia.cache.store import Store

TRAINING = """
import json, os, pathlib, sys, time
import numpy as np
from sklearn.tree import DecisionTreeClassifier
import pytest_mia
from pytest_mia.training.backends import loky

loky.WORTH_A_PROCESS = 0.0
folder, seed, jobs = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
X, y = rng.normal(size=(2000, 4)), rng.integers(0, 3, 2000)

class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        (folder / "workers" / str(os.getpid())).touch()
        time.sleep(0.1)
        return super().fit(X, y)

if __name__ == "__main__":
    print(os.getpid(), flush=True)
    result = pytest_mia.audit(
        Slow, (X, y), shadows=int(sys.argv[4]), seed=seed, attacks=["gap", "loss"], jobs=jobs,
        cache_dir=folder / "cache", progress=lambda done, *_: print("done", done, flush=True),
    )
    found = result.to_dict()
    del found["seconds"], found["cache"], found["replay"]
    print(json.dumps(found), flush=True)
"""
ENTRIES = """
import itertools, os, pathlib, sys
import numpy as np
from pytest_mia.cache.store import Entry, Store

print(os.getpid(), flush=True)
kept = Store(pathlib.Path(sys.argv[1]) / "cache")
for number in itertools.count():
    kept.save(f"{number % 3:064x}", Entry({"number": number}, {"values": np.full(500_000, number)}))
    print("done", number + 1, flush=True)
"""
REPORTS = """
import itertools, os, pathlib, sys
from pytest_mia.reports import json
from pytest_mia.results.run_outcome import Place, RunOutcome

print(os.getpid(), flush=True)
place = Place("test_a.py", 1, False)
for number in itertools.count():
    json.write(pathlib.Path(sys.argv[1]) / "mia.json", RunOutcome([({"number": number}, place)] * 50_000))
    print("done", number + 1, flush=True)
"""
SHADOWS = 63


@dataclass
class Outcome:
    """What was found after some kills.

    Attributes
    ----------
    killed
        In the middle of what they did.
    finished
        Audits that came to their end, having been killed or not.
    damaged
        Entries, or reports, that are not whole.
    lost
        Models, or entries, that had been reported as done and aren't there.
    halves
        Audits that gave a verdict and were killed before, or gave other figures than one that nobody kills.
    orphans
        Workers that went on training, two seconds after the audit was gone.
    """

    killed: int = 0
    finished: int = 0
    damaged: int = 0
    lost: int = 0
    halves: int = 0
    orphans: int = 0


@dataclass(frozen=True)
class Victim:
    """A process that was killed.

    Attributes
    ----------
    said
        Its lines of output.
    ended
        Whether it had come to its end before.
    orphans
        How many of its workers were still there two seconds after it.
    """

    said: list[str]
    ended: bool
    orphans: int


def killed(
    script: str, folder: Path, *arguments: object, after: float, workers: bool = False, alone: bool = False
) -> Victim:
    """Run a script and kill it so many seconds after it, or its first worker, began; with workers unless `alone`."""
    command = [sys.executable, "-c", script, str(folder), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        victim, first = int(process.stdout.readline()), process.stdout.readline()
        while workers and process.poll() is None and not works_for(victim, folder):
            time.sleep(0.005)
        time.sleep(after)
        ended = process.poll() is not None
        try:
            (os.kill if alone else os.killpg)(victim, signal.SIGKILL)
        except ProcessLookupError:
            ended = True
        orphans = left_of([*(folder / "workers").glob("*")])
        # Workers that are left hold the pipe open, so this waits for them.
        return Victim([first, *process.stdout.readlines()], ended, orphans)


def works_for(audit: int, folder: Path) -> bool:
    """Whether an audit has a worker that trains."""
    return any(each.name != str(audit) for each in (folder / "workers").iterdir())


def number_done(said: list[str]) -> int:
    """The last number that was reported as done."""
    return max((int(line.split()[1]) for line in said if line.startswith("done")), default=0)


def whole_entries(folder: Path) -> tuple[list[str], int]:
    """Keys of the entries of a cache that are whole, and how many aren't."""
    kept, keys = Store(folder / "cache"), [path.stem[4:] for path in (folder / "cache").glob("*.entry")]
    with warnings.catch_warnings(action="ignore"):
        whole = [key for key in keys if kept.load(key) is not None]
    return whole, len(keys) - len(whole)


def training(folder: Path, kills: int, rng: np.random.Generator, *, jobs: int) -> Outcome:
    """Kill audits, each of which goes on where the one before was killed."""
    found, seed, before = Outcome(), 0, 0
    (folder / "workers").mkdir()
    while found.killed < kills:
        alone = jobs > 1 and found.killed % 2 == 1
        after = rng.uniform(0.0, 1.2 / jobs)
        victim = killed(TRAINING, folder, seed, jobs, SHADOWS, after=after, workers=jobs > 1, alone=alone)
        whole, damaged = whole_entries(folder)
        found.damaged += damaged
        found.lost += max(0, before + number_done(victim.said) - len(whole))
        found.killed += not victim.ended
        found.orphans += victim.orphans
        if victim.ended and not victim.said[-1].startswith("{"):
            raise RuntimeError("an audit failed by itself; its error stands above")
        if victim.said[-1].startswith("{"):
            found.finished += 1
            found.halves += victim.said[-1] != unharmed(seed)
            seed, whole = seed + 1, whole_entries(folder)[0]
        before = len(whole)
    found.finished += 1
    found.halves += whole_run(folder, seed, jobs) != unharmed(seed)
    return found


def whole_run(folder: Path, seed: int, jobs: int) -> str:
    """What an audit finds that nobody kills."""
    command = [sys.executable, "-c", TRAINING, str(folder), str(seed), str(jobs), str(SHADOWS)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines(keepends=True)[-1]


def unharmed(seed: int) -> str:
    """What an audit finds that begins with an empty cache."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "workers").mkdir()
        return whole_run(Path(place), seed, 1)


def left_of(workers: list[Path], patience: float = 2.0) -> int:
    """How many workers are still there after two seconds, of which files have the names; the files go."""
    end = time.monotonic() + patience
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    orphans = sum(map(alive, workers))
    for each in workers:
        each.unlink()
    return orphans


def alive(process: Path) -> bool:
    """Whether a worker is still there, of which a file has the name."""
    try:
        return Path("/proc", process.name, "stat").read_text().split()[2] not in "ZX"
    except OSError:
        return False


def writing(folder: Path, kills: int, rng: np.random.Generator, *, script: str) -> Outcome:
    """Kill a process that writes without a pause."""
    found = Outcome()
    for _ in range(kills):
        victim = killed(script, folder, after=rng.uniform(0.0, 0.3))
        found.killed += not victim.ended
        if script == REPORTS:
            found.damaged += not _is_whole(folder / "mia.json")
            continue
        whole, damaged = whole_entries(folder)
        found.damaged += damaged
        found.lost += max(0, min(3, number_done(victim.said)) - len(whole))
    return found


def _is_whole(report: Path) -> bool:
    try:
        return len(json.loads(report.read_text())["audits"]) == 50_000
    except (OSError, ValueError):
        return False


KINDS: dict[str, tuple[int, Callable[[Path, int, np.random.Generator], Outcome]]] = {
    "training in one process": (15, lambda folder, kills, rng: training(folder, kills, rng, jobs=1)),
    "training in two workers": (15, lambda folder, kills, rng: training(folder, kills, rng, jobs=2)),
    "writing entries of the cache": (10, lambda folder, kills, rng: writing(folder, kills, rng, script=ENTRIES)),
    "writing reports": (10, lambda folder, kills, rng: writing(folder, kills, rng, script=REPORTS)),
}


def main() -> None:
    """Kill, look and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    names = [row.name for row in fields(Outcome)]
    print("|  |", " | ".join(names), "|", flush=True)
    print("|---" * (1 + len(names)) + "|")
    for kind, (share, kill) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = kill(Path(folder), round(given.kills * share / 50), np.random.default_rng(given.seed))
        print(f"| {kind} |", " | ".join(map(str, astuple(found))), "|", flush=True)


if __name__ == "__main__":
    main()
