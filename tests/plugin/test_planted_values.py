"""No report, log or cache file holds a feature value: values that stand nowhere else are sought in all of a run."""

import numpy as np

from pytest_mia.reports.registry import FILES

NUMBERS = (987654.3210123, -0.00012345678912)
WORD = "Wolkenkuckucksheim"

CONFTEST = f"""
import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

class Tree(DecisionTreeClassifier):
    def fit(self, X, y):
        return super().fit(X[["first", "second"]], y)

    def predict_proba(self, X):
        return super().predict_proba(X[["first", "second"]])

@pytest.fixture
def mia_dataset():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["first", "second"])
    X["town"] = np.where(np.arange(200) % 2, "Bonn", "Aachen")
    X.loc[:2, ["first", "second", "town"]] = [{NUMBERS[0]}, {NUMBERS[1]}, "{WORD}"]
    return X, rng.integers(0, 2, 200)

@pytest.fixture
def mia_model_factory():
    return Tree
"""
TESTS = """
import numpy as np

def test_leak(assert_membership_advantage_below):
    assert_membership_advantage_below(0.1, by="town")

def test_by_a_number(assert_membership_advantage_below):
    assert_membership_advantage_below(0.1, by="first")

def test_tail(assert_tpr_below):
    assert_tpr_below(0.1, at_fpr=0.1)

def test_look(mia_audit):
    mia_audit.assert_epsilon_below(0.1)
"""
REPORTS = (
    *(f"--mia-{name}=mia.{name}" for name in FILES), "--junitxml=junit.xml", "--html=report.html", "--mia-save=main",
    "--mia-what-if", "--mia-attacks=gap,loss", "--mia-shadows=3", "--mia-jobs=1", "-Wdefault",
)  # fmt: skip


def planted():
    """The values as text and as bytes, in the ways in which a report or an entry might hold them."""
    for number in NUMBERS:
        yield from (f"{number:.8g}".encode(), repr(number).encode(), np.float64(number).tobytes())
        yield np.float32(number).tobytes()
    yield WORD.encode()


def test_a_planted_value_stands_in_no_artefact(by_entry_points, pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_privacy=TESTS)
    result = pytester.runpytest(*REPORTS)

    result.assert_outcomes(failed=3, passed=1)
    written = {path.relative_to(pytester.path).as_posix(): path for path in pytester.path.rglob("*") if path.is_file()}
    artefacts = {name: path.read_bytes() for name, path in written.items() if path.suffix not in (".py", ".pyc")}
    artefacts["terminal"] = (result.stdout.str() + result.stderr.str()).encode()
    assert {*(f"mia.{name}" for name in FILES), "junit.xml", "report.html", "summary.md", ".mia/main.json"} <= set(
        artefacts
    )
    assert sum(name.endswith(".entry") for name in artefacts) > 4
    assert b"(that of record 0)" in artefacts["mia.json"]
    assert [name for name, content in artefacts.items() if any(value in content for value in planted())] == []
