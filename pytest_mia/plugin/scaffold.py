"""The first two files of a repository that wants audits: written once, and never over others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

KINDS = ("sklearn", "torch")
GUESS = "auto"
"""Stands for the kind that the repository's imports show."""

MOST_FILES = 2000
"""Python files that are looked at for imports."""

SKLEARN = '''\
"""What is audited: `pytest --fixtures -v` shows all that can be said here."""

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="session")
def mia_dataset():
    """Your training data: X and y. The more records, the tighter the answer; some 650 decide at 0.05."""
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="session")
def mia_model_factory():
    """A function that returns a fresh, untrained model, with the settings that you ship."""
    return lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.01))


@pytest.fixture(scope="session")
def mia_predict():
    """What your service answers. Here it is the label alone, which leaks less than probabilities do.

    Delete this fixture if you ship probabilities.
    """
    return lambda model, X: model.predict(X)
'''

TORCH = '''\
"""What is audited: `pytest --fixtures -v` shows all that can be said here."""

import pytest
import torch
from sklearn.datasets import load_breast_cancer

from pytest_mia import TorchTraining


@pytest.fixture(scope="session")
def mia_dataset():
    """Your training data: X and y, or a map-style torch data set. Some 650 records decide at 0.05."""
    X, y = load_breast_cancer(return_X_y=True)
    return torch.tensor(X, dtype=torch.float32), torch.tensor(y)


@pytest.fixture(scope="session")
def mia_model_factory():
    """A function that returns a fresh, untrained module, which answers with one logit per class.

    The features are scaled inside the module, so that each model learns their scale from its own records.
    """
    return lambda: torch.nn.Sequential(torch.nn.BatchNorm1d(30), torch.nn.Linear(30, 2))


@pytest.fixture(scope="session")
def mia_training():
    """How it is trained; a function train(model, X, y) of your own will do as well."""
    return TorchTraining(epochs=5, batch_size=32, lr=0.01)


@pytest.fixture(scope="session")
def mia_predict():
    """What your service answers. Here it is the label alone, which leaks less than probabilities do.

    Delete this fixture if you ship logits or probabilities.
    """

    def predict(model, X):
        model.eval()
        with torch.no_grad():
            return model(X).argmax(dim=1)

    return predict
'''

TESTS = '''\
"""How much the model may tell of who was in its training data: `pytest -m mia` runs these tests alone."""


def test_an_attacker_gains_little(assert_membership_advantage_below):
    """The attacker's advantage is TPR - FPR: 0 is guessing, 1 is certainty.

    The test fails unless the advantage is shown to be below the limit. The message says what to try.
    """
    assert_membership_advantage_below(0.05)


# Once `pytest --mia-save=main` has written .mia/main.json and you have committed it, this fails when the model leaks
# more than it did:
#
# def test_it_leaks_no_more_than_before(assert_no_advantage_regression):
#     assert_no_advantage_regression(tolerance=0.02)
'''

CONFTEST = {"sklearn": SKLEARN, "torch": TORCH}


def make_files(kind: str) -> dict[str, str]:
    """What to write, by the names of the files.

    Parameters
    ----------
    kind
        "sklearn" or "torch".
    """
    return {"conftest.py": CONFTEST[kind], "test_privacy.py": TESTS}


def guess_kind(folder: Path) -> str:
    """The kind of models that the Python files below a folder import more often; scikit-learn where they don't say."""
    sources = [_read_source(path) for path in islice(_python_files(folder), MOST_FILES)]
    counts = {
        kind: sum(re.search(rf"^\s*(import|from)\s+{kind}\b", source, re.MULTILINE) is not None for source in sources)
        for kind in KINDS
    }
    return "torch" if counts["torch"] > counts["sklearn"] and find_spec("torch") is not None else "sklearn"


def write_files(folder: Path, kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """Write the files that aren't there.

    Parameters
    ----------
    folder
        Where they go.
    kind
        "sklearn" or "torch".

    Returns
    -------
    tuple of dict
        What was written, and what was not because a file of that name is there; texts by names.

    Raises
    ------
    OSError
        When a file can't be written.
    """
    written, left = {}, {}
    for name, content in make_files(kind).items():
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(content)
            written[name] = content
        except FileExistsError:
            left[name] = content
    return written, left


def _python_files(folder: Path) -> Iterator[Path]:
    """The repository's own: not those of hidden folders, nor of environments."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.startswith(".") or (path / "pyvenv.cfg").exists():
            continue
        if path.is_dir():
            yield from _python_files(path)
        elif path.suffix == ".py":
            yield path


def _read_source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
