"""Attackers who know more or less of the records, under pytest."""

import pytest
from projects import trees

GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.3)\n"
KNOWLEDGE = "{'insider': None, 'a part': part(noise(400), 0.5), 'statistics': marginals(noise(400), 200)}"


@pytest.mark.parametrize("mode", ["worker", "strict"], indirect=True)
def test_attackers_are_compared(real, reported, mode):
    code = "from pytest_mia.knowledge import marginals, part\n"
    attackers = trees(code=code, mia_shadow_dataset=KNOWLEDGE)
    result = real(GATE, "--mia-shadows=3", *mode, conftest=attackers)

    result.assert_outcomes(failed=1)
    found = reported()["test_release"]
    assert [each["name"] for each in found["attackers"]] == ["insider", "a part", "statistics"]
    assert found["verdict"] == "leak"
    assert found["judged"] == next(each for each in found["attackers"] if each["name"] == found["attacker"])["judged"]
    result.stdout.fnmatch_lines(
        [
            "E * against   insider: *",
            "E * against   statistics: *",
            "test_privacy.py::test_release *",
            "  against insider *",
        ]
    )
