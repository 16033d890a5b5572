"""The real engine under pytest: a model that leaks fails the build, and one that ignores its records passes."""

import json

import pytest

import pytest_mia

CONFTEST = """
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

def tree():
    return DecisionTreeClassifier()

@pytest.fixture
def mia_dataset():
    generator = np.random.default_rng(0)
    return generator.normal(size=(400, 3)), generator.integers(0, 2, 400)

@pytest.fixture
def mia_model_factory():
    return tree
"""
TESTS = """
import numpy as np
import pytest

def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below(0.2)

def test_mild(assert_membership_advantage_below):
    assert_membership_advantage_below(0.9)

def test_claim(assert_epsilon_below):
    assert_epsilon_below(0.5)

@pytest.mark.mia(shadows=3, seed=1)
def test_look(mia_audit):
    assert (mia_audit.shadows, mia_audit.models, mia_audit.seed) == (3, 4, 1)
    assert mia_audit.records == 400

@pytest.mark.mia(shadows=3)
def test_models(shadow_models, mia_dataset):
    X, y = mia_dataset
    for shadow in shadow_models:
        assert (shadow.model.predict(X) == y)[shadow.members].all()
        assert shadow.members.sum() == 200
"""


@pytest.fixture
def real(pytester):
    """Run tests on the real engine."""

    def run(*args, conftest=CONFTEST, tests=TESTS):
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_privacy=tests)
        return pytester.runpytest("--mia-jobs=1", "--mia-json=mia.json", *args)

    return run


def audits(pytester):
    return {
        audit["test"].partition("::")[2]: audit
        for audit in json.loads((pytester.path / "mia.json").read_text())["audits"]
    }


def test_a_tree_leaks(real, pytester, mode):
    result = real(*mode)

    result.assert_outcomes(passed=3, failed=2)
    found = audits(pytester)
    assert {test: audit["verdict"] for test, audit in found.items()} == {
        "test_release": "leak",
        "test_mild": "pass",
        "test_claim": "leak",
        "test_look": None,
    }
    # No label can be learnt from these features, so a tree that knows its own records guesses half of the others.
    assert found["test_release"]["advantage"]["estimate"] == pytest.approx(0.5, abs=0.1)
    assert found["test_release"]["accuracy"]["train"] == 1.0


def test_a_model_that_averages_over_its_records_passes(real, pytester, mode):
    conftest = CONFTEST.replace("400", "2000").replace("DecisionTreeClassifier()", "GaussianNB()")
    result = real(
        *mode,
        conftest=conftest + "\nfrom sklearn.naive_bayes import GaussianNB\n",
        tests="def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.1)\n",
    )

    result.assert_outcomes(passed=1)
    assert abs(audits(pytester)["test_release"]["advantage"]["estimate"]) < 0.06


def test_figures_are_the_same_serially_and_under_xdist(real, pytester):
    def figures(*args):
        real(*args)
        return {test: (audit["advantage"], audit["attacks"]) for test, audit in audits(pytester).items()}

    assert figures() == figures("-n2", "-Wdefault", "--mia-jobs=2")


def test_models_that_all_answer_alike_are_invalid(real, pytester):
    conftest = CONFTEST.replace(
        "return tree\n",
        "class Untrained(DecisionTreeClassifier):\n"
        "        def fit(self, X, y):\n            self.classes_ = np.array([0, 1])\n            return self\n"
        "        def predict_proba(self, X):\n            p = 1 / (1 + np.exp(-X[:, 0]))\n"
        "            return np.column_stack([1 - p, p])\n"
        "    return Untrained\n",
    )
    result = real(conftest=conftest, tests=TESTS.partition("@pytest")[0])

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["E *InvalidAuditError: *", "E *8 models*give exactly the same answers*"])
    assert {audit["verdict"] for audit in audits(pytester).values()} == {"invalid"}


