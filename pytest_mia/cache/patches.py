"""The user's functions that were put into classes and modules of others, and values that their names describe."""

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


def find_patched_methods(cls: type) -> Iterator[Any]:
    """The user's functions among the methods of a class of someone else."""
    for part in cls.__mro__:
        yield from (method for _, method in sorted(vars(part).items()) if is_user_function(method))


def find_patched_functions(module: types.ModuleType, names: frozenset[str] | None) -> list[Any]:
    """The user's functions under these names in a module of someone else, and in the modules below it."""
    found, content = [], vars(module)
    for name in sorted(content if names is None else names & content.keys()):
        value = content[name]
        if is_user_function(value):
            found.append(value)
        elif names and isinstance(value, types.ModuleType) and value.__name__.startswith(f"{module.__name__}."):
            found += find_patched_functions(value, names - {name})
    return found


def is_user_function(value: Any) -> bool:
    """Whether this is a function of the user, as it is or wrapped as a method or a partial call."""
    inner = getattr(value, WRAPPED.get(type(value), ""), value)
    return isinstance(inner, types.FunctionType) and user_modules.is_user_file(inner.__code__.co_filename)


def pickles_by_user_code(cls: type) -> bool:
    """Whether the user's code decides what is pickled of such values: it may leave out what training reads."""
    return any(is_user_function(vars(part).get(name)) for part in cls.__mro__ for name in PICKLING)


def is_shared(value: Any) -> bool:
    """Whether this stands under its own name in a module that isn't the user's: the name then describes it fully."""
    module = sys.modules.get(value.__module__)
    code = getattr(value, "__code__", None)
    if (
        module is None
        or user_modules.is_user_module(module)
        or (code is not None and user_modules.is_user_file(code.co_filename))
    ):
        return False
    found: Any = module
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value
