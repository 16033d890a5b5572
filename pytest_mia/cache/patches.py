"""What of the user's was put into classes and modules that aren't his, and what of others' tells all by its name."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

from pytest_mia.cache import user_modules

PICKLING = ("__getstate__", "__reduce__", "__reduce_ex__")
WRAPPED = {
    staticmethod: "__func__",
    classmethod: "__func__",
    property: "fget",
    functools.partial: "func",
    functools.partialmethod: "func",
}


def methods(cls: type) -> Iterator[Any]:
    """Functions of the user's among the methods of a class that isn't his."""
    for part in cls.__mro__:
        yield from (method for _, method in sorted(vars(part).items()) if is_own_function(method))


def functions(module: types.ModuleType, names: frozenset[str] | None) -> list[Any]:
    """Functions of the user's that were put into a module that isn't his, and into those below it, under some names."""
    found, content = [], vars(module)
    for name in sorted(content if names is None else names & content.keys()):
        value = content[name]
        if is_own_function(value):
            found.append(value)
        elif names and isinstance(value, types.ModuleType) and value.__name__.startswith(f"{module.__name__}."):
            found += functions(value, names - {name})
    return found


def is_own_function(value: Any) -> bool:
    """Whether this is a function of the user's, as it is or wrapped as a method or a partial call."""
    inner = getattr(value, WRAPPED.get(type(value), ""), value)
    return isinstance(inner, types.FunctionType) and user_modules.is_own_file(inner.__code__.co_filename)


def tells_less(cls: type) -> bool:
    """Whether the user's own code says what is pickled of such a value: it may leave out what training reads."""
    return any(is_own_function(vars(part).get(name)) for part in cls.__mro__ for name in PICKLING)


def is_shared(value: Any) -> bool:
    """Whether this stands under its own name in a module that isn't the user's, which tells all about it."""
    module = sys.modules.get(value.__module__)
    code = getattr(value, "__code__", None)
    if (
        module is None
        or user_modules.is_own(module)
        or (code is not None and user_modules.is_own_file(code.co_filename))
    ):
        return False
    found: Any = module
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value
