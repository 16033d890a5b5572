"""Fingerprints of code: whatever it uses counts, and nothing else."""

import pytest

from pytest_mia import fingerprint

ONE = """
import functools, os
from dataclasses import dataclass

DEPTH = 3
WORDS = ["a"]
NAME = "MIA_DEPTH"

def outer(x, y=1, *, z=2):
    def inner():
        return x
    return inner

def deeper():
    return DEPTH

class Base:
    kind = 1

    def method(self):
        return 1

    @property
    def size(self):
        return 1

    @staticmethod
    def fixed():
        return 1

class Own(Base):
    pass

@functools.lru_cache(maxsize=8)
def kept():
    return 1

def decorated(function):
    @functools.wraps(function)
    def inner():
        return function()
    return inner

@decorated
def wrapped():
    return 1

def unrelated():
    return 1

{factory}
"""
FACTORIES = {
    "closure": "factory = outer(1)",
    "functions": "def factory(): return deeper()",
    "inner functions": "def factory(): return [deeper() for _ in range(3)]",
    "objects": "def factory(): return Own()",
    "methods": "factory = Own().method",
    "mutable": "def factory(): return WORDS",
    "defaults": "factory = outer",
    "kept": "factory = kept",
    "wrapped": "factory = wrapped",
    "partial": "factory = functools.partial(outer, 1)",
    "environment": "def factory(): return os.environ['MIA_DEPTH']",
    "environment by get": "def factory(): return os.environ.get('MIA_DEPTH', 3)",
    "environment by getenv": "def factory(): return os.getenv('MIA_DEPTH')",
    "membership": "def factory(): return 'MIA_DEPTH' in os.environ",
    "environment by variable": "def factory(): return os.environ[NAME]",
    "whole environment": "def factory(): return dict(os.environ)",
    "evaluated": "def factory(): return eval('DEPTH + ' + 'unre' + 'lated()')",
    "evaluating": "def factory(): return kept.eval()",
    "environment kept": "env = os.environ\ndef factory(): return env['MIA_DEPTH']",
}


def content(lines):
    """The fingerprint of `factory` among other definitions, as a test file would hold it."""
    namespace = {"__name__": "test_lines"}
    exec(compile(lines, "test_lines.py", "exec"), namespace)
    return fingerprint.digest(namespace["factory"])


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("closure", "outer(1)", "outer(2)"),
        ("closure", "return x", "return -x"),
        ("functions", "DEPTH = 3", "DEPTH = 4"),
        ("functions", "DEPTH = 3", "DEPTH = 3.0"),
        ("functions", "return DEPTH", "return -DEPTH"),
        ("inner functions", "DEPTH = 3", "DEPTH = 4"),
        ("objects", "kind = 1", "kind = 2"),
        ("objects", "method(self):\n        return 1", "method(self):\n        return 2"),
        ("objects", "size(self):\n        return 1", "size(self):\n        return 2"),
        ("objects", "fixed():\n        return 1", "fixed():\n        return 2"),
        ("objects", "    pass", "    kind = 3"),
        ("objects", "@property", "@functools.cached_property"),
        ("methods", "method(self):\n        return 1", "method(self):\n        return 2"),
        ("mutable", '["a"]', '["a", "b"]'),
        ("mutable", '["a"]', '["b"]'),
        ("defaults", "y=1", "y=2"),
        ("defaults", "z=2", "z=3"),
        ("kept", "def kept():\n    return 1", "def kept():\n    return 2"),
        ("kept", "maxsize=8", "maxsize=None"),
        ("wrapped", "def wrapped():\n    return 1", "def wrapped():\n    return 2"),
        ("wrapped", "return function()", "return -function()"),
        ("partial", "(outer, 1)", "(outer, 2)"),
        ("partial", "(outer, 1)", "(outer, x=1)"),
        ("evaluated", "DEPTH = 3", "DEPTH = 4"),
        ("evaluated", "def unrelated():\n    return 1", "def unrelated():\n    return 2"),
    ],
)
def test_a_change_of_what_the_code_uses(name, old, new):
    lines = ONE.format(factory=FACTORIES[name])
    assert lines.count(old) >= 1

    assert content(lines) != content(lines.replace(old, new))


@pytest.mark.parametrize("name", sorted(FACTORIES.keys() - {"evaluated"}))
def test_a_change_of_what_the_code_does_not_use(name):
    lines = ONE.format(factory=FACTORIES[name])
    other = lines.replace("def unrelated():\n    return 1", "# a comment\n\ndef unrelated():\n    return 2")
    assert lines != other

    assert content(lines) == content(other)


@pytest.mark.parametrize("name", [name for name in FACTORIES if "environment" in name or name == "membership"])
def test_the_environment_that_code_reads(monkeypatch, name):
    lines = ONE.format(factory=FACTORIES[name])
    monkeypatch.delenv("MIA_DEPTH", raising=False)
    without = content(lines)
    monkeypatch.setenv("MIA_DEPTH", "1")
    one = content(lines)
    monkeypatch.setenv("MIA_DEPTH", "2")
    two = content(lines)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")

    assert len({without, one, two}) == 3
    assert content(lines) == two


def test_the_environment_that_code_does_not_read(monkeypatch):
    lines = ONE.format(factory=FACTORIES["environment"])
    before = content(lines)
    monkeypatch.setenv("MIA_OTHER", "1")

    assert content(lines) == before


def test_methods_that_are_patched_into_installed_classes(monkeypatch):
    from sklearn.tree import DecisionTreeClassifier

    before = fingerprint.digest(DecisionTreeClassifier)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", lambda self, X, y: self)
    one = fingerprint.digest(DecisionTreeClassifier)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", lambda self, X, y: None)

    assert len({before, one, fingerprint.digest(DecisionTreeClassifier)}) == 3
