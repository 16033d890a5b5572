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

twice = pytest.mark.parametrize("mode", ["xdist", "strict"], indirect=True)
once = pytest.mark.parametrize("mode", ["strict"], indirect=True)
ATTACKS = ["gap", "loss", "rmia_online"]
FEW = [f"--mia-attacks={','.join(ATTACKS)}"]
"""Attacks that take no time, for what doesn't depend on which they are."""


@pytest.fixture
def real(pytester):
    """Run tests on the real engine."""

    def run(*args, conftest=CONFTEST, tests=TESTS):
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_privacy=tests)
        return pytester.runpytest("--mia-jobs=1", "--mia-json=mia.json", *FEW, *args)

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


@once
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
    result.stdout.fnmatch_lines(["E *InvalidAuditError: *", "E *8 models*give exactly the same*"])
    assert {audit["verdict"] for audit in audits(pytester).values()} == {"invalid"}


@twice
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
    result.stdout.fnmatch_lines(["*MIAUsageError: by must name a slice of the dataset (class, sex), or *, got 'age'"])
    result.stdout.fnmatch_lines(["  sex = m  *leak  *advantage 0.*", "  sex = f  *leak  *advantage 0.*"])
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

    result = pytest_mia.audit(DecisionTreeClassifier, records, jobs=1, attacks=ATTACKS)

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


@once
def test_changed_copies_are_asked_about(real, pytester, mode):
    tests = """
        import pytest

        @pytest.mark.mia(shadows=3, attacks=["gap", "augmentation"])
        def test_copies(mia_audit):
            found = {attack.name: attack.advantage.estimate for attack in mia_audit.attacks}
            assert found["augmentation"] > 0.3
            assert any("4 changed copies of it, by mia_augment" in note for note in mia_audit.notes)
    """
    real(*mode, conftest=AUGMENTED, tests=tests).assert_outcomes(passed=1)


def test_a_function_that_loses_records_is_refused_before_any_training(real):
    result = real("-Wdefault", conftest=BROKEN, tests="def test(mia_audit):\n    pass\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E  *MIAUsageError: mia_augment gave 7 copies of 10 records; it must give one of each"]
    )


RELEASE = """
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from pytest_mia import Target

@pytest.fixture
def mia_target():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(400, 3)), generator.integers(0, 2, 400)
    model = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    return Target(model, (X[:200], y[:200]), (X[200:], y[200:]))
"""


@once
def test_a_release_is_audited_without_any_training(real, pytester, mode):
    """Some attacks need no shadows; their thresholds are learnt on one half of the records and judged on the other."""
    tests = """
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2)

        def test_mild(assert_membership_advantage_below):
            assert_membership_advantage_below(0.9)
        """
    result = real("--mia-shadows=0", *mode, conftest=RELEASE, tests=tests)

    result.assert_outcomes(passed=1, failed=1)
    found = audits(pytester)["test_release"]
    assert (found["verdict"], found["kind"], found["models"], found["shadows"]) == ("leak", "release", 1, 0)
    assert {"gap", "loss"} == {attack["name"] for attack in found["attacks"]}
    # It is always right on its members, and on half of the others.
    assert found["advantage"]["estimate"] == pytest.approx(0.5, abs=0.15)


OUTPUTS = """
import pytest

@pytest.fixture
def mia_outputs():
    return {name!r}
"""
GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.3)\n"


@once
def test_outputs_of_models_trained_elsewhere(real, pytester, mode):
    import numpy as np

    generator = np.random.default_rng(0)
    labels, members = generator.integers(0, 3, 600), generator.random((8, 600)) < 0.5
    logits = generator.normal(size=(8, 600, 3)) + 4 * members[:, :, None] * np.eye(3)[labels]
    np.savez(pytester.path / "shadows.npz", outputs=logits, members=members, labels=labels)

    result = real(*mode, conftest=OUTPUTS.format(name="shadows.npz"), tests=GATE)

    result.assert_outcomes(failed=1)
    found = audits(pytester)["test_release"]
    assert (found["verdict"], found["models"], found["shadows"], found["records"]) == ("leak", 8, 7, 600)
    ours = pytest_mia.audit_outputs(logits, members, labels, attacks=ATTACKS).to_dict()
    assert (found["advantage"], found["attacks"]) == (ours["advantage"], ours["attacks"])


