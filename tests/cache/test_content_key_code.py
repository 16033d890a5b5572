"""Fingerprints of code: whatever it uses counts, and nothing else."""

import builtins
import threading

import numpy as np
import pytest

from pytest_mia.cache import content_key

ONE = """
import functools, os, sys
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

class Shy:
    def __init__(self, depth):
        self.depth = depth

    def __getstate__(self):
        return {{}}

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
    "by the module's name": "def factory(): return sys.modules[__name__].DEPTH",
    "by another function": "def factory(): return outer.__globals__['DEPTH']",
    "not pickled": "factory = Shy(1)",
    "evaluating": "def factory(): return kept.eval()",
    "environment kept": "env = os.environ\ndef factory(): return env['MIA_DEPTH']",
}


def content(lines):
    """The fingerprint of `factory` among other definitions, as a test file would hold it."""
    namespace = {"__name__": "test_lines"}
    exec(compile(lines, "test_lines.py", "exec"), namespace)
    return content_key.hash_content(namespace["factory"])


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
        ("by the module's name", "DEPTH = 3", "DEPTH = 4"),
        ("by another function", "DEPTH = 3", "DEPTH = 4"),
        ("not pickled", "Shy(1)", "Shy(2)"),
    ],
)
def test_a_change_of_what_the_code_uses(name, old, new):
    lines = ONE.format(factory=FACTORIES[name])
    assert lines.count(old) >= 1

    assert content(lines) != content(lines.replace(old, new))


UNFORESEEABLE = {"evaluated", "by the module's name", "by another function"}


@pytest.mark.parametrize("name", sorted(FACTORIES.keys() - UNFORESEEABLE))
def test_a_change_of_what_the_code_does_not_use(name):
    lines = ONE.format(factory=FACTORIES[name])
    other = lines.replace("def unrelated():\n    return 1", "# a comment\n\ndef unrelated():\n    return 2")
    assert lines != other

    assert content(lines) == content(other)


@pytest.mark.parametrize("name", [name for name in FACTORIES if "environment" in name or name == "membership"])
def test_the_environment_is_another_matter(monkeypatch, name):
    """It is recorded as it is read."""
    lines = ONE.format(factory=FACTORIES[name])
    before = content(lines)
    monkeypatch.setenv("MIA_DEPTH", "1")

    assert content(lines) == before


def train(model, X, _y, depth):
    model.depth = depth
    return np.linalg.matrix_rank(X), int(MIA_BUILTIN)  # noqa: F821 - set by a test


def test_names_that_are_made_known_everywhere(monkeypatch):
    found = {content_key.hash_content(train)}
    for value in (1, 2):
        monkeypatch.setattr(builtins, "MIA_BUILTIN", value, raising=False)
        found.add(content_key.hash_content(train))

    assert len(found) == 3


def test_values_of_a_thread():
    values = threading.local()
    found = set()
    for depth in (1, 2):
        values.depth = depth
        found.add(content_key.hash_content(values))

    assert len(found) == 2
