"""Each example, run as the repository of its own that it stands for: its leak is caught, and its repair passes."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pages import run
from sklearn.datasets import load_digits
from torches import needs_torch, torch

EXAMPLES = Path(__file__).parents[2] / "examples"
VERDICTS = {
    "cluster_dask": {
        "test_patterns.py::test_release": "pass",
        "test_patterns.py::test_first_attempt[trees]": "leak",
    },
    "defences": {
        "test_defences.py::test_release": "pass",
        "test_defences.py::test_undefended[undefended]": "leak",
    },
    "images_torch": {
        "test_digits.py::test_release": "pass",
        "test_digits.py::test_first_attempt[network]": "leak",
    },
    "release_artifact": {
        "test_release.py::test_digit_alone": "pass",
        "test_release.py::test_with_probabilities[probabilities]": "leak",
    },
    "tabular_sklearn": {
        "test_tumours.py::test_release": "pass",
        "test_tumours.py::test_first_attempt[forest]": "leak",
    },
}

NEED_TORCH = {"defences", "images_torch"}

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Example:
    """An example after its run."""

    folder: Path
    run: subprocess.CompletedProcess[str]

    @property
    def audits(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / "report.json").read_text())["audits"]


def copied(name, to):
    """A copy of an example, without what earlier runs left there."""
    return shutil.copytree(EXAMPLES / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.joblib"))


EACH = [pytest.param(name, marks=needs_torch if name in NEED_TORCH else ()) for name in sorted(VERDICTS)]


@pytest.fixture(scope="module", params=EACH)
def example(request, tmp_path_factory):
    folder = copied(request.param, tmp_path_factory.mktemp("example"))
    command = ("-m", "pytest", "-W", "error", "--xfail-tb", "--mia-json=report.json")
    return Example(folder, run(folder, *command))


def test_every_example_is_tested_here():
    assert {each.name for each in EXAMPLES.iterdir() if each.is_dir()} == set(VERDICTS)


def test_the_leak_is_caught_and_the_repair_passes(example):
    assert example.run.returncode == 0, example.run.stdout + example.run.stderr
    assert {audit["test"]: audit["verdict"] for audit in example.audits} == VERDICTS[example.folder.name]
    assert "is above the limit 0.05: the model leaks who was in its training data" in example.run.stdout


def test_its_readme_shows_what_it_finds(example):
    lines = (example.folder / "README.md").read_text().splitlines()
    for audit in example.audits:
        rows = [line for line in lines if f"| {audit['verdict']} |" in line]
        shown = [[float(number) for number in re.findall(r"-?\d\.\d{3}", row)] for row in rows]
        measured = [audit["accuracy"]["test"], *(audit["advantage"][name] for name in ("estimate", "low", "high"))]
        assert any(figures == pytest.approx(measured, abs=0.03) for figures in shown), (measured, shown)


def test_the_release_is_saved_by_its_script(tmp_path):
    folder = copied("release_artifact", tmp_path)

    done = run(folder, "train.py")

    assert done.returncode == 0, done.stderr
    assert (folder / "release.joblib").is_file()


@pytest.fixture
def defences(monkeypatch):
    """The module of the example of defences."""
    monkeypatch.syspath_prepend(EXAMPLES / "defences")
    yield importlib.import_module("defences")
    del sys.modules["defences"]


@needs_torch
def test_the_table_of_defences_has_a_row_each(defences):
    lines = (EXAMPLES / "defences" / "README.md").read_text().splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]

    assert [row.partition(", epsilon")[0] for row in rows] == [each.name for each in defences.DEFENCES]


@needs_torch
def test_private_training_learns_and_leaves_nothing_behind(defences):
    pytest.importorskip("opacus")
    digits = load_digits()
    X, y = (digits.images / 16).astype("float32"), digits.target
    torch.manual_seed(0)
    model = defences.network()

    defences.Private(0.1, epochs=10)(model, X, y)

    assert (defences.digit(model, X) == y).mean() > 0.85
    assert not any(module._backward_hooks or module._forward_hooks for module in model.modules())
    assert defences.Private(8.0).epsilon(900) < 1 < 10 < defences.Private(1.0).epsilon(900)
