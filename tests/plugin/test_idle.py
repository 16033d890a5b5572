"""A run that uses nothing of the plugin pays nothing for it."""

CONFTEST = """
import sys

HEAVY = ("numpy", "scipy", "sklearn", "torch", "joblib", "cloudpickle", "pandas")

def pytest_unconfigure(config):
    print("\\nloaded:", *(name for name in HEAVY if name in sys.modules), "pytest_mia.plugin" in sys.modules)
"""


def test_nothing_heavy_is_imported(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_other(): pass")

    result = pytester.runpytest_subprocess("-v", "--junitxml=junit.xml")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: True"])


def test_skipped_audits_import_nothing_heavy_either(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_audit(mia_audit): pass")

    result = pytester.runpytest_subprocess("--mia-skip", "--mia-json=mia.json")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["loaded: True"])


def test_collecting_audits_loads_nothing_heavy_either(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_audit(mia_audit): pass")

    result = pytester.runpytest_subprocess("--collect-only")

    result.stdout.fnmatch_lines(["loaded: True"])


def test_the_engine_is_loaded_before_the_first_audit_runs(pytester):
    """What is deselected or skipped loads nothing."""
    pytester.makepyfile(
        test_it="""
        import sys, pytest

        def test_a():
            print("loaded:", "numpy" in sys.modules)

        def test_b(mia_audit):
            pass

        @pytest.mark.skip
        def test_c(mia_audit):
            pass
        """
    )
    for chosen, loaded in (("test_a or test_b", True), ("test_a or test_c", False)):
        result = pytester.runpytest_subprocess("-s", "-k", chosen)

        result.stdout.fnmatch_lines([f"*loaded: {loaded}*"])
