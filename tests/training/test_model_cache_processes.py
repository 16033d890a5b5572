"""Models in the cache outlive the process that trained them, and are trained by one process alone."""

import contextlib
import json
import os
import signal
import subprocess

import pytest
import warm
from whole import entries

SCRIPT = """
import json, os, pathlib, sys, time
import numpy as np
from sklearn.tree import DecisionTreeClassifier
import pytest_mia
from pytest_mia.training.backends import loky

loky.WORTH_A_PROCESS = 0.0
rng = np.random.default_rng(0)
X, y = rng.normal(size=(120, 4)), rng.integers(0, 3, 120)

FOLDER, PAUSE = pathlib.Path(sys.argv[1]), float(sys.argv[3])

class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        time.sleep(PAUSE)
        while len([*FOLDER.glob("*.entry")]) >= 4 and not (FOLDER.parent / "go").exists():
            time.sleep(0.05)
        return super().fit(X, y)

def main():
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    result = pytest_mia.audit(
        Slow, (X, y), shadows=7, attacks=["loss"], jobs=int(sys.argv[2]),
        cache_dir=sys.argv[1], progress=lambda done, models, _: print(f"{done}/{models}", flush=True),
    )
    found = result.to_dict()
    del found["seconds"], found["replay"]
    print(json.dumps(found), flush=True)

if __name__ == "__main__":
    main()
"""


@contextlib.contextmanager
def started(tmp_path, jobs=1, cache="cache", *, pause):
    """An audit in another process, and its id: it waits until it is told to begin, after 4 models for the file go."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [warm.executable(), script, tmp_path / cache, str(jobs), str(pause)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process, int(process.stdout.readline())


def finished(process):
    *_, last = process.communicate("\n", timeout=120)[0].splitlines()
    return json.loads(last)


@pytest.mark.parametrize(("jobs", "pause"), [(1, 0.0), pytest.param(2, 0.1, marks=pytest.mark.slow)])
def test_a_killed_audit_goes_on_from_the_models_that_were_finished(tmp_path, jobs, pause):
    with started(tmp_path, jobs, pause=pause) as (process, audit):
        process.stdin.write("\n")
        process.stdin.flush()
        while process.stdout.readline() != "4/8\n":
            assert process.poll() is None
        os.killpg(audit, signal.SIGKILL)
        # The pipe closes with the last process that could write an entry.
        process.stdout.read()
    finished_before = len(entries(tmp_path))
    (tmp_path / "go").touch()
    with started(tmp_path, jobs, pause=pause) as (process, _):
        after = finished(process)
    with started(tmp_path, jobs, "another", pause=pause) as (process, _):
        whole = finished(process)

    assert 4 <= finished_before < 8
    assert after.pop("cache") == {"hits": finished_before, "misses": 8 - finished_before}
    assert whole.pop("cache") == {"hits": 0, "misses": 8}
    assert after == whole
    assert not any("cache" in note for note in after["notes"])


def test_two_processes_train_each_model_once(tmp_path):
    (tmp_path / "go").touch()
    with started(tmp_path, pause=0.4) as (one, _), started(tmp_path, pause=0.4) as (other, _):
        one.stdin.write("\n")
        one.stdin.flush()
        found = finished(other), finished(one)
    uses = [each.pop("cache") for each in found]

    assert sum(use["misses"] for use in uses) == 8
    assert sum(use["hits"] for use in uses) == 8
    assert min(use["misses"] for use in uses) >= 2, "both trained"
    assert found[0] == found[1]
    assert len(entries(tmp_path)) == 8 + 2, "the attacks' result, and a control of the user's own class"
