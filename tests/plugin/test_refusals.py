"""What the real engine refuses, under pytest: bad input before any training, and what can't be judged, as no pass."""

import pytest
from projects import GATES, trees

LOOK = "def test_look(mia_audit):\n    pass\n"
UNTRAINED = """
class Untrained(DecisionTreeClassifier):
    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-X[:, 0]))
        return np.column_stack([1 - p, p])
"""
BROKEN = """
class Broken(DecisionTreeClassifier):
    def fit(self, X, y):
        raise OSError('disk')
"""


def test_models_that_all_answer_alike_are_invalid(real, reported):
    result = real(GATES, conftest=trees(code=UNTRAINED, mia_model_factory="Untrained"))

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["E *InvalidAuditError: *", "E *8 models*give exactly the same*"])
    assert {audit["verdict"] for audit in reported().values()} == {"invalid"}


@pytest.mark.parametrize("mode", ["worker", "strict"], indirect=True)
def test_an_exception_in_the_users_code_is_shown_as_his_own(real, reported, mode):
    result = real(LOOK, *mode, conftest=trees(code=BROKEN, mia_model_factory="Broken"))

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E  *ModelTrainingError: model 0 (seed *) could not be trained: OSError: disk",
            "*conftest.py*in fit",
            "*raise OSError('disk')",
        ]
    )
    assert reported() == {}


@pytest.mark.parametrize("fixture", ["mia_audit", "shadow_models"])
def test_bad_input_is_refused_all_at_once(real, fixture):
    conftest = trees(mia_dataset="noise(399)[0], noise(400)[1]")
    tests = LOOK.replace("mia_audit", fixture)
    result = real(tests, "--mia-attacks=lira,loss", "--mia-shadows=0", conftest=conftest)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *MIAUsageError: 3 problems:",
            "*- unknown attack 'lira'; the attacks are *",
            "*- shadows must be at least 3*",
            "*- mia_dataset: *399*400*",
        ]
    )


def test_a_function_that_loses_records_is_refused_before_any_training(real):
    conftest = trees(
        mia_predict="lambda model, X: model.predict(X)", mia_augment="lambda X, rng: rng.normal(0, 0.1, (7, 3))"
    )
    result = real(LOOK, "-Wdefault", conftest=conftest)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E  *MIAUsageError: mia_augment gave 7 copies of 10 records; it must give one of each"]
    )
