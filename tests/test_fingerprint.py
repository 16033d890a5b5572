"""Fingerprints: equal for equal content and code, different for anything that differs."""

import sys
import types

import numpy as np
import pytest

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


def test_what_cant_be_pickled_has_none():
    assert fingerprint.of(step for step in range(3)) is None


def test_arrays_stay_as_they_were():
    array = np.arange(3.0)
    fingerprint.of(array)
    array += 1

    assert array.tolist() == [1, 2, 3]


def test_cloudpickles_registry_stays_as_it_was():
    import cloudpickle

    before = cloudpickle.list_registry_pickle_by_value()
    fingerprint.of(lines)

    assert cloudpickle.list_registry_pickle_by_value() == before


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
