"""A hash of a value and of the code that it runs: equal hashes mean equal work, in any process."""

from __future__ import annotations

import builtins
import functools
import os
import sys
import types
import weakref
from collections import ChainMap
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from pytest_mia.cache import user_modules
from pytest_mia.cache.hash_values import ATOMS, Walk, Way

MADE_BY_PYTHON = {
    "__dict__",
    "__weakref__",
    "__doc__",
    "_abc_impl",
    "__static_attributes__",
    "__firstlineno__",
    "__slotnames__",
}

Memo = functools._lru_cache_wrapper
TOLD_STEPS = 3
"""How deep a quick walk tells its steps."""
LARGE, PIECES, PIECE = 2**22, 1024, 2**11
"""Bytes above which a quick walk takes pieces, how many of them, and their size."""

fresh_memos: weakref.WeakSet[Memo[Any]] = weakref.WeakSet()
"""Functions that kept no answers yet when this process first looked at them."""


class UnhashableValue(Exception):
    """A value whose content can't be hashed; the message says where it is and why."""


def try_hash_content(value: Any) -> str | None:
    """The hash of a value, or ``None`` where its content can't be hashed; see `hash_content`."""
    try:
        return hash_content(value)
    except UnhashableValue:
        return None


def hash_content(value: Any) -> str:
    """The hash of a value: functions with all that they close over and read, objects with their classes.

    What installed packages define is hashed by its name. The user's modules that code mentions are hashed by their
    files as well, and so are those that they mention; of test files only what is used is hashed. What code reads while
    it runs (files, environment variables) is the matter of `traces`.

    Parameters
    ----------
    value
        Anything: arrays, frames, tensors, models, functions.

    Raises
    ------
    UnhashableValue
        For what has no content to hash, such as a generator or an open connection.
    """
    return walked(value, CodeWalk()).hash.hexdigest()


AnyWalk = TypeVar("AnyWalk", bound=Walk)


def walked(value: Any, walk: AnyWalk) -> AnyWalk:
    """The same walk, once it went through a value.

    Raises
    ------
    UnhashableValue
        As `hash_content` does.
    """
    try:
        walk.visit(value)
    except Exception as error:
        # Objects are taken apart by code of any kind, which may raise anything.
        raise UnhashableValue(
            f"{walk.place} can't be told by its content ({type(error).__name__}: {error})".strip()
        ) from None
    return walk


