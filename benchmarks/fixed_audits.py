"""The JSON of ten fixed audits, to show that a change to the code changes no figure.

    python benchmarks/fixed_audits.py --write before.json     (before the change)
    python benchmarks/fixed_audits.py --compare before.json   (after it)

Every figure is compared bit for bit, except seconds. Texts are compared too, and their differences are listed apart:
words may be improved, figures may not move. Exits with 1 when a figure differs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import pytest_mia
from pytest_mia import gates, remedies

SECONDS = "seconds"
BASELINE_TEST = """
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

@pytest.fixture
def mia_dataset():
    return load_breast_cancer(return_X_y=True)

@pytest.fixture
def mia_model_factory():
    return lambda: RandomForestClassifier(n_estimators=20, min_samples_leaf=LEAF)

def test_release(assert_no_advantage_regression):
    assert_no_advantage_regression(tolerance=0.02)
"""


def forest() -> Any:
    """A forest that leaks."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=20, min_samples_leaf=3)


def linear() -> Any:
    """A linear model that leaks little."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0))


def cancer() -> tuple[Any, Any]:
    """569 records of two classes."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return X, y


def recipe() -> Any:
    """The audit of a recipe, with controls."""
    return pytest_mia.audit(forest, cancer(), controls=True)


def release() -> Any:
    """A trained model with its members and non-members."""
    X, y = cancer()
    order = np.random.default_rng(0).permutation(len(y))
    inside, outside = order[:280], order[280:]
    model = forest().set_params(random_state=0).fit(X[inside], y[inside])
    target = pytest_mia.Target(model, members=(X[inside], y[inside]), nonmembers=(X[outside], y[outside]))
    return pytest_mia.audit(forest, None, target=target)


def groups() -> Any:
    """Several records of one person, and a slice."""
    X, y = cancer()
    people, half = np.arange(len(y)) // 2, np.where(np.arange(len(y)) % 4 < 2, "a", "b")
    data = pytest_mia.Dataset(X, y, groups=people, slices={"half": half})
    return pytest_mia.audit(forest, data)


def regression() -> Any:
    """Numbers instead of classes."""
    from sklearn.datasets import load_diabetes
    from sklearn.tree import DecisionTreeRegressor

    X, y = load_diabetes(return_X_y=True)
    return pytest_mia.audit(lambda: DecisionTreeRegressor(min_samples_leaf=3), (X, y))


class Bigrams:
    """A language model that counts pairs of tokens."""

    def __init__(self) -> None:
        self.counts = np.full((40, 40), 0.05)

    def learn(self, texts: Any) -> None:
        """Count."""
        np.add.at(self.counts, (texts[:, :-1], texts[:, 1:]), 1)

    def tell(self, texts: Any) -> Any:
        """Log-probabilities of the tokens."""
        shares = np.log(self.counts / self.counts.sum(axis=1, keepdims=True))
        return pytest_mia.TokenLogProbabilities(shares[texts[:, :-1], texts[:, 1:]])


def texts() -> Any:
    """A language model."""
    data = np.random.default_rng(0).integers(0, 40, (200, 16)), None
    return pytest_mia.audit(
        Bigrams,
        data,
        training=lambda model, X, y: model.learn(X),  # noqa: ARG005
        predict=lambda model, X: model.tell(X),
        shadows=5,
    )


def outputs() -> Any:
    """Models that were trained elsewhere."""
    rng = np.random.default_rng(0)
    labels, members = rng.integers(3, size=300), rng.random((8, 300)) < 0.5
    logits = rng.normal(size=(300, 3)) + rng.normal(0, 0.5, (8, 300, 3))
    logits[:, np.arange(300), labels] += 1 + 0.8 * members
    shares = np.exp(logits)
    return pytest_mia.audit_outputs(shares / shares.sum(axis=-1, keepdims=True), members, labels)


def epsilon() -> Any:
    """A claim of differential privacy, with coins."""
    return pytest_mia.audit(forest, cancer(), coins=True, shadows=3)


def what_if() -> Any:
    """Remedies on answers, and those that train."""
    return pytest_mia.audit(linear, cancer(), what_if="train", shadows=3)


def attackers() -> Any:
    """Two attackers: one knows the factory, one guesses it."""
    guesses = {"insider": None, "outsider": linear}
    return pytest_mia.audit(
        lambda: remedies.RoundedAnswers(forest(), step=0.25), cancer(), shadow_factory=guesses, shadows=4
    )


API: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "recipe": (recipe, lambda result: gates.membership_advantage(result, 0.05)),
    "release": (release, lambda result: gates.tpr(result, 0.5, at_fpr=0.1)),
    "groups": (groups, lambda result: gates.membership_advantage(result, 0.2, by="half")),
    "regression": (regression, lambda result: gates.membership_advantage(result, 0.1)),
    "texts": (texts, lambda result: gates.membership_advantage(result, 0.1)),
    "outputs": (outputs, lambda result: gates.membership_advantage(result, 0.1)),
    "epsilon": (epsilon, lambda result: gates.epsilon(result, 8.0)),
    "what_if": (what_if, lambda result: gates.membership_advantage(result, 0.05)),
    "attackers": (attackers, lambda result: gates.membership_advantage(result, 0.1)),
}


def baseline() -> Any:
    """The plugin's own way: one run saves, the changed model is compared; the file of the baseline beside both."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for leaf, option in ((10, "--mia-save=main"), (1, "--mia-compare=main")):
            (root / "test_release.py").write_text(BASELINE_TEST.replace("LEAF", str(leaf)))
            command = [sys.executable, "-m", "pytest", "-q", "--mia-json=report.json", "--mia-jobs=1", option]
            subprocess.run(command, cwd=root, check=False, capture_output=True)
            found.append(json.loads((root / "report.json").read_text())["audits"])
        found.append(json.loads((root / ".mia" / "main.json").read_text()))
    return found


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place at which two reports differ, apart from seconds."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after} - {SECONDS}):
            yield from differences(before.get(name), after.get(name), f"{path}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif untimed(before) != untimed(after):
        yield path, before, after


def untimed(value: Any) -> Any:
    """A value without the seconds that its text states."""
    return re.sub(r"[\d.]+ s (training|attacks)", r"\1", value) if isinstance(value, str) else value


def are_words(path: str, value: Any) -> bool:
    """Whether a value is a text that may be written better: names of attacks, verdicts and metrics may not change."""
    last = path.rpartition(".")[2].partition("[")[0]
    words = {"message", "notes", "reasons", "next_steps", "lines", "findings", "idea"}
    return last in words and isinstance(value, (str, list))


def measured() -> dict[str, Any]:
    """All ten, as JSON holds them."""
    found = {}
    for name, (audit, judge) in API.items():
        found[name] = judge(audit()).to_dict()
        print(name, found[name]["verdict"], flush=True)
    found["baseline"] = baseline()
    return dict(json.loads(json.dumps(found)))


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--compare", type=Path)
    given = parser.parse_args()
    found = measured()
    if given.write:
        given.write.write_text(json.dumps(found, indent=1, sort_keys=True))
    if not given.compare:
        return 0
    rows = list(differences(json.loads(given.compare.read_text()), found))
    words = [row for row in rows if are_words(row[0], row[1]) and are_words(row[0], row[2])]
    figures = [row for row in rows if row not in words]
    for title, listed in (("texts", words), ("figures", figures)):
        print(f"{len(listed)} differences of {title}")
        for path, one, other in listed:
            print(f"  {path}\n    before {one!r}\n    after  {other!r}")
    return int(bool(figures))


if __name__ == "__main__":
    sys.exit(main())
