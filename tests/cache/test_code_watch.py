"""The name of code before it is first run, and whether it stays as it is."""

import functools
import sys

import numpy as np
import pytest
from users_code import FILES, factory_of

from pytest_mia.cache import code_watch, content_key


def train(model, X, _y, depth):
    model.depth = depth
    return np.linalg.matrix_rank(X), int(MIA_BUILTIN)  # noqa: F821 - set by a test


@pytest.mark.parametrize(
    "method",
    [lambda depth: lambda *given: train(*given, depth), lambda depth: functools.partialmethod(train, depth=depth)],
)
def test_methods_that_are_patched_into_installed_classes(monkeypatch, method):
    from sklearn.tree import DecisionTreeClassifier

    before = code_watch.name_code(1)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", method(1))
    one = code_watch.name_code(1)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", method(2))

    assert len({before, one, code_watch.name_code(1)}) == 3


class Constant:
    def __init__(self, answer):
        self.answer = answer

    def __call__(self, X):
        return self.answer


@pytest.mark.parametrize("instead", [lambda answer: lambda X: answer, Constant])
def test_functions_that_are_patched_into_installed_modules(monkeypatch, instead):
    """Whether the user's code mentions them or not: a library's own code may call them."""
    before = code_watch.name_code(1)
    monkeypatch.setattr(np.linalg, "matrix_rank", instead(1))
    one = code_watch.name_code(1)
    monkeypatch.setattr(np.linalg, "matrix_rank", instead(2))

    assert len({before, one, code_watch.name_code(1)}) == 3


def test_answers_that_were_kept_are_forgotten():
    """They may be of another day; what is read to find them again is recorded."""

    @functools.lru_cache(8)
    def kept(_number):
        return (one for one in "a")

    def factory():
        return kept(1)

    empty = code_watch.name_code(factory)
    factory()

    assert code_watch.name_code(factory) == empty
    assert kept.cache_info().currsize == 0


LATE = "def factory():\n    import mia_layers\n    return mia_layers.layer()"


def test_what_training_loads_counts_only_once_it_changes(package, monkeypatch):
    package(FILES)
    factory = factory_of(LATE)
    name = code_watch.name_code(factory)
    watch = code_watch.CodeWatch(factory, name)
    factory()
    watch.check()

    assert code_watch.name_code(factory) == name
    monkeypatch.setattr(sys.modules["mia_layers"], "WIDTH", 4)
    assert code_watch.name_code(factory) != name


def test_what_changes_while_it_is_trained(package):
    package(FILES)
    factory = factory_of("import mia_units\ndef factory():\n    mia_units.WIDTH += 1\n    return mia_units.WIDTH")
    watch = code_watch.CodeWatch(factory, code_watch.name_code(factory))
    watch.check()
    factory()

    with pytest.raises(code_watch.ChangedCodeError, match=r"mia_units\.WIDTH changes"):
        watch.check()


def test_what_is_large_is_seen_to_change():
    large = np.zeros(content_key.LARGE)
    watch = code_watch.CodeWatch(lambda: large, "large")
    watch.check()
    large += 1

    with pytest.raises(code_watch.ChangedCodeError):
        watch.check()
