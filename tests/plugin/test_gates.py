"""The fixtures that give a verdict, on the fake engine: every audit measures 0.300, from 0.280 to 0.320."""

import json

import pytest

ADVANTAGE = """
def test_{name}(assert_membership_advantage_below):
    assert_membership_advantage_below({limit})
"""
PASS, LEAK, UNDECIDED = (
    ADVANTAGE.format(name=name, limit=limit) for name, limit in (("passes", 0.5), ("leaks", 0.1), ("wavers", 0.31))
)


def audits(pytester):
    return json.loads((pytester.path / "mia.json").read_text())["audits"]


def verdicts(pytester):
    return {audit["test"].partition("::")[2]: audit["verdict"] for audit in audits(pytester)}


def test_verdicts_decide_the_build_in_every_mode(fake, pytester, mode):
    result = fake(PASS + LEAK + UNDECIDED, *mode, "--mia-json=mia.json")

    result.assert_outcomes(passed=1, failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(pytester) == {"test_passes": "pass", "test_leaks": "leak", "test_wavers": "inconclusive"}
    result.stdout.fnmatch_lines(
        [
            ">       assert_membership_advantage_below(0.1)",
            "E  *MembershipLeakError: membership advantage 0.300 (0.280 to 0.320 at*above the limit 0.1*",
        ]
    )


def test_the_users_test_is_all_that_a_traceback_shows(fake):
    result = fake(LEAK + "\ndef test_audit(mia_audit):\n    mia_audit.assert_membership_advantage_below(0.1)\n")

    result.assert_outcomes(failed=2)
    for module in ("gates", "judgement", "judging", "gate_arguments", "audit_test", "audit_result"):
        result.stdout.no_fnmatch_line(f"*{module}.py*")
    result.stdout.no_fnmatch_line("*raise error*")


def test_a_bad_argument_shows_no_frames_of_ours(fake):
    result = fake(
        ADVANTAGE.format(name="bad", limit=2) + "\ndef test_audit(mia_audit):\n    mia_audit.assert_tpr_below(0)\n"
    )

    result.assert_outcomes(failed=2)
    for module in ("gates", "judging", "gate_arguments", "audit_test", "audit_result"):
        result.stdout.no_fnmatch_line(f"*{module}.py*")


def test_a_verdict_on_an_attackers_audit_keeps_the_watch(fake, pytester):
    """What a gate returned may be judged again, later in the test."""
    tests = """
        def test_twice(mia_audit):
            judged = mia_audit.assert_membership_advantage_below(0.5)
            judged.assert_tpr_below(0.5, at_fpr=0.1)
        """
    fake(tests, "--mia-json=mia.json").assert_outcomes(passed=1)

    assert [audit["metric"] for audit in audits(pytester)] == ["membership_advantage", "tpr_at_fpr_0.1"]


def test_an_inconclusive_verdict_can_warn_or_skip(fake, pytester):
    result = fake(UNDECIDED, "--mia-inconclusive=warn", "-Wdefault", "--mia-json=mia.json")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*test_privacy.py:2: InconclusiveAuditWarning: membership advantage 0.300*"])

    result = fake(UNDECIDED, "--mia-inconclusive=skip", "--mia-json=mia.json", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED*membership advantage 0.300*is neither clearly below nor clearly above the limit*"]
    )
    assert verdicts(pytester) == {"test_wavers": "inconclusive"}


def test_an_inconclusive_warning_under_W_error_fails_and_is_reported(fake, pytester):
    fake(UNDECIDED, "--mia-inconclusive=warn", "-Werror", "--mia-json=mia.json").assert_outcomes(failed=1)

    assert verdicts(pytester) == {"test_wavers": "inconclusive"}


@pytest.mark.parametrize(
    ("call", "metric", "verdict"),
    [
        ("assert_tpr_below(0.5)", "tpr_at_fpr_0.001", "pass"),
        ("assert_tpr_below(0.1, at_fpr=0.01)", "tpr_at_fpr_0.01", "leak"),
        ("assert_tpr_below(threshold=0.1, at_fpr=0.1, confidence=0.9)", "tpr_at_fpr_0.1", "leak"),
        ("assert_epsilon_below(100.0)", "epsilon", "pass"),
        ("assert_epsilon_below(epsilon=0.1, delta=1e-6)", "epsilon", "leak"),
    ],
)
def test_the_other_gates(fake, pytester, call, metric, verdict):
    result = fake(f"def test_gate({call.partition('(')[0]}):\n    {call}\n", "--mia-json=mia.json")

    result.assert_outcomes(**{"passed" if verdict == "pass" else "failed": 1})
    assert [(audit["metric"], audit["verdict"]) for audit in audits(pytester)] == [(metric, verdict)]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("assert_membership_advantage_below(5)", ["*threshold must be a number above 0 and at most 1, got 5*"]),
        ("assert_membership_advantage_below(None)", ["*threshold must be*got None*"]),
        ("assert_membership_advantage_below(True)", ["*threshold must be*got True*"]),
        ("assert_membership_advantage_below(float('nan'))", ["*threshold must be*got nan*"]),
        ("assert_membership_advantage_below()", ["*TypeError*threshold*"]),
        ("assert_membership_advantage_below(0.1, fpr=0.1)", ["*TypeError*fpr*"]),
        (
            "assert_tpr_below(0.1, at_fpr=0.05, confidence=2)",
            ["*at_fpr must be one of 0.001, 0.01, 0.1, got 0.05*", "*confidence must be*got 2*"],
        ),
        ("assert_epsilon_below(0, delta=1)", ["*epsilon must be*got 0*", "*delta must be*got 1*"]),
    ],
)
def test_bad_arguments_are_refused_before_training(fake, pytester, call, told):
    result = fake(f"def test_gate({call.partition('(')[0]}):\n    {call}\n")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(told)
    assert not (pytester.path / "trained.txt").exists()


