"""Ctrl-C: the run ends at once, its workers too, and nothing of the audit that was interrupted is a verdict."""

import json
import os
import signal
import subprocess
import time

import pytest
import warm
from projects import trees

SLOW = """
import os, pathlib, signal, time

# As at a terminal: where a shell runs the tests in the background, they and all that they start ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
RUN, FOLDER = os.getpid(), pathlib.Path(__file__).parent / "workers"
pathlib.Path(__file__).with_name("run").write_text(str(RUN))

class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        if os.getpid() != RUN:
            (FOLDER / str(os.getpid())).touch()
            time.sleep(600)
        time.sleep(0.7)
        return super().fit(X, y)
"""
TESTS = """
def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below(0.9)

def test_later():
    pass
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes, as a terminal interrupts them")
def test_an_interrupt_from_the_keyboard(pytester):
    pytester.makeconftest(trees(80, SLOW, mia_model_factory="Slow"))
    pytester.makepyfile(test_privacy=TESTS)
    workers = pytester.mkdir("workers")
    command = [warm.executable(), "-m", "pytest", "--mia-shadows=3", "--mia-jobs=2", "--mia-json=mia.json", "-Wdefault"]
    with pytester.popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        while len([*workers.iterdir()]) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(int((pytester.path / "run").read_text()), signal.SIGINT)
        # The pipe closes with the last worker.
        output = process.communicate(timeout=60)[0].decode()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "lost the verdict of test_privacy.py::test_release" in output
    assert "passed" not in output
    assert json.loads((pytester.path / "mia.json").read_text())["audits"] == []
