"""The progress line: in a terminal, in a log, and in a worker."""

import os
import re
import subprocess

import pytest
import warm

from pytest_mia.plugin.progress import words

GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.5)\n"
PLAN = "mia: 8 models to train; 1/8 models, 4 s, about 28 s left"
OTHER = "\ndef test_other():\n    pass\n\n"


@pytest.mark.parametrize(
    ("done", "seconds", "line"),
    [
        (0, 0.0, "mia: 0/8 models, 0 s"),
        (3, 12.0, "mia: 3/8 models, 12 s, about 20 s left"),
        (1, 100.0, "mia: 1/8 models, 100 s, about 12 min left"),
        (4, 7200.0, "mia: 4/8 models, 2.0 h, about 2.0 h left"),
        (8, 32.0, "mia: 8/8 models, 32 s"),
    ],
)
def test_words(done, seconds, line):
    assert words(done, 8, seconds) == line


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ((), ["test_privacy.py ", PLAN, "test_privacy.py ..*"]),
        (("-v",), ["test_privacy.py::test_release ", PLAN, "test_privacy.py::test_release PASSED*"]),
        (("-q",), [PLAN, "..*"]),
    ],
)
def test_a_log_gets_one_plain_line_although_pytest_captures(fake, args, shown):
    result = fake(GATE + OTHER, *args)

    result.stdout.fnmatch_lines(shown, consecutive=True)
    assert [line for line in result.stdout.lines if "models" in line] == [PLAN]


def test_a_log_gets_its_line_after_the_dots_of_other_tests(fake):
    fake(OTHER + GATE, "-q").stdout.fnmatch_lines([".", PLAN, ".*"], consecutive=True)


def test_it_shows_without_capture_too(fake):
    for args in (("-s",), ("-p", "no:capture")):
        fake(GATE, *args).stdout.fnmatch_lines([PLAN])


def test_nothing_in_a_worker_or_without_a_terminal(fake):
    fake(GATE, "-n1", "-Wdefault").stdout.no_fnmatch_line("*8 models to train*")
    fake(GATE, "-p", "no:terminal").stdout.no_fnmatch_line("*8 models to train*")


def test_it_keeps_out_of_what_a_test_captures(fake):
    tests = """
        def test_release(assert_membership_advantage_below, capsys):
            print("mine")
            assert_membership_advantage_below(0.5)
            assert capsys.readouterr().out == "mine\\n"
        """
    result = fake(tests)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([PLAN])


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_gets_a_live_line_that_leaves_pytests_own_alone(fake, pytester):
    fake(GATE + OTHER)  # writes the files
    raw, shown = in_terminal([warm.executable(), "-m", "pytest", "-pno:cacheprovider", "--color=no", "-Wdefault"])

    assert "\rmia: 3/8 models, 12 s, about 20 s left" in raw
    assert [line for line in shown if line.startswith("mia: ") and "models" in line] == [
        "mia: 8 models to train",
        "mia: 8/8 models, 32 s",
    ]
    assert any(re.fullmatch(r"test_privacy\.py \.\. +\[100%\]", line) for line in shown)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_narrow_terminal_gets_rows_that_are_folded(fake):
    fake(GATE)  # writes the files
    _, shown = in_terminal([warm.executable(), "-m", "pytest", "-pno:cacheprovider", "--color=no", "-Wdefault"])

    first = shown.index("test_privacy.py::test_release  pass")
    assert shown[first + 1 : first + 3] == [
        "  advantage 0.300 (0.280 to 0.320), limit 0.5, attack loss, AUC 0.750,",
        "  train/test 1.000/0.875, shadows 7, seconds 1.5",
    ]


def in_terminal(command):
    """What a command writes to a terminal, and the lines that a person is left with."""
    ours, theirs = os.openpty()
    environment = os.environ | {"COLUMNS": "80"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment):
        os.close(theirs)
        raw = b""
        while chunk := read(ours):
            raw += chunk
    os.close(ours)
    text = raw.decode().replace("\r\n", "\n")
    return text, [after_returns(line).rstrip() for line in text.split("\n")]


def read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except OSError:
        # Linux says so when the other end is closed.
        return b""


def after_returns(line):
    """A line of a terminal in which carriage returns let later text cover earlier text."""
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown


def test_an_error_ends_the_line(fake):
    result = fake(GATE, "-Wdefault", advantage="ValueError('no model')")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_privacy.py *", PLAN, "test_privacy.py F *"])
