import functools
import json
import types
from unittest import mock

import numpy as np
import pytest

from pytest_mia.cache.patches import find_patches


@pytest.fixture(autouse=True)
def looked_before():
    """Modules that haven't changed are not looked through again."""
    find_patches()


def ours(self=None):
    """A function of a test stands for one of the user."""


class Ours:
    """So does a class."""


@pytest.mark.parametrize("value", [ours, Ours, Ours(), mock.Mock(), functools.partial(ours), property(ours)])
@pytest.mark.parametrize("place", ["json.decoder.scanstring", "json.decoder.JSONDecoder.decode"])
def test_what_is_the_users_is_found_until_it_is_taken_back(monkeypatch, place, value):
    before = find_patches()
    with monkeypatch.context() as context:
        context.setattr(place, value)
        assert {key: each for key, each in find_patches().items() if key not in before} == {place: value}
    assert find_patches().keys() == before.keys()


def test_a_partial_call_in_the_place_of_what_it_calls(monkeypatch):
    monkeypatch.setattr(json, "loads", functools.partial(json.loads, parse_int=float))
    assert "json.loads" in find_patches()


def test_what_a_library_makes_itself_is_its_own():
    own = np._core.fromnumeric
    assert isinstance(own.array_function_dispatch, functools.partial)
    assert not [place for place in find_patches() if place.startswith("numpy.")]


@pytest.mark.parametrize("value", [ours, functools.partial(ours)])
def test_what_is_the_users_in_the_place_of_such_a_call(monkeypatch, value):
    monkeypatch.setattr(np._core.fromnumeric, "array_function_dispatch", value)
    assert find_patches()["numpy._core.fromnumeric.array_function_dispatch"] is value


@pytest.mark.parametrize("value", [3, len, types.ModuleType("ours"), json.dumps])
def test_what_isnt_the_users_is_not_found(monkeypatch, value):
    before = find_patches().keys()
    monkeypatch.setattr(json, "loads", value)
    assert find_patches().keys() == before


def test_partial_calls_of_a_library_that_it_imports_elsewhere():
    """Which of them are loaded differs from process to process."""
    pytest.importorskip("torch._dynamo")
    assert not [place for place in find_patches() if place.startswith("torch.")]
