"""The JSON report, the JUnit properties and the table at the end of a run."""

import json
import re
from xml.etree import ElementTree

import pytest

from pytest_mia import __version__
from pytest_mia.reports import atomic_write

TESTS = """
import pytest

@pytest.mark.parametrize("limit", [0.9, 0.1, 0.31, 0.8, 0.7, 0.6, 0.5, 0.4])
def test_release(assert_membership_advantage_below, limit):
    assert_membership_advantage_below(limit)

def test_claim(assert_epsilon_below):
    assert_epsilon_below(100.0)

def test_look(mia_audit):
    pass

def test_other():
    pass
"""
VERDICTS = ["pass", "leak", "inconclusive", "pass", "pass", "pass", "pass", "pass", "pass", None]


@pytest.fixture
def report(fake, pytester):
    """Run `TESTS` and read the JSON report."""

    def run(*args):
        fake(TESTS, "--mia-json=mia.json", *args)
        return json.loads((pytester.path / "mia.json").read_text(encoding="utf-8"))

    return run


@pytest.mark.parametrize("mode", ["workers", "no-cache", "strict"], indirect=True)
def test_the_json_report_holds_every_audit_in_the_order_of_tests(report, mode):
    found = report(*mode)

    assert found["schema"] == "pytest-mia/1"
    assert found["pytest_mia"] == __version__
    assert {"python", "platform", "pytest", "numpy", "scipy", "scikit-learn"} <= set(found["environment"])
    assert [audit["verdict"] for audit in found["audits"]] == VERDICTS
    assert [audit["test"] for audit in found["audits"]] == [
        *(f"test_privacy.py::test_release[{limit}]" for limit in (0.9, 0.1, 0.31, 0.8, 0.7, 0.6, 0.5, 0.4)),
        "test_privacy.py::test_claim",
        "test_privacy.py::test_look",
    ]


def test_an_audit_in_the_json_report(report):
    leak = report()["audits"][1]

    for name, value in {
        "kind": "recipe",
        "metric": "membership_advantage",
        "threshold": 0.1,
        "advantage": {"estimate": 0.3, "low": pytest.approx(0.28), "high": 0.32, "confidence": 0.95},
        "attack": "loss",
        "shadows": 7,
        "models": 8,
        "records": 20000,
        "accuracy": {"train": 1.0, "test": 0.875},
        "slices": [],
        "most_exposed": [],
        "seed": 0,
        "device": "cpu",
        "seconds": {"training": 1.0, "attacks": 0.5},
    }.items():
        assert leak[name] == value
    assert leak["attacks"][0]["auc"] == 0.75
    assert leak["attacks"][0]["tpr_at_fpr"] == {"0.001": 0.3, "0.01": 0.3, "0.1": 0.3}
    assert len(leak["reasons"]) == 1


def test_groups_of_xdist_are_no_part_of_a_tests_name(fake, pytester):
    tests = """
        import pytest

        @pytest.mark.xdist_group("one")
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.5)
        """
    fake(tests, "-n1", "--dist=loadgroup", "-Wdefault", "--mia-json=mia.json").assert_outcomes(passed=1)

    (audit,) = json.loads((pytester.path / "mia.json").read_text())["audits"]
    assert audit["test"] == "test_privacy.py::test_release"


def test_a_run_without_audits_writes_an_empty_report(fake, pytester):
    fake("def test_other(): pass", "--mia-json=mia.json")

    assert json.loads((pytester.path / "mia.json").read_text())["audits"] == []


def test_collecting_alone_leaves_a_report_as_it_is(fake, pytester):
    pytester.path.joinpath("mia.json").write_text("before")

    fake(TESTS, "--mia-json=mia.json", "--collect-only")

    assert pytester.path.joinpath("mia.json").read_text() == "before"


def test_a_report_that_cant_be_written_fails_the_run_and_leaves_nothing_behind(fake, pytester):
    tests = """
        import os

        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.5)
            os.mkdir("mia.json")
        """
    result = fake(tests, "--mia-json=mia.json")

    assert result.ret != 0
    assert [path.name for path in pytester.path.iterdir() if path.name.startswith(".mia")] == []


