"""What the user's code has put into the modules and classes of others, whose names no longer tell what they do."""

from __future__ import annotations

import dis
import functools
import inspect
import operator
import sys
import weakref
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from pytest_mia.cache import user_modules
from pytest_mia.cache.user_modules import WRAPPED, is_user_file, is_user_function

PARTIALS = {functools.partial, functools.partialmethod}
PARTIAL_NAMES = {"partial", "partialmethod"}


def find_patches() -> dict[str, Any]:
    """All that stands in loaded modules of others and is the user's, by its place.

    These are functions and classes of the user, objects of such classes, stand-ins of `unittest.mock`, and partial
    calls in the place of what they call.
    """
    modules = user_modules.find_other_modules()
    found = dict(each for name, module in modules for each in _look(name, module).patches)
    own = _find_own_partials(found, [module for _, module in modules])
    return {place: value for place, value in found.items() if id(value) not in own}


@dataclass(frozen=True)
class _Look:
    """What a module held when it was looked at.

    Attributes
    ----------
    parts
        The module and its classes, each with what it holds.
    values
        What each of these held.
    patches
        What of it was the user's, or a partial call, by its place.
    partials
        All partial calls in it.
    """

    parts: list[Mapping[str, Any]]
    values: list[list[Any]]
    patches: list[tuple[str, Any]]
    partials: list[Any]

    @property
    def holds(self) -> bool:
        """Whether the module still holds the same."""
        return all(map(_are_same, self.values, self.parts))


def _are_same(values: list[Any], part: Mapping[str, Any]) -> bool:
    now = [*part.values()]
    return len(now) == len(values) and all(map(operator.is_, now, values))


_looks: weakref.WeakKeyDictionary[ModuleType, _Look] = weakref.WeakKeyDictionary()
_partial_names: weakref.WeakKeyDictionary[ModuleType, frozenset[str]] = weakref.WeakKeyDictionary()


def _look(name: str, module: ModuleType) -> _Look:
    """What is the user's in a module, which is looked through only where it has changed since the last time."""
    known = _looks.get(module)
    if known is not None and known.holds:
        return known
    parts: dict[str, Mapping[str, Any]] = {name: vars(module)}
    for key, value in [*vars(module).items()]:
        if issubclass(type(value), type) and value.__module__ == name:
            parts[f"{name}.{key}"] = vars(value)
    found = [each for place, part in parts.items() for each in _find_in(place, part)]
    held = [*parts.values()]
    values = [[*part.values()] for part in held]
    partials = [value for part in values for value in part if type(value) in PARTIALS]
    _partial_names.pop(module, None)
    _looks[module] = _Look(held, values, found, partials)
    return _looks[module]


def _find_own_partials(found: Mapping[str, Any], modules: list[ModuleType]) -> frozenset[int]:
    """Which of them are partial calls that a library's own code has made, for itself or for others to import."""
    partials = {id(value) for value in found.values() if type(value) in PARTIALS and not is_user_function(value)}
    own = set[int]()
    for module in modules if partials else []:
        if not partials.isdisjoint(map(id, _looks[module].partials)):
            own.update(map(id, _partials_of(module)))
    return frozenset(partials & own)


def _partials_of(module: ModuleType) -> Iterator[Any]:
    """What stands under the names to which a module's own code gives partial calls."""
    if module not in _partial_names:
        _partial_names[module] = _list_partials(module)
    for part in _looks[module].parts:
        yield from (part[name] for name in _partial_names[module] if name in part)


def _find_in(place: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is the user's in a part of a module, or a partial call of what has its own name, each with its place."""
    for key, value in [*part.items()]:
        kind = type(value)
        if kind is FunctionType:
            own = is_user_file(value.__code__.co_filename)
        elif kind in WRAPPED:
            own = is_user_function(value) or getattr(getattr(value, "func", None), "__name__", "") == key
        elif kind.__module__ == "unittest.mock":
            own = not place.startswith("unittest")
        else:
            owner: Any = value if issubclass(kind, type) else kind
            own = _is_own_class(owner)
        if own:
            yield f"{place}.{key}", value


def _list_partials(module: ModuleType) -> frozenset[str]:
    """The names that a module's own code gives to partial calls."""
    code, found = user_modules.code_of(module), set[str]()
    for part in [] if code is None else filter(_may_store_partials, user_modules.nested(code)):
        made = False
        for step in dis.get_instructions(part):
            made = made or (step.opname.startswith("LOAD") and step.argval in PARTIAL_NAMES)
            if step.opname == "STORE_NAME":
                found.update([step.argval] if made else [])
                made = False
    return frozenset(found)


def _may_store_partials(code: CodeType) -> bool:
    """Whether a body may give names to partial calls: functions, whose code is optimized, have places instead."""
    return not (code.co_flags & inspect.CO_OPTIMIZED or PARTIAL_NAMES.isdisjoint(code.co_names + code.co_freevars))


@functools.lru_cache(maxsize=2**16)
def _is_own_class(kind: Hashable) -> bool:
    file = getattr(sys.modules.get(getattr(kind, "__module__", "")), "__file__", None)
    return file is not None and is_user_file(file)