def test_a_claim_is_judged_on_coins_where_models_are_trained(written):
    """Memberships of a release are what they are."""
    tests = """
        import pytest

        def test_recipe(assert_epsilon_below, assert_membership_advantage_below):
            assert not assert_epsilon_below(100.0).coins[0].swapped
            assert assert_membership_advantage_below(0.9).coins[0].swapped

        class TestRelease:
            @pytest.fixture
            def mia_target(self):
                return object()

            def test_release(self, assert_epsilon_below):
                assert assert_epsilon_below(100.0).coins[0].swapped
    """
    result = written(tests, mia_dataset="0.3", mia_model_factory="object")

    result.assert_outcomes(passed=2)


def test_a_gate_that_is_never_called_fails_its_test(fake, alone):
    result = fake("def test_forgot(assert_tpr_below, assert_epsilon_below):\n    assert_epsilon_below(100.0)\n", *alone)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["assert_tpr_below: requested and never called, so nothing was checked*"])


def test_a_gate_that_is_never_called_leaves_other_outcomes_alone(fake):
    result = fake(
        """
        import pytest

        def test_fails(assert_tpr_below):
            assert 1 + 1 == 3

        def test_skips(assert_tpr_below):
            pytest.skip("not today")

        def test_expects_a_leak(assert_membership_advantage_below):
            with pytest.raises(AssertionError, match="membership advantage"):
                assert_membership_advantage_below(0.1)
        """
    )

    result.assert_outcomes(failed=1, skipped=1, passed=1)
    result.stdout.fnmatch_lines(["*assert 1 + 1 == 3*"])
    result.stdout.no_fnmatch_line("*never called*")


def test_two_gates_in_one_test_are_two_audits(fake, pytester):
    tests = """
        def test_both(assert_membership_advantage_below, assert_tpr_below):
            assert_membership_advantage_below(0.5)
            assert_tpr_below(0.1, at_fpr=0.1)
        """
    fake(tests, "--mia-json=mia.json").assert_outcomes(failed=1)

    assert [audit["verdict"] for audit in audits(pytester)] == ["pass", "leak"]


