"""The real engine under pytest: a model that leaks fails the build, and one that ignores its records passes."""

import numpy as np
import pytest
from projects import ATTACKS, GATES, NOISE, conftest, trees
from sklearn.tree import DecisionTreeClassifier

import pytest_mia

TESTS = f"""
import numpy as np
import pytest
{GATES}
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
def leaking(real, reported):
    """Run the tests on a tree, and tell what the report says of each audit."""

    def run(*args):
        real(TESTS, *args).assert_outcomes(passed=3, failed=2)
        return reported()

    return run


@pytest.mark.parametrize("mode", ["no-cache", "strict"], indirect=True)
def test_a_tree_leaks(leaking, mode):
    found = leaking(*mode)
    assert {test: audit["verdict"] for test, audit in found.items()} == {
        "test_release": "leak",
        "test_mild": "pass",
        "test_claim": "leak",
        "test_look": None,
    }
    # No label can be learnt from these features, so a tree that knows its own records guesses half of the others.
    assert found["test_release"]["advantage"]["estimate"] == pytest.approx(0.5, abs=0.1)
    assert found["test_release"]["accuracy"]["train"] == 1.0


@pytest.mark.parametrize("mode", ["strict"], indirect=True)
def test_a_model_that_averages_over_its_records_passes(real, reported, mode):
    result = real(
        "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.1)\n",
        *mode,
        conftest=trees(2000, "from sklearn.naive_bayes import GaussianNB\n", mia_model_factory="GaussianNB"),
    )

    result.assert_outcomes(passed=1)
    assert abs(reported()["test_release"]["advantage"]["estimate"]) < 0.06


def test_all_is_the_same_serially_and_under_xdist(leaking):
    def found(*args):
        return {
            test: (audit["verdict"], audit["accuracy"], audit["advantage"], audit["attacks"])
            for test, audit in leaking(*args).items()
        }

    assert found() == found("-n2", "-Wdefault", "--mia-jobs=2")


def test_a_slice_is_judged(real, reported):
    tests = """
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2, by="sex")

        def test_typo(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2, by="age")
        """
    dataset = "Dataset(*noise(400), slices={'sex': ['f', 'm'] * 200})"
    result = real(tests, conftest=trees(code="from pytest_mia import Dataset\n", mia_dataset=dataset))

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*MIAUsageError: by must name a slice of the dataset (class, sex), or *, got 'age'"])
    result.stdout.fnmatch_lines(["  sex = m  *leak  *advantage 0.*", "  sex = f  *leak  *advantage 0.*"])
    assert {(part["by"], part["value"]) for part in reported()["test_release"]["slices"]} == {
        ("sex", "f"),
        ("sex", "m"),
    }


def test_a_replayed_audit_is_the_same(leaking, reported, pytester):
    def first():
        audit = reported()["test_look"]
        return audit["replay"], audit["advantage"], audit["attacks"]

    leaking()
    before = first()
    _, *command = before[0].split()
    pytester.runpytest(*command, "--mia-json=mia.json").assert_outcomes(passed=1)

    assert first() == before


def test_without_pytest_the_figures_are_the_same(leaking):
    found = leaking()
    generator = np.random.default_rng(0)
    records = generator.normal(size=(400, 3)), generator.integers(0, 2, 400)

    result = pytest_mia.audit(DecisionTreeClassifier, records, jobs=1, attacks=ATTACKS)

    assert result.to_dict()["advantage"] == found["test_release"]["advantage"]


@pytest.mark.parametrize("mode", ["strict"], indirect=True)
def test_changed_copies_are_asked_about(real, mode):
    tests = """
        import pytest

        @pytest.mark.mia(shadows=3, attacks=["gap", "augmentation"])
        def test_copies(mia_audit):
            found = {attack.name: attack.advantage.estimate for attack in mia_audit.attacks}
            assert found["augmentation"] > 0.3
            assert any("4 changed records, made by mia_augment" in note for note in mia_audit.notes)
    """
    copied = trees(
        mia_predict="lambda model, X: model.predict(X)", mia_augment="lambda X, rng: X + rng.normal(0, 0.1, X.shape)"
    )
    real(tests, *mode, conftest=copied).assert_outcomes(passed=1)


RELEASE = """
from pytest_mia import Target

def release():
    X, y = noise(400)
    model = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    return Target(model, (X[:200], y[:200]), (X[200:], y[200:]))
"""


@pytest.mark.parametrize("mode", ["strict"], indirect=True)
def test_a_release_is_audited_without_any_training(real, reported, mode):
    """Some attacks need no shadows; their thresholds are learnt on one half of the records and judged on the other."""
    tests = """
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2)

        def test_mild(assert_membership_advantage_below):
            assert_membership_advantage_below(0.9)
        """
    result = real(tests, "--mia-shadows=0", *mode, conftest=conftest(NOISE + RELEASE, mia_target="release()"))

    result.assert_outcomes(passed=1, failed=1)
    found = reported()["test_release"]
    assert (found["verdict"], found["kind"], found["models"], found["shadows"]) == ("leak", "release", 1, 0)
    assert {"gap", "loss"} == {attack["name"] for attack in found["attacks"]}
    # It is always right on its members, and on half of the others.
    assert found["advantage"]["estimate"] == pytest.approx(0.5, abs=0.15)
