"""Fingerprints: equal for equal content and code, different for anything that differs."""

import copy
import importlib
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from pytest_mia import fingerprint

DEPTH = 3


def lines():
    return DEPTH


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.arange(12.0).reshape(3, 4),
        lambda: np.asfortranarray(np.ones((3, 4))),
        lambda: {"a": [np.zeros(2), "text"], "b": (1, 2.5, None)},
        lambda: np.array(["red", "green"], dtype=object),
        lambda: lambda: DEPTH,
        lambda: lines,
        lambda: type("Model", (), {"fit": lambda self, X, y: None})().fit.__func__,
    ],
)
def test_the_same_content_made_twice(make):
    assert fingerprint.of(make()) == fingerprint.of(make()) is not None


def closure(value):
    return lambda: value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(3), np.zeros(4)),
        (np.zeros(3), np.zeros(3, dtype=np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        ([np.zeros(3), np.ones(3)], [np.ones(3), np.zeros(3)]),
        ([np.zeros(1), np.zeros(3)], [np.zeros(2), np.zeros(2)]),
        (closure(1), closure(2)),
        (closure(np.zeros(3)), closure(np.ones(3))),
        (lambda: 1, lambda: 2),
    ],
)
def test_different_content(one, other):
    assert fingerprint.of(one) != fingerprint.of(other)


def test_globals_of_the_users_modules_count(monkeypatch):
    before = fingerprint.of(lines)
    monkeypatch.setitem(globals(), "DEPTH", 4)

    assert fingerprint.of(lines) != before


def test_modules_that_the_users_code_calls_count(monkeypatch, tmp_path):
    helper = types.ModuleType("mia_helper")
    helper.__file__ = str(tmp_path / "mia_helper.py")
    helper.depth = 1
    monkeypatch.setitem(sys.modules, "mia_helper", helper)
    factory = eval("lambda: mia_helper.depth", {"mia_helper": helper})

    before = fingerprint.of(factory)
    helper.depth = 2

    assert fingerprint.of(factory) != before is not None


def test_what_cant_be_told_by_its_content_has_none():
    assert fingerprint.of(step for step in range(3)) is None


def test_what_cant_be_told_by_its_content_is_named():
    stream = (step for step in range(3))

    with pytest.raises(fingerprint.Opaque, match=r"mia_training/stream can't be told .*generator"):
        fingerprint.digest({"mia_training": lambda: next(stream)})


def test_arrays_stay_as_they_were():
    array = np.arange(3.0)
    fingerprint.of(array)
    array += 1

    assert array.tolist() == [1, 2, 3]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_tensors_count_by_content(torch):
    def tensors():
        return [torch.arange(6.0).reshape(2, 3), torch.ones(2, dtype=torch.bfloat16), torch.tensor(3), torch.zeros(0)]

    assert fingerprint.of(tensors()) == fingerprint.of(tensors()) is not None


@pytest.mark.parametrize("change", ["value", "shape", "dtype", "grad", "parameter"])
def test_tensors_that_differ(torch, change):
    one = torch.zeros(2, 3)
    other = {
        "value": torch.ones(2, 3),
        "shape": torch.zeros(3, 2),
        "dtype": torch.zeros(2, 3, dtype=torch.int32),
        "grad": torch.zeros(2, 3, requires_grad=True),
        "parameter": torch.nn.Parameter(torch.zeros(2, 3), requires_grad=False),
    }[change]

    assert fingerprint.of(one) != fingerprint.of(other)


def test_modules_count_by_their_weights(torch):
    def model(seed):
        generator = torch.Generator().manual_seed(seed)
        layer = torch.nn.Linear(3, 2)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(2, 3, generator=generator))
            layer.bias.zero_()
        return torch.nn.Sequential(layer, torch.nn.ReLU())

    assert fingerprint.of(model(0)) == fingerprint.of(model(0)) is not None
    assert fingerprint.of(model(0)) != fingerprint.of(model(1))


def test_pandas_and_estimators_count_by_content():
    pandas = pytest.importorskip("pandas")
    from sklearn.tree import DecisionTreeClassifier

    def content():
        frame = pandas.DataFrame({"age": [30.0, 40.0, 50.0], "town": ["a", "b", "a"]})
        return frame, DecisionTreeClassifier(random_state=0).fit(frame[["age"]], [0, 1, 0])

    assert fingerprint.of(content()) == fingerprint.of(content()) is not None


MANY = """
import collections, dataclasses, enum, functools, re, sys
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from pytest_mia import fingerprint

class Own(ClassifierMixin, BaseEstimator):
    def __init__(self, depth=1):
        self.depth = depth
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y) if self.depth in {"a", "b", "c", "d"} else self
    @property
    def size(self):
        return {"x", "y", "z"}

class Colour(enum.Enum):
    RED = "red"

@dataclasses.dataclass
class Options:
    depth: int = 1
    names: list = dataclasses.field(default_factory=list)

Pair = collections.namedtuple("Pair", "a b")

@functools.lru_cache
def kept(x):
    return x, re.compile("a+")

def decorated(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner

@decorated
def inner():
    return inner, {"q", "w", "e"}

values = [
    Own, Own(3), make_pipeline(LogisticRegression(C=2), Own()), Colour, Colour.RED, Options, Options(2), Pair(1, 2),
    kept, inner, functools.partial(inner, 1), Own(4).fit, {"a", "b", ("c", 1)}, frozenset("abc"), np.arange(5)[::-2],
    sparse.random(20, 10, 0.2, random_state=0, format="csr"), np.random.default_rng(3), collections.OrderedDict(a=1),
    lambda n: inner(n), ["text"] * 3, np.dtype([("a", "f8")]), np.array([None, "a"]), slice(1), re.compile("b"), np.add,
]
for value in values:
    print(fingerprint.digest(value))
"""