def test_the_gates_of_an_audit_are_reported_too(fake, pytester, mode):
    tests = """
        import copy, dataclasses, pickle

        def test_judged(mia_audit):
            mia_audit.assert_membership_advantage_below(threshold=0.5)

        def test_leaks(mia_audit):
            mia_audit.assert_tpr_below(0.1, at_fpr=0.1)

        def test_claims(mia_audit):
            mia_audit.assert_epsilon_below(100.0)

        def test_looks(mia_audit):
            assert mia_audit.advantage.low > 0.2

        def test_copies(mia_audit):
            assert copy.deepcopy(mia_audit).to_dict() == pickle.loads(pickle.dumps(mia_audit)).to_dict()
            assert copy.deepcopy(mia_audit).observer is None
            assert dataclasses.asdict(mia_audit)["observer"] is None
        """
    fake(tests, *mode, "--mia-json=mia.json").assert_outcomes(passed=4, failed=1)

    assert verdicts(pytester) == {
        "test_judged": "pass",
        "test_leaks": "leak",
        "test_claims": "pass",
        "test_looks": None,
        "test_copies": None,
    }


def test_an_error_of_the_engine_is_never_a_pass(fake, mode):
    tests = PASS + "\ndef test_looks(mia_audit):\n    pass\n"
    result = fake(tests, *mode, advantage="__import__('pytest_mia').MIAUsageError(['first', 'second'])")

    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["E  *MIAUsageError: 2 problems:", "E  *- first", "E  *- second"])


def test_every_audit_shows_the_command_that_repeats_it(fake, pytester):
    tests = """
        import pytest

        @pytest.mark.mia(shadows=16, attacks=["loss", "gap"])
        @pytest.mark.parametrize("name", ["two words"])
        def test_release(assert_membership_advantage_below, name):
            assert_membership_advantage_below(0.5)
        """
    fake(tests, "--mia-seed=3", "--mia-json=mia.json").assert_outcomes(passed=1)

    (audit,) = audits(pytester)
    assert audit["replay"] == (
        "pytest 'test_privacy.py::test_release[two words]' --mia-shadows=16 --mia-seed=3 --mia-attacks=loss,gap"
    )


def test_the_command_starts_where_pytest_was_called(fake, pytester, monkeypatch):
    fake(LEAK)
    pytester.makeini("[pytest]\n")
    pytester.mkdir("sub")
    monkeypatch.chdir("sub")

    pytester.runpytest("..").stdout.fnmatch_lines(["E *replay *pytest ../test_privacy.py::test_leaks --mia-shadows=7*"])


INVALID = """
def pytest_configure(config):
    import dataclasses, fake_engine
    found = fake_engine._result
    fake_engine._result = lambda *args: dataclasses.replace(found(*args), findings=("nothing was trained",))
"""


def test_figures_of_an_invalid_audit_come_with_a_warning(fake):
    """Whoever asserts on them alone would take them for a pass."""
    result = fake(
        "def test_looks(mia_audit):\n    assert mia_audit.advantage.estimate < 0.5\n", "-Wdefault", hooks=INVALID
    )

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*InvalidAuditWarning: this audit is invalid, and a gate would say so: nothing was*"])


CAUGHT = """
import pytest

def test_catches(assert_membership_advantage_below):
    with pytest.raises(AssertionError):
        assert_membership_advantage_below(0.1)

@pytest.mark.xfail
def test_expects(assert_membership_advantage_below):
    assert_membership_advantage_below(0.1)
"""


@pytest.mark.parametrize("mode", [[], ["-n1"]], ids=["serial", "xdist"])
def test_one_that_passes_though_its_audit_does_not_is_named(fake, mode):
    result = fake(CAUGHT + LEAK + PASS, *mode)

    result.assert_outcomes(passed=2, failed=1, xfailed=1)
    said = [line for line in result.outlines if "though its verdict" in line]
    assert said == ["mia: test_privacy.py::test_catches passed, though its verdict is leak: the test caught the error"]
