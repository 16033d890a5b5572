"""A run that loses a verdict fails."""

import pytest

GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.5)\n"
LOSE = """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    vars(report).pop("mia", None)
    return report
"""


@pytest.mark.parametrize("args", [(), ("-n1", "-Wdefault")])
def test_an_audit_that_is_lost_on_the_way_fails_the_run(fake, args):
    result = fake(GATE, *args, hooks=LOSE)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["mia: lost the verdict of test_privacy.py::test_release; a run that loses a verdict fails"]
    )


def test_a_report_that_cant_leave_its_worker_fails_the_run(fake):
    tests = GATE.replace("):", ", record_property):\n    record_property('figure', __import__('numpy').float64(1))", 1)

    assert fake(tests).ret == 0
    result = fake(tests, "-n1", "-Wdefault")

    assert result.ret != 0
    result.stdout.fnmatch_lines(["mia: lost *; a run that loses a verdict fails"])


def test_a_crashed_worker_fails_the_run(fake):
    result = fake(GATE + "    __import__('os')._exit(0)\n", "-n1", "-Wdefault", "--max-worker-restart=0")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line("*loses a verdict*")