def test_an_exception_in_the_users_code_is_shown_as_his_own(real, pytester, mode):
    conftest = CONFTEST.replace(
        "return tree\n",
        "class Broken(DecisionTreeClassifier):\n"
        "        def fit(self, X, y):\n            raise OSError('disk')\n"
        "    return Broken\n",
    )
    result = real(*mode, conftest=conftest, tests="def test_look(mia_audit):\n    pass\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E  *ModelTrainingError: model 0 (seed *) could not be trained: OSError: disk",
            "*conftest.py*in fit",
            "*raise OSError('disk')",
        ]
    )
    assert audits(pytester) == {}


@pytest.mark.parametrize("fixture", ["mia_audit", "shadow_models"])
def test_bad_input_is_refused_all_at_once(real, fixture):
    conftest = CONFTEST.replace("return generator.normal(size=(400, 3))", "return generator.normal(size=(399, 3))")
    result = real(
        "--mia-attacks=lira,loss", "--mia-shadows=0", conftest=conftest, tests=f"def test_look({fixture}):\n    pass\n"
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *MIAUsageError: 3 problems:",
            "*- unknown attack 'lira'; the attacks are *",
            "*- shadows must be at least 3*",
            "*- mia_dataset: *399*400*",
        ]
    )


def test_a_slice_is_judged(real, pytester):
    conftest = CONFTEST.replace("import numpy as np\n", "import numpy as np\nfrom pytest_mia import Dataset\n").replace(
        "    return generator.normal(size=(400, 3)), generator.integers(0, 2, 400)",
        "    X, y = generator.normal(size=(400, 3)), generator.integers(0, 2, 400)\n"
        "    return Dataset(X, y, slices={'sex': ['f', 'm'] * 200})",
    )
    tests = """
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2, by="sex")

        def test_typo(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2, by="age")
        """
    result = real(conftest=conftest, tests=tests)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E *MIAUsageError: by must name a slice of the dataset (sex), got 'age'"])
    assert {(part["by"], part["value"]) for part in audits(pytester)["test_release"]["slices"]} == {
        ("sex", "f"),
        ("sex", "m"),
    }


def test_a_replayed_audit_is_the_same(real, pytester):
    def first():
        audit = audits(pytester)["test_look"]
        return audit["replay"], audit["advantage"], audit["attacks"]

    real()
    before = first()
    _, *command = before[0].split()
    pytester.runpytest(*command, "--mia-json=mia.json").assert_outcomes(passed=1)

    assert first() == before


def test_without_pytest_the_figures_are_the_same(real, pytester):
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    real()
    generator = np.random.default_rng(0)
    records = generator.normal(size=(400, 3)), generator.integers(0, 2, 400)

    result = pytest_mia.audit(DecisionTreeClassifier, records, jobs=1)

    assert result.to_dict()["advantage"] == audits(pytester)["test_release"]["advantage"]


AUGMENTED = (
    CONFTEST
    + """
@pytest.fixture
def mia_predict():
    return lambda model, X: model.predict(X)

@pytest.fixture
def mia_augment():
    return lambda X, rng: X + rng.normal(0, 0.1, X.shape)
"""
)
BROKEN = AUGMENTED.replace("rng.normal(0, 0.1, X.shape)", "rng.normal(0, 0.1, (7, 3))").replace("X + rng", "rng")


@pytest.mark.parametrize("mode", [(), ("-n2",)], ids=["serial", "xdist"])
def test_changed_copies_are_asked_about(real, pytester, mode):
    tests = """
        import pytest

        @pytest.mark.mia(shadows=3, attacks=["gap", "augmentation"])
        def test_copies(mia_audit):
            found = {attack.name: attack.advantage.estimate for attack in mia_audit.attacks}
            assert found["augmentation"] > 0.3
            assert any("4 changed copies of it, by mia_augment" in note for note in mia_audit.notes)
    """
    real("-Wdefault", *mode, conftest=AUGMENTED, tests=tests).assert_outcomes(passed=1)


def test_a_function_that_loses_records_is_refused_before_any_training(real):
    result = real("-Wdefault", conftest=BROKEN, tests="def test(mia_audit):\n    pass\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E  *MIAUsageError: mia_augment gave 7 copies of 10 records; it must give one of each"]
    )
