"""Fingerprints: equal for equal content and code, different for anything that differs."""

import copy
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from pytest_mia.cache import content_key

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
    assert content_key.try_hash_content(make()) == content_key.try_hash_content(make()) is not None


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
    assert content_key.try_hash_content(one) != content_key.try_hash_content(other)


def test_globals_of_the_users_modules_count(monkeypatch):
    before = content_key.try_hash_content(lines)
    monkeypatch.setitem(globals(), "DEPTH", 4)

    assert content_key.try_hash_content(lines) != before


def test_modules_that_the_users_code_calls_count(monkeypatch, tmp_path):
    helper = types.ModuleType("mia_helper")
    helper.__file__ = str(tmp_path / "mia_helper.py")
    helper.depth = 1
    monkeypatch.setitem(sys.modules, "mia_helper", helper)
    factory = eval("lambda: mia_helper.depth", {"mia_helper": helper})

    before = content_key.try_hash_content(factory)
    helper.depth = 2

    assert content_key.try_hash_content(factory) != before is not None


def test_what_cant_be_told_by_its_content_has_none():
    assert content_key.try_hash_content(step for step in range(3)) is None


def test_what_cant_be_told_by_its_content_is_named():
    stream = (step for step in range(3))

    with pytest.raises(content_key.UnhashableValue, match=r"mia_training/stream can't be told .*generator"):
        content_key.hash_content({"mia_training": lambda: next(stream)})


def test_arrays_stay_as_they_were():
    array = np.arange(3.0)
    content_key.try_hash_content(array)
    array += 1

    assert array.tolist() == [1, 2, 3]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_tensors_count_by_content(torch):
    def tensors():
        return [torch.arange(6.0).reshape(2, 3), torch.ones(2, dtype=torch.bfloat16), torch.tensor(3), torch.zeros(0)]

    assert content_key.try_hash_content(tensors()) == content_key.try_hash_content(tensors()) is not None


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

    assert content_key.try_hash_content(one) != content_key.try_hash_content(other)


def test_modules_count_by_their_weights(torch):
    def model(seed):
        generator = torch.Generator().manual_seed(seed)
        layer = torch.nn.Linear(3, 2)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(2, 3, generator=generator))
            layer.bias.zero_()
        return torch.nn.Sequential(layer, torch.nn.ReLU())

    assert content_key.try_hash_content(model(0)) == content_key.try_hash_content(model(0)) is not None
    assert content_key.try_hash_content(model(0)) != content_key.try_hash_content(model(1))


def test_pandas_and_estimators_count_by_content():
    pandas = pytest.importorskip("pandas")
    from sklearn.tree import DecisionTreeClassifier

    def content():
        frame = pandas.DataFrame({"age": [30.0, 40.0, 50.0], "town": ["a", "b", "a"]})
        return frame, DecisionTreeClassifier(random_state=0).fit(frame[["age"]], [0, 1, 0])

    assert content_key.try_hash_content(content()) == content_key.try_hash_content(content()) is not None


MANY = """
import collections, dataclasses, enum, functools, re, sys
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from pytest_mia.cache import content_key

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
    print(content_key.hash_content(value))
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


def test_a_class_is_the_same_after_its_first_copy():
    class Copied:
        pass

    before = content_key.try_hash_content(Copied)
    copy.copy(Copied())
    assert "__slotnames__" in vars(Copied), "Python keeps what it learns when it copies"
    assert content_key.try_hash_content(Copied) == before


def test_sparse_matrices_may_learn_about_themselves():
    matrix = sparse.random(20, 10, 0.2, random_state=0, format="csr")
    before = content_key.hash_content(matrix)
    assert matrix.has_sorted_indices

    assert content_key.hash_content(matrix) == before


def test_values_that_hold_themselves():
    one, other = [1], [2]
    one.append(one)
    other.append(other)

    assert content_key.try_hash_content(one) != content_key.try_hash_content(other) is not None
