"""The fixtures that give a verdict."""

import pytest

GATE = """
def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below({limit})
"""


def test_pass_and_leak(fake, mode):
    tests = GATE.format(limit=0.5) + GATE.format(limit=0.1).replace("test_release", "test_other")

    result = fake(tests, *mode)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*E  *MembershipLeakError: membership advantage 0.300 (0.280 to 0.320*above*0.1*"])
    result.stdout.no_fnmatch_line("*gates.py*")
    result.stdout.no_fnmatch_line("*trial.py*")
