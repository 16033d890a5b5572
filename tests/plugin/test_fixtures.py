"""The fixtures that users write: which are needed, and what happens without them."""

import re

import pytest

GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.5)\n"
LOOK = "def test_look(mia_audit):\n    assert mia_audit.kind == {kind!r}\n"


def test_missing_fixtures_are_all_shown_with_the_lines_to_write(written, pytester, alone):
    result = written(GATE, *alone)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E  *MIAUsageError: 2 problems:",
            "*the fixture mia_dataset is missing; write in conftest.py:",
            "*@pytest.fixture",
            "*def mia_dataset():",
            "*return X, y*",
            "*the fixture mia_model_factory is missing; write in conftest.py:",
            "*def mia_model_factory():",
            "*return lambda: RandomForestClassifier()*",
        ]
    )
    result.stdout.no_fnmatch_line("*trial.py*")
    result.stdout.no_fnmatch_line("*loses a verdict*")
    assert not (pytester.path / "trained.txt").exists()


def test_only_what_is_missing_is_shown(written):
    result = written(GATE, mia_dataset="0.3")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E  *MIAUsageError: the fixture mia_model_factory is missing*"])
    result.stdout.no_fnmatch_line("*mia_dataset is missing*")


@pytest.mark.parametrize(
    ("args", "fixtures", "kind"),
    [
        ((), {"mia_outputs": "'outputs'"}, "recipe"),
        ((), {"mia_target": "'model'", "mia_model_factory": "object"}, "release"),
        ((), {"mia_target": "'model'", "mia_shadow_factory": "object"}, "release"),
        (("--mia-shadows=0",), {"mia_target": "'model'"}, "release"),
    ],
)
def test_what_is_not_needed_may_be_missing(written, args, fixtures, kind):
    written(LOOK.format(kind=kind), *args, **fixtures).assert_outcomes(passed=1)


def test_shadows_of_a_release_need_a_factory(written):
    result = written(LOOK.format(kind="release"), mia_target="'model'")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E  *MIAUsageError: the fixture mia_model_factory is missing*"])


def test_the_users_fixtures_may_be_parametrised_and_of_any_scope(fake, alone):
    tests = """
        import pytest

        @pytest.fixture(scope="session", params=[0.1, 0.7])
        def mia_dataset(request):
            return request.param

        @pytest.fixture(scope="module")
        def mia_model_factory(mia_dataset, mia_training):
            return lambda: mia_dataset

        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.5)
        """
    fake(tests, *alone).assert_outcomes(passed=1, failed=1)


def test_an_error_in_a_users_fixture_is_the_users_own(fake):
    result = fake(GATE, advantage="1 / 0")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([">       return 1 / 0", "E  *ZeroDivisionError*"])


def test_shadow_models_are_trained_once_for_all_tests(fake, pytester):
    tests = """
        def test_count(shadow_models):
            assert len(shadow_models) == 4

        def test_again(shadow_models):
            assert len(shadow_models) == 4
        """
    fake(tests, "--mia-shadows=4").assert_outcomes(passed=2)

    assert len((pytester.path / "trained.txt").read_text().splitlines()) == 1


def test_the_fixtures_describe_themselves(pytester):
    result = pytester.runpytest("--fixtures")

    result.stdout.fnmatch_lines_random(
        [
            "mia_dataset *",
            "mia_model_factory *",
            "mia_training *",
            "mia_predict *",
            "mia_loss *",
            "mia_augment *",
            "mia_target *",
            "mia_shadow_factory *",
            "mia_shadow_dataset *",
            "mia_outputs *",
            "mia_audit *",
            "shadow_models *",
            "assert_membership_advantage_below *",
            "assert_tpr_below *",
            "assert_epsilon_below *",
            "assert_no_advantage_regression *",
        ]
    )
    result.stdout.no_fnmatch_line("*no docstring available*")


def test_the_fixtures_show_the_lines_to_write(pytester):
    shown = pytester.runpytest("--fixtures", "-v").stdout.str()

    for name in ("dataset", "model_factory", "training", "predict", "loss", "target", "outputs"):
        assert re.search(rf'@pytest.fixture\(scope="session"\)\n +def mia_{name}\(\):\n +\w', shown), name
