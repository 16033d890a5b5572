"""Baselines under pytest, on the fake engine: saved, compared with, and judged."""

import json
import re

import pytest

LIMIT = "def test_limit(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.9)\n"
GATE = "def test_growth(assert_no_advantage_regression):\n    assert_no_advantage_regression({})\n"
BOTH = LIMIT + GATE.format("")
WAYS = pytest.mark.parametrize("way", [(), ("-n1", "-Wdefault")], ids=["serial", "xdist"])


@pytest.fixture
def file(pytester):
    return pytester.path / ".mia" / "main.json"


@pytest.fixture
def audits(pytester):
    """The audits of the report, by their tests."""

    def read():
        found = json.loads((pytester.path / "mia.json").read_text())["audits"]
        return {audit["test"].partition("::")[2]: audit for audit in found}

    return read


def trained(pytester):
    path = pytester.path / "trained.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


@WAYS
def test_a_run_saves_what_it_measured(fake, file, way):
    result = fake(BOTH, "--mia-save=main", *way)

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["mia: 2 audits saved in .mia/main.json: commit it"])
    words = json.loads(file.read_text())
    assert list(words["audits"]) == ["test_privacy.py::test_growth", "test_privacy.py::test_limit"]
    assert words["audits"]["test_privacy.py::test_limit"]["advantage"]["estimate"] == 0.3


def test_any_run_saves_the_same_bytes(fake, file):
    def content(*args):
        fake(BOTH, "--mia-save=main", "-Wdefault", *args)
        return file.read_bytes()

    first = content()
    assert first == content()
    file.unlink()
    assert first == content("-n2")
    assert [path.name for path in file.parent.iterdir()] == ["main.json"]


def test_a_run_of_one_test_keeps_the_others(fake, file):
    fake(BOTH, "--mia-save=main")
    before = json.loads(file.read_text())["audits"]
    fake(BOTH, "--mia-save=main", "-k", "test_limit", advantage=0.5)
    after = json.loads(file.read_text())["audits"]

    assert after["test_privacy.py::test_growth"] == before["test_privacy.py::test_growth"]
    assert after["test_privacy.py::test_limit"]["advantage"]["estimate"] == 0.5


INVALID = """
def pytest_configure(config):
    import dataclasses, fake_engine
    found = fake_engine._result
    fake_engine._result = lambda *args: dataclasses.replace(found(*args), findings=("all alike",))
"""


@pytest.mark.parametrize(
    ("advantage", "hooks"), [(0.3, INVALID), ("ValueError('no model')", "")], ids=["invalid", "error"]
)
def test_what_is_no_valid_audit_is_not_saved(fake, file, advantage, hooks):
    result = fake(LIMIT, "--mia-save=main", advantage=advantage, hooks=hooks)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["mia: nothing was saved as the baseline main: no valid audit was made"])
    assert not file.exists()


def test_a_leak_is_saved_too(fake, file):
    fake(LIMIT.replace("0.9", "0.1"), "--mia-save=main").assert_outcomes(failed=1)

    assert file.exists()


def test_collecting_alone_saves_nothing(fake, file):
    fake(LIMIT, "--mia-save=main", "--collect-only")

    assert not file.exists()


@pytest.mark.parametrize(
    ("advantage", "tolerance", "verdict", "reason"),
    [
        (0.31, "tolerance=0.02", "pass", "a change of up to *0.026 can't be ruled out with so few records"),
        (0.4, "", "leak", None),
    ],
)
def test_the_gate(fake, audits, advantage, tolerance, verdict, reason):
    tests = GATE.format(tolerance)
    fake(tests, "--mia-save=main")
    result = fake(tests, "--mia-json=mia.json", advantage=advantage)

    result.assert_outcomes(**{"passed" if verdict == "pass" else "failed": 1})
    audit = audits()["test_growth"]
    assert (audit["metric"], audit["verdict"]) == ("advantage_change", verdict)
    assert audit["judged"] == audit["change"]["difference"]
    assert audit["judged"]["estimate"] == pytest.approx(advantage - 0.3)
    assert audit["change"]["before"]["estimate"] == pytest.approx(0.3)
    told = [each for each in audit["reasons"] if "ruled out" in each]
    assert [re.sub(r"\+0", "*0", each) for each in told] == ([] if reason is None else [reason])


def test_a_regression_says_how_large_it_is_and_what_to_do(fake):
    fake(BOTH, "--mia-save=main")
    result = fake(BOTH, advantage=0.5)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E  *MembershipLeakError: change of the membership advantage 0.200 (0.1?? to 0.2?? at 95% confidence) is "
            "above the tolerance 0.02: the model leaks more than when the baseline was saved",
            "E  *because   the advantage was 0.300 (*)",
            "E  * in the baseline main, and is 0.500 *",
            "E  *try 1 *.mia/main.json*",
            "E  *try 3 *",
            "E  *--mia-save=main",
            "test_privacy.py::test_growth *leak *change +0.200 (+0.1?? to +0.2??) *",
            "  since main *advantage 0.300, now 0.500",
        ]
    )