def test_junit_properties(fake, pytester, mode):
    fake(TESTS, "--junitxml=junit.xml", *mode)

    cases = {
        case.get("name"): {each.get("name"): each.get("value") for each in case.iter("property")}
        for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    }
    leak = cases["test_release[0.1]"]
    assert {name: leak[name] for name in ("mia_verdict", "mia_metric", "mia_attack")} == {
        "mia_verdict": "leak",
        "mia_metric": "membership_advantage",
        "mia_attack": "loss",
    }
    figures = ("mia_advantage", "mia_advantage_low", "mia_advantage_high", "mia_threshold", "mia_auc")
    assert [float(leak[name]) for name in figures] == pytest.approx([0.3, 0.28, 0.32, 0.1, 0.75])
    assert cases["test_claim"]["mia_metric"] == "epsilon"
    assert not {"mia_verdict", "mia_threshold"} & set(cases["test_look"])
    assert cases["test_other"] == {}


def test_the_table_has_one_row_per_audit(fake, alone):
    _, _, table = fake(TESTS, *alone).stdout.str().partition("= membership inference audits =")
    rows = [re.split(r"  +", line) for line in table.splitlines()[1:12]]

    measured, rest = "advantage 0.300 (0.280 to 0.320)", ["loss", "0.750", "1.000/0.875", "7", "1.5"]
    assert rows[0] == [
        *("test", "verdict", "measured (low to high)", "limit", "attack", "AUC", "train/test", "shadows", "seconds")
    ]
    assert rows[1] == ["test_privacy.py::test_release[0.9]", "pass", measured, "0.9", *rest]
    assert rows[2] == ["test_privacy.py::test_release[0.1]", "leak", measured, "0.1", *rest]
    assert rows[3] == ["test_privacy.py::test_release[0.31]", "inconclusive", measured, "0.31", *rest]
    assert rows[9][:2] == ["test_privacy.py::test_claim", "pass"]
    assert re.fullmatch(r"epsilon \d\.\d{3} or more", rows[9][2])
    assert rows[9][3:] == ["100", *rest]
    assert rows[10] == ["test_privacy.py::test_look", "not judged", measured, "-", *rest]
    assert "pass: these attacks, at this strength, did not exceed the limit; that is no proof of privacy" in table


def test_verdicts_have_pytests_colours(fake):
    out = fake(TESTS, "--color=yes").stdout.str()
    for verdict, colour in (("pass", 32), ("leak", 31), ("inconclusive", 33)):
        assert re.search(rf"::test_release\S+ +\x1b\[{colour}m{verdict} *\x1b\[0m", out)
    assert re.search(r"::test_look +not judged ", out)

    assert "\x1b" not in fake(TESTS, "--color=no").stdout.str()


def test_a_run_without_audits_shows_its_header_alone(fake):
    result = fake("def test_other(): pass")

    result.stdout.fnmatch_lines(["mia: shadows 7, device auto, seed 0, confidence 0.95"])
    assert "membership" not in result.stdout.str()


def test_the_header_says_that_audits_are_skipped(fake):
    fake("def test_other(): pass", "--mia-skip").stdout.fnmatch_lines(["mia: audits are skipped"])


def test_a_message_fits_eighty_columns_and_any_terminal(fake):
    out = fake(TESTS, "--color=no").stdout
    told = [line for line in out.lines if line.startswith("E   ")]
    folded = [line for line in told if "Error: " not in line and " replay " not in line]

    assert len(folded) > 10
    assert max(map(len, folded)) <= 80
    assert out.str().isascii()


def refuse(*args, **keywords):
    raise OSError(28, "No space left on device")


def test_a_report_that_cant_be_written_fails_the_run_and_leaves_the_verdicts(written, monkeypatch):
    monkeypatch.setattr(atomic_write, "write", refuse)
    tests = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.9)\n"
    result = written(tests, "--mia-json=mia.json", mia_dataset=0.3, mia_model_factory="object")

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["mia: a report can't be written: *No space left on device", "test_privacy.py::test_release  pass *"]
    )