def test_another_process_finds_the_same():
    """Strings hash differently in each process, so sets have another order."""
    found = [
        subprocess.run(
            [sys.executable, "-c", MANY],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert found[0] == found[1]
    assert len(set(found[0].split())) == len(found[0].split()) == 25


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


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Files of the user's, whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)

    def write(files):
        for name, text in files.items():
            path = tmp_path.joinpath(name).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


FILES = {
    "mia_layers": "import mia_units\nfrom mia_units import WIDTH\n\ndef layer():\n    return WIDTH\n",
    "mia_units": "WIDTH = 3\nEFFECT = print\n",
    "mia_pack/__init__": "",
    "mia_pack/nets": "from . import parts\n\ndef make():\n    import mia_late\n    return parts.PART\n",
    "mia_pack/parts": "PART = 1\n",
    "mia_late": "LATE = 1\n",
    "mia_other": "OTHER = 1\n",
}
LAYERS = {
    "attribute": "import mia_layers\ndef factory(): return mia_layers.layer()",
    "name": "from mia_layers import layer\ndef factory(): return layer()",
    "value": "import mia_layers\nfactory = mia_layers.layer",
    "late": "import mia_layers as _\ndef factory():\n    from mia_layers import layer\n    return layer()",
    "late whole": "import mia_layers as _\ndef factory():\n    import mia_layers\n    return mia_layers.layer()",
    "passed on": "import mia_layers\ndef factory(): return (lambda module: module.layer())(mia_layers)",
}
PACKAGE = "import mia_pack.nets, mia_late\ndef factory(): return mia_pack.nets.make()"


def factory_of(lines):
    namespace = {"__name__": "test_lines"}
    exec(lines, namespace)
    return namespace["factory"]


@pytest.mark.parametrize(
    ("lines", "file"),
    [(lines, file) for lines in LAYERS.values() for file in ("mia_layers", "mia_units")]
    + [(PACKAGE, file) for file in ("mia_pack/__init__", "mia_pack/nets", "mia_pack/parts", "mia_late")],
)
def test_files_of_modules_that_the_code_reaches(package, lines, file):
    package(FILES)
    factory = factory_of(lines)
    before = fingerprint.digest(factory)
    package({file: FILES[file] + "# changed\n"})

    assert fingerprint.digest(factory) != before


@pytest.mark.parametrize("lines", [*LAYERS.values(), PACKAGE])
def test_files_of_modules_that_the_code_does_not_reach(package, lines):
    package(FILES)
    factory = factory_of(lines)
    importlib.import_module("mia_other")
    before = fingerprint.digest(factory)
    package({"mia_other": "OTHER = 2\n"})

    assert fingerprint.digest(factory) == before


@pytest.mark.parametrize("lines", LAYERS.values())
def test_values_of_modules_that_the_code_reaches(package, monkeypatch, lines):
    package(FILES)
    factory = factory_of(lines)
    before = fingerprint.digest(factory)
    monkeypatch.setattr(sys.modules["mia_layers"], "WIDTH", 4)

    assert fingerprint.digest(factory) != before


def test_what_training_loads_counts_only_once_it_changes(package, monkeypatch):
    package(FILES)
    factory = factory_of("def factory():\n    import mia_layers\n    return mia_layers.layer()")
    before = fingerprint.digest(factory)
    known = set(sys.modules)
    factory()
    fingerprint.settle(set(sys.modules) - known)

    assert fingerprint.digest(factory) == before
    monkeypatch.setattr(sys.modules["mia_layers"], "WIDTH", 4)
    assert fingerprint.digest(factory) != before


def test_a_class_is_the_same_after_its_first_copy():
    class Copied:
        pass

    before = fingerprint.of(Copied)
    copy.copy(Copied())
    assert "__slotnames__" in vars(Copied), "Python keeps what it learns when it copies"
    assert fingerprint.of(Copied) == before


def test_modules_that_are_imported_by_names_made_on_the_way(package):
    package(FILES)
    factory = factory_of("import importlib\ndef factory(): return importlib.import_module('mia_' + 'other')")
    importlib.import_module("mia_other")
    before = fingerprint.digest(factory)
    package({"mia_other": "OTHER = 2\n"})

    assert fingerprint.digest(factory) != before


def test_methods_that_are_patched_into_installed_classes(monkeypatch):
    from sklearn.tree import DecisionTreeClassifier

    before = fingerprint.digest(DecisionTreeClassifier)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", lambda self, X, y: self)
    one = fingerprint.digest(DecisionTreeClassifier)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", lambda self, X, y: None)

    assert len({before, one, fingerprint.digest(DecisionTreeClassifier)}) == 3


def test_functions_of_compiled_modules_count_by_its_file(tmp_path, monkeypatch):
    """A compiled module of the user's: here one of Python's own, which stands elsewhere for the moment."""
    import _struct

    file = tmp_path / "mia_compiled.so"
    file.write_bytes(b"1")
    monkeypatch.setattr(_struct, "__file__", str(file), raising=False)
    monkeypatch.setattr(_struct, "__spec__", None)
    before = fingerprint.digest(_struct.calcsize)
    file.write_bytes(b"2")

    assert fingerprint.digest(_struct.calcsize) != before


def test_sparse_matrices_may_learn_about_themselves():
    matrix = sparse.random(20, 10, 0.2, random_state=0, format="csr")
    before = fingerprint.digest(matrix)
    assert matrix.has_sorted_indices

    assert fingerprint.digest(matrix) == before


def test_values_that_hold_themselves():
    one, other = [1], [2]
    one.append(one)
    other.append(other)

    assert fingerprint.of(one) != fingerprint.of(other) is not None