EVERY_FILE = """
import pytest

@pytest.fixture(params=["numbers", "residuals", "losses", "labels", "tokens", "people"])
def mia_outputs(request):
    return request.param + ".npz"
"""


def test_files_of_outputs_of_every_kind(real, pytester):
    import numpy as np

    generator = np.random.default_rng(0)
    members = (generator.random((4, 60)) < 0.5).repeat(2, axis=1)
    missed = generator.normal(size=members.shape) * np.where(members, 0.1, 1)
    y, codes = generator.normal(size=120), generator.integers(0, 2, (120, 3))
    chances = np.clip(codes + (1 - 2 * codes) * np.abs(missed)[:, :, None] / 4, 0, 1)
    tokens = np.where(np.arange(7) < 1 + np.arange(120)[:, None] % 7, -np.abs(missed)[:, :, None], np.nan)
    files = {
        "numbers": {"outputs": y - missed, "labels": y},
        "residuals": {"residuals": missed},
        "losses": {"losses": missed**2, "labels": y},
        "labels": {"outputs": chances, "labels": codes},
        "tokens": {"token_log_probabilities": tokens, "token_means": tokens - 1, "token_deviations": np.abs(tokens)},
        "people": {"outputs": y - missed, "labels": y, "groups": np.arange(120) // 2},
    }
    for name, arrays in files.items():
        np.savez_compressed(pytester.path / f"{name}.npz", members=members, **arrays)

    result = real("-Werror", conftest=EVERY_FILE, tests=GATE)

    result.assert_outcomes(failed=6)
    texts = pytest_mia.TokenLogProbabilities(tokens, tokens - 1, np.abs(tokens))
    answers = {"residuals": pytest_mia.Residuals(missed), "losses": pytest_mia.Losses(missed**2), "tokens": texts}
    for name, arrays in files.items():
        outputs, groups = answers.get(name, arrays.get("outputs")), arrays.get("groups")
        ours = pytest_mia.audit_outputs(outputs, members, arrays.get("labels"), groups=groups, attacks=ATTACKS)
        found = audits(pytester)[f"test_release[{name}]"]
        assert found["verdict"] == "leak"
        assert (found["advantage"], found["attacks"]) == (ours.to_dict()["advantage"], ours.to_dict()["attacks"])


def test_outputs_with_python_objects_are_refused_and_never_run(real, pytester):
    import pickle

    import numpy as np

    class Payload:
        def __reduce__(self):
            return open, ("run.txt", "w")

    arrays = {"outputs": np.zeros((4, 9)), "members": np.eye(4, 9), "labels": np.array([Payload()] * 9, dtype=object)}
    np.savez(pytester.path / "objects.npz", **arrays)
    (pytester.path / "pickled.npz").write_bytes(pickle.dumps(Payload()))

    for name in ("objects.npz", "pickled.npz"):
        result = real(conftest=OUTPUTS.format(name=name), tests=GATE)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"E *MIAUsageError: mia_outputs: {name} can't be read (*no Python objects"])
    assert not (pytester.path / "run.txt").exists()


@twice
def test_attackers_are_compared(real, pytester, mode):
    conftest = CONFTEST + (
        "\nfrom pytest_mia.knowledge import marginals, part\n\n"
        "@pytest.fixture\ndef mia_shadow_dataset(mia_dataset):\n"
        "    return {'insider': None, 'a part': part(mia_dataset, 0.5), 'statistics': marginals(mia_dataset, 200)}\n"
    )
    result = real("--mia-shadows=3", *mode, conftest=conftest, tests=GATE)

    result.assert_outcomes(failed=1)
    found = audits(pytester)["test_release"]
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
