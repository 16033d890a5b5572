"""The marker ``mia``."""

import dataclasses

import pytest

from pytest_mia.core.settings import Settings

MIXED = """
def test_audit(mia_audit): pass

def test_model(mia_model_factory): pass

def test_other(): pass
"""


@pytest.mark.parametrize(("expression", "passed"), [("mia", 2), ("not mia", 1)])
def test_tests_that_use_a_fixture_carry_it(fake, expression, passed):
    fake(MIXED, "-m", expression, "--strict-markers").assert_outcomes(passed=passed, deselected=3 - passed)


def test_it_is_registered(pytester):
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.mia(shadows=..., device=..., *): *"])


def test_the_closest_one_wins(fake):
    tests = """
        import pytest

        pytestmark = pytest.mark.mia(shadows=4, seed=1)

        @pytest.mark.mia(seed=2)
        class TestRelease:
            @pytest.mark.mia(seed=3)
            def test_here(self, mia_audit):
                assert (mia_audit.shadows, mia_audit.seed) == (4, 3)

            def test_there(self, mia_audit):
                assert (mia_audit.shadows, mia_audit.seed) == (4, 2)

        def test_elsewhere(mia_audit):
            assert (mia_audit.shadows, mia_audit.seed) == (4, 1)
        """
    fake(tests).assert_outcomes(passed=3)


def test_bad_ones_are_refused_at_collection_all_at_once(fake, pytester, mode):
    tests = """
        import pytest

        @pytest.mark.mia(shadow=5, seed=-1)
        def test_one(mia_audit): pass

        @pytest.mark.mia(5)
        def test_two(mia_audit): pass

        @pytest.mark.mia(device="tpu")
        def test_three(): pass

        def test_good(mia_audit): pass
        """
    result = fake(tests, *mode)

    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED)
    known = ", ".join(row.name for row in dataclasses.fields(Settings))
    result.stdout.fnmatch_lines_random(
        [
            f"*test_privacy.py::test_one: @pytest.mark.mia: unknown keyword 'shadow'; the keywords are {known}",
            "*test_privacy.py::test_one: @pytest.mark.mia: seed must be a whole number of at least 0, *, got -1",
            f"*test_privacy.py::test_two: @pytest.mark.mia: takes keywords only, got (5,); they are {known}",
            "*test_privacy.py::test_three: @pytest.mark.mia: device must be auto, cpu, cuda, cuda:N or mps, got 'tpu'",
        ]
    )


def test_a_bad_one_never_trains(fake, pytester):
    result = fake(
        "import pytest\n@pytest.mark.mia(shadow=5)\ndef test_one(mia_audit): pass\n", "--continue-on-collection-errors"
    )

    result.assert_outcomes(errors=2)
    assert not (pytester.path / "trained.txt").exists()
