"""What the user's code reads while it trains counts too: files, the environment, modules."""

import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from whole import figures, uses

from pytest_mia.cache import content_key


@pytest.fixture
def settings_file(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"max_depth": 2}')
    os.utime(path, (1e9, 1e9))
    return path


def test_a_file_that_training_reads(cached_audit, settings_file):
    def train(model, X, y):
        return model.set_params(**json.loads(settings_file.read_text())).fit(X, y)

    first = cached_audit(training=train)
    assert uses(cached_audit(training=train)) == (4, 0)
    settings_file.write_text('{"max_depth": 4}')
    second = cached_audit(training=train)

    assert uses(second) == (0, 4)
    assert figures(first) != figures(second)


def test_a_file_that_the_factory_reads_once(cached_audit, settings_file):
    """What is kept in a global after it was read is part of the code; the file that it came from counts too."""
    kept = {}

    def once():
        if not kept:
            kept.update(json.loads(settings_file.read_text()))
        return DecisionTreeClassifier(**kept)

    cached_audit(once)
    kept.clear()
    assert uses(cached_audit(once)) == (4, 0)
    kept.clear()
    settings_file.write_text('{"max_depth": 4}')

    assert uses(cached_audit(once)) == (0, 4)


def test_a_file_that_changes_while_models_are_trained(cached_audit, settings_file):
    def train(model, X, y):
        model = model.set_params(**json.loads(settings_file.read_text())).fit(X, y)
        os.utime(settings_file, (4e9, 4e9))
        return model

    results = [cached_audit(training=train) for _ in range(2)]

    assert [uses(result) for result in results] == [(0, 4), (0, 4)]
    assert any(f"{settings_file} was changed while" in note for note in results[0].notes)


def test_what_other_processes_read(cached_audit, settings_file):
    def train(model, X, y):
        found = subprocess.run(["cat", settings_file], check=True, capture_output=True)
        return model.set_params(**json.loads(found.stdout)).fit(X, y)

    results = [cached_audit(training=train) for _ in range(2)]

    assert [uses(result) for result in results] == [(0, 4), (0, 4)]
    assert any("starts other processes" in note for note in results[0].notes)


class Lines:
    """Records that other processes read."""

    def __init__(self, path, X, y):
        self.path, self.X, self.y = path, X.astype("float32"), y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, place):
        return self.X[place] * json.loads(self.path.read_text())["max_depth"], self.y[place]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="their processes are no forks")
@pytest.mark.slow
def test_what_the_workers_of_a_data_loader_read(cached_audit, settings_file):
    torch = pytest.importorskip("torch")

    def train(model, X, y):
        optimiser = torch.optim.SGD(model.parameters())
        for inputs, targets in torch.utils.data.DataLoader(Lines(settings_file, X, y), 64, num_workers=1):
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimiser.step()
        return model

    how = {"factory": lambda: torch.nn.Linear(4, 3), "training": train}
    first = cached_audit(**how)
    assert uses(cached_audit(**how)) == (first.cache.misses, 0)
    settings_file.write_text('{"max_depth": 4}')

    assert uses(cached_audit(**how)) == (0, first.cache.misses)


def test_a_value_of_many_bytes_is_read_once(cached_audit, monkeypatch):
    """Each model only takes samples of it."""
    large, seen = np.zeros(2**20), []

    def count(walk, content):
        seen.append(len(content))
        walk.hash.update(content)

    monkeypatch.setattr(content_key.CodeWalk, "add_bytes", count)
    result = cached_audit(lambda: DecisionTreeClassifier(max_depth=2 + int(large[0])))

    assert uses(result) == (0, 4)
    assert seen.count(large.nbytes) <= 3


def test_a_variable_of_the_environment(cached_audit, monkeypatch):
    def by_environment():
        return DecisionTreeClassifier(max_depth=int(os.environ.get("MIA_TEST_DEPTH", "2")))

    cached_audit(by_environment)
    monkeypatch.setenv("MIA_UNRELATED", "1")
    assert uses(cached_audit(by_environment)) == (4, 0)
    monkeypatch.setenv("MIA_TEST_DEPTH", "2")

    assert uses(cached_audit(by_environment)) == (0, 4)


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Write a module of the user's and import it anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(**modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
            os.utime(tmp_path / f"{name}.py", (1e9, 1e9))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(next(iter(modules)))

    yield write
    for name in ("mia_recipe", "mia_depths"):
        sys.modules.pop(name, None)


RECIPE = """
from sklearn.tree import DecisionTreeClassifier
import mia_depths

def make():
    return DecisionTreeClassifier(max_depth=mia_depths.depth())
"""
DEPTHS = "def depth():\n    return 2\n"


def test_a_module_of_the_users(cached_audit, helper):
    cached_audit(helper(mia_recipe=RECIPE, mia_depths=DEPTHS).make)

    assert uses(cached_audit(helper(mia_recipe=RECIPE, mia_depths=DEPTHS).make)) == (4, 0)
    assert uses(cached_audit(helper(mia_recipe=RECIPE, mia_depths=DEPTHS.replace("2", "3")).make)) == (0, 4)
    assert uses(cached_audit(helper(mia_recipe=RECIPE + "# a comment\n", mia_depths=DEPTHS).make)) == (0, 4)


def test_a_module_that_training_imports(cached_audit, helper):
    def train(model, X, y):
        import mia_depths

        return model.set_params(max_depth=mia_depths.depth()).fit(X, y)

    def rewritten(text):
        helper(mia_depths=text)
        del sys.modules["mia_depths"]

    rewritten(DEPTHS)
    cached_audit(training=train)
    assert uses(cached_audit(training=train)) == (4, 0), "loaded by the first audit, it is what it was"
    rewritten(DEPTHS)
    assert uses(cached_audit(training=train)) == (4, 0), "not loaded yet, as in a new process"
    rewritten(DEPTHS.replace("2", "3"))
    assert uses(cached_audit(training=train)) == (0, 4)


def test_a_module_that_training_imports_and_that_reads_the_environment(cached_audit, helper, monkeypatch):
    def train(model, X, y):
        import mia_depths

        return model.set_params(max_depth=mia_depths.depth()).fit(X, y)

    def audited(depth):
        monkeypatch.setenv("MIA_TEST_DEPTH", depth)
        helper(mia_depths="import os\n\ndef depth():\n    return int(os.environ['MIA_TEST_DEPTH'])\n")
        del sys.modules["mia_depths"]
        return cached_audit(training=train)

    assert [uses(audited(depth)) for depth in ("2", "2", "4", "4")] == [(0, 4), (4, 0), (0, 4), (4, 0)]