def test_the_gates_of_an_audit_compare_too(fake):
    tests = "def test_growth(mia_audit):\n    mia_audit.assert_no_advantage_regression()\n"
    fake(tests, "--mia-save=main").assert_outcomes(skipped=1)
    fake(tests).assert_outcomes(passed=1)
    fake(tests, advantage=0.5).assert_outcomes(failed=1)


def test_a_gate_without_a_baseline_trains_nothing(fake, pytester):
    result = fake(GATE.format(""))

    result.assert_outcomes(failed=1)
    told = "there is no baseline main (.mia/main.json); make it with pytest --mia-save=main"
    result.stdout.fnmatch_lines([f"E  *MIAUsageError: {told}"])
    assert trained(pytester) == 0


@pytest.mark.parametrize(
    ("saved", "args", "told"),
    [
        (LIMIT, (), "the baseline main holds no audit of test_privacy.py::test_growth; make it with"),
        (
            GATE.format(""),
            ("--mia-shadows=3",),
            "the audit of * in the baseline main can't be compared: it has shadows 7, not 3; make it with",
        ),
    ],
)
def test_a_foreign_baseline_trains_nothing(fake, pytester, saved, args, told):
    fake(saved, "--mia-save=main")
    before = trained(pytester)
    result = fake(GATE.format(""), *args)

    result.assert_outcomes(failed=1)
    shadows = "3" if args else "7"
    command = f"E  *pytest test_privacy.py::test_growth --mia-shadows={shadows} --mia-seed=0 --mia-save=main"
    result.stdout.fnmatch_lines([f"E  *MIAUsageError: {told}", command])
    assert trained(pytester) == before


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--mia-compare"], "there is no baseline main (.mia/main.json); make it with pytest --mia-save=main"),
        (["--mia-compare=v1"], "there is no baseline v1 (.mia/v1.json); make it with pytest --mia-save=v1"),
        (["--mia-save="], "the name of a baseline must be plain*, got ''"),
        (["--mia-compare=../x", "--mia-save=../x"], "the name of a baseline must be plain*, got '../x'"),
        (["--mia-save=mine"], ".mia/mine.json can't be read as a baseline (*); make it anew *"),
        (["--mia-compare=mine"], ".mia/mine.json can't be read as a baseline (*); make it anew *"),
    ],
)
def test_refused_when_pytest_starts(fake, pytester, args, told):
    pytester.mkdir(".mia").joinpath("mine.json").write_text("{}")
    result = fake(LIMIT, *args)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
    assert trained(pytester) == 0


def test_a_baseline_of_its_own_is_compared_with_another(fake, pytester):
    fake(GATE.format(""), "--mia-save=old")
    result = fake(GATE.format(""), "--mia-compare=old", "--mia-save=new", advantage=0.5)

    result.assert_outcomes(failed=1)
    assert sorted(path.name for path in (pytester.path / ".mia").iterdir()) == ["new.json", "old.json"]
    fake(GATE.format(""), "--mia-compare=new", advantage=0.5).assert_outcomes(passed=1)


def test_an_ini_file_may_name_it_before_it_is_there(fake, pytester):
    pytester.makeini("[pytest]\nmia_compare = main\n")

    fake(BOTH, "--mia-save=main").assert_outcomes(passed=1, skipped=1)
    fake(BOTH).assert_outcomes(passed=2)


@WAYS
def test_every_row_shows_the_change(fake, audits, way):
    fake(LIMIT, "--mia-save=main")
    new = LIMIT + "\ndef test_new(mia_audit):\n    pass\n"
    result = fake(new, "--mia-compare", "--mia-json=mia.json", *way, advantage=0.31)

    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines(
        [
            r"test_privacy.py::test_limit +pass ",
            r"  since main +change \+0\.010 \(-0\.0\d\d to \+0\.0\d\d\)",
            r"test_privacy.py::test_new +not judged ",
            r"  since main +nothing to compare with",
            r"mia: the baseline main holds no audit of test_privacy.py::test_new",
        ],
        consecutive=True,
    )
    limit, added = audits()["test_limit"]["change"], audits()["test_new"]["change"]
    assert set(limit) == {"baseline", "before", "difference", "remark"}
    assert (limit["baseline"], limit["remark"]) == ("main", "")
    assert added["before"] is added["difference"] is None


def test_without_a_comparison_nothing_is_said_of_it(fake, audits):
    result = fake(LIMIT, "--mia-json=mia.json")

    result.stdout.no_fnmatch_line("*since main*")
    assert audits()["test_limit"]["change"] is None


def test_junit_properties(fake, pytester):
    fake(GATE.format(""), "--mia-save=main")
    fake(GATE.format(""), "--mia-compare=main", "--junitxml=junit.xml")

    found = dict(re.findall(r'name="(mia_\w+)" value="([^"]*)"', (pytester.path / "junit.xml").read_text()))
    assert found["mia_baseline"] == "main"
    assert float(found["mia_change"]) == 0
    assert float(found["mia_change_low"]) < 0 < float(found["mia_change_high"])


def test_the_command_that_repeats_it_compares_too(fake, audits):
    fake(LIMIT, "--mia-save=main")
    fake(LIMIT, "--mia-compare", "--mia-json=mia.json")

    assert audits()["test_limit"]["replay"].endswith(" --mia-seed=0 --mia-compare=main")
