"""Tests that ask for the same audit train once; tests that don't, don't."""

import pytest

TWO = """
import numpy as np, pytest, sys
{extra}
{before_first}
def test_first(assert_membership_advantage_below{use_first}):
    {first}
    assert_membership_advantage_below({limit})

{before_second}
def test_second(mia_audit{use_second}):
    mia_audit.assert_membership_advantage_below({limit})
"""
DEFAULTS = dict.fromkeys(("extra", "before_first", "before_second", "use_first", "use_second"), "") | {
    "first": "pass",
    "limit": 0.5,
}


@pytest.fixture
def trainings(fake, pytester):
    """How often two tests train."""

    def count(**parts):
        fake(TWO.format(**DEFAULTS | parts)).assert_outcomes(passed=2)
        return len((pytester.path / "trained.txt").read_text().splitlines())

    return count


OWN = "@pytest.fixture\ndef {name}({use}):\n    {value}\n"


@pytest.mark.parametrize(
    "extra",
    [
        "",
        OWN.format(name="mia_model_factory", use="", value="return lambda: np.zeros(3)"),
        OWN.format(name="mia_shadow_dataset", use="", value="return np.arange(10000.0), [0] * 10000"),
    ],
)
def test_the_same_content_trains_once(trainings, extra):
    assert trainings(extra=extra) == 1


@pytest.mark.parametrize(
    "value",
    [
        "return np.arange(3.0) + (request.node.name == 'test_first')",
        "one = int(request.node.name == 'test_first'); return lambda: one",
        "monkeypatch.setattr(sys.modules[__name__], 'DEPTH', len(request.node.name)); return lambda: DEPTH",
        "import helper; monkeypatch.setattr(helper, 'DEPTH', len(request.node.name)); return helper.make",
        "monkeypatch.setenv('DEPTH', request.node.name); return object",
        "tmp_path.joinpath(request.node.name).mkdir(); monkeypatch.chdir(tmp_path / request.node.name); return object",
    ],
)
def test_different_content_trains_again(trainings, pytester, value):
    pytester.makepyfile(helper="DEPTH = 0\n\ndef make():\n    return DEPTH\n")
    use = "request, monkeypatch, tmp_path"

    extra = "DEPTH = 0\n" + OWN.format(name="mia_training", use=use, value=value)

    assert trainings(extra=extra) == 2


def test_different_settings_train_again(trainings):
    assert trainings(before_second="@pytest.mark.mia(seed=1)") == 2


def test_what_cant_be_told_by_its_content_is_never_shared(trainings):
    extra = OWN.format(name="mia_training", use="", value="return (step for step in range(3))")

    assert trainings(extra=extra) == 2


def test_what_cant_be_told_by_its_content_is_shared_within_a_test(trainings):
    extra = OWN.format(name="mia_training", use="", value="return (step for step in range(3))")
    first = "assert_membership_advantage_below(0.4)"

    assert trainings(extra=extra, first=first) == 2


def test_outputs_in_a_file_are_never_told_by_its_name(trainings):
    assert trainings(extra=OWN.format(name="mia_outputs", use="", value="return 'outputs.npz'")) == 2


def test_each_test_gets_its_own_name_and_command(fake, pytester):
    result = fake(TWO.format(**DEFAULTS | {"limit": 0.1}))

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E *replay *::test_first *", "E *replay *::test_second *"])


def test_a_release_is_audited_once_for_all_limits(fake, pytester):
    tests = TWO.format(
        **DEFAULTS | {"extra": OWN.format(name="mia_target", use="", value="return 'model'"), "limit": 0.5}
    )

    fake(tests, advantage=0.01).assert_outcomes(passed=2)

    assert len((pytester.path / "trained.txt").read_text().splitlines()) == 1