class CodeWalk(Walk):
    """A walk through values and the code that they run: functions, classes, the user's modules.

    Attributes
    ----------
    memos
        Functions that keep their answers, which were met.
    """

    def __init__(self) -> None:
        super().__init__()
        self.memos: list[Memo[Any]] = []

    def another(self) -> CodeWalk:
        """A walk of the same kind that has met nothing yet."""
        return type(self)()

    def passes_by(self, module: types.ModuleType) -> bool:  # noqa: ARG002 - this walk meets all
        """Whether a module of the user's isn't looked at."""
        return False

    def ways(self) -> Iterator[tuple[Any, Way]]:
        """How types that others inherit from are taken apart."""
        yield types.FunctionType, self._function
        yield type, self._class
        yield types.ModuleType, self._whole_module
        yield types.BuiltinFunctionType, self._builtin
        yield types.CodeType, self._code
        yield types.CellType, self._cell
        yield (staticmethod, classmethod), self._wrapper
        yield Memo, self._memo
        yield property, self._property
        yield type(os.environ), self.named
        yield from super().ways()

    def _object(self, value: Any) -> None:
        super()._object(value)
        if isinstance(value, np.ndarray) or user_modules.pickles_by_user_code(type(value)):
            self.visit(getattr(value, "__dict__", None), "what isn't pickled")

    def known(self, module: str, name: str) -> None:
        """Add something that stands under a name in a module, and the file of a module of the user's."""
        super().known(module, name)
        self._source(sys.modules.get(module))

    def _function(self, function: types.FunctionType) -> None:
        if user_modules.is_shared(function):
            self.write("function", f"{function.__module__}.{function.__qualname__}")
            return
        code = function.__code__
        self.write("function", function.__qualname__)
        self.visit(code)
        self.items("defaults", (function.__defaults__, function.__kwdefaults__))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self.visit(cell, name)
        self.visit(vars(function))
        uses = user_modules.find_uses(code)
        self._used(uses, function.__globals__)
        if uses.unforeseeable:
            self._everything(function.__globals__)
        self._source(sys.modules.get(function.__globals__.get("__name__", "")))

    def _code(self, code: types.CodeType) -> None:
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self.items("code", (code.co_code, code.co_exceptiontable, code.co_qualname, names, counts, code.co_consts))

    def _cell(self, cell: types.CellType) -> None:
        try:
            content = cell.cell_contents
        except ValueError:
            self.write("empty")
        else:
            self.visit(content)

    @functools.cached_property
    def _own_modules(self) -> list[types.ModuleType]:
        return [module for module in user_modules.find_user_modules() if not self.passes_by(module)]

    def _used(self, uses: user_modules.Uses, namespace: dict[str, Any]) -> None:
        """Add what code refers to: globals, and modules that it may import when it runs."""
        known = ChainMap(namespace, vars(builtins))
        for name in sorted(uses.names & known.keys()):
            value = known[name]
            if isinstance(value, types.ModuleType):
                self._module(value, None if name in uses.whole else uses.words)
            else:
                self.visit(value, name)
        for module in user_modules.find_mentioned_modules(uses.words, self._own_modules):
            self._module(module, uses.words)

    def _everything(self, namespace: dict[str, Any]) -> None:
        """Add all that code may refer to that makes its names as it runs."""
        for name, value in sorted(namespace.items()):
            if not name.startswith("__"):
                self.visit(value, name)
        for module in self._own_modules:
            self._source(module)
            # Whole modules that may have nothing to do with it need not be such as can be told.
            plain = [(key, each) for key, each in sorted(vars(module).items()) if type(each) in ATOMS]
            self.items("values", [each for each in plain if not each[0].startswith("__")])

    def _class(self, cls: type) -> None:
        self.write("class", f"{cls.__module__}.{self._name(cls)}")
        if user_modules.is_shared(cls):
            return
        self.items("bases", (type(cls), *cls.__bases__))
        for name, value in sorted(self._attributes(cls).items()):
            self.write("attribute", name)
            self.visit(value, name)
        self._source(sys.modules.get(cls.__module__))

    def _name(self, cls: type) -> str:
        return cls.__qualname__

    def _attributes(self, cls: type) -> dict[str, Any]:
        """What a class holds; what makes slots is told by their names."""
        return {
            name: value
            for name, value in vars(cls).items()
            if name not in MADE_BY_PYTHON and not isinstance(value, types.MemberDescriptorType)
        }

    def _builtin(self, function: Any) -> None:
        self.named(function)
        if isinstance(function.__self__, types.ModuleType):
            self._module(function.__self__, frozenset())
        else:
            self.visit(function.__self__)

    def _wrapper(self, wrapper: Any) -> None:
        self.items(type(wrapper).__name__, (wrapper.__wrapped__,))

    def _memo(self, memo: Any) -> None:
        self.memos.append(memo)
        self.items("memo", (memo.cache_parameters(), memo.__wrapped__))
        if not memo.cache_info().currsize:
            fresh_memos.add(memo)
        self._kept(memo)

    def _kept(self, memo: Memo[Any]) -> None:
        if memo not in fresh_memos:
            self.visit(user_modules.find_answers(memo), "answers that it keeps")

    def _property(self, value: property) -> None:
        self.items("property", (value.fget, value.fset, value.fdel))

    def _whole_module(self, module: types.ModuleType) -> None:
        self._module(module, None)

    def _module(self, module: types.ModuleType, names: frozenset[str] | None) -> None:
        """Add a module of the user's with its values, or with those of some names; any other by its name."""
        if not user_modules.is_user_module(module):
            self.write("module", module.__name__)
            for name in user_modules.find_aliases(module, names or frozenset()):
                self.write("alias", name)
            return
        if self.passes_by(module) or not self.is_new((module.__name__, names), module):
            return
        self.write("module", module.__name__)
        self._source(module)
        for name, value in sorted(vars(module).items()):
            if name.startswith("__") or (names is not None and name not in names):
                continue
            if isinstance(value, types.ModuleType):
                self._module(value, names)
            else:
                self.write("attribute", name)
                self.visit(value, f"{module.__name__}.{name}")

    def _source(self, module: types.ModuleType | None) -> None:
        """Add the file of a module of the user's, and those of all that it mentions."""
        if module is None or not user_modules.counts_as_whole(module) or self.passes_by(module):
            return
        # A folder of modules has no code, and may be loaded in this process alone.
        if not getattr(module, "__file__", None) or not self.is_new(("file", module.__name__), module):
            return
        self.write("file", f"{module.__name__} {user_modules.digest_module_file(module)}")
        for each in user_modules.find_mentioned_modules(self._words_of(module), self._own_modules):
            self._source(each)

    def _words_of(self, module: types.ModuleType) -> frozenset[str]:
        # Its name stands for the packages that hold it.
        return user_modules.words_of(module) | {module.__name__.rpartition(".")[2]}


class QuickWalk(CodeWalk):
    """The same walk past some modules, which takes samples of what is large: it is made for each model.

    Parameters
    ----------
    modules
        The names of the modules that it passes by.

    Attributes
    ----------
    steps
        Where it was, with its hash then.
    """

    def __init__(self, modules: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._passed = modules
        self.steps: list[tuple[str, str]] = []

    def another(self) -> QuickWalk:
        """A walk of the same kind that has met nothing yet."""
        return type(self)(self._passed)

    def visit(self, value: Any, place: str = "") -> None:
        """Add a value, and where that was."""
        super().visit(value, place)
        if place and len(self._path) < TOLD_STEPS:
            self.steps.append(("/".join([*self._path, place]), self.hash.hexdigest()))

    def _kept(self, memo: Memo[Any]) -> None:
        """Training may ask for more answers."""

    def passes_by(self, module: types.ModuleType) -> bool:
        """Whether it is one of those."""
        return module.__name__ in self._passed

    def add_bytes(self, content: memoryview) -> None:
        """Add pieces of what is large, evenly spread, and all of what isn't."""
        if len(content) <= LARGE:
            self.hash.update(content)
            return
        for start in range(0, len(content), len(content) // PIECES):
            self.hash.update(content[start : start + PIECE])
