"""A hash of a value and of the code that it runs: equal hashes mean equal work, in any process."""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import os
import sys
import types
import weakref
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_mia.cache import pickling, user_modules
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

_loaded: dict[types.ModuleType, str] = {}
_kept: weakref.WeakKeyDictionary[Memo[Any], str] = weakref.WeakKeyDictionary()
"""Functions whose answers are kept, with a hash of those answers that they keep since training only."""
_telling: set[Memo[Any]] = set()


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

    What installed packages define is hashed by its name. The user's modules that code belongs to, or imports, are
    hashed by their files as well, and so are the modules that they import; of test files only what is used is hashed.

    Parameters
    ----------
    value
        Anything: arrays, frames, tensors, models, functions.

    Raises
    ------
    UnhashableValue
        For what has no content to hash, such as a generator or an open connection.
    """
    return _walked(value, CodeWalk(_loaded))


def hash_sent_content(value: Any) -> str | None:
    """As `try_hash_content`, for comparison with another process, which computes itself what functions keep."""
    try:
        return _walked(value, SentWalk(_loaded))
    except UnhashableValue:
        return None


@contextlib.contextmanager
def ignoring_what_training_loads() -> Iterator[None]:
    """Hold this around the user's code: modules that it loads, and answers that it keeps, are not hashed afterwards.

    Otherwise the same work would have another hash once it has been done in this process. A module is hashed again when
    it changes. Modules that read the environment, or modules that were loaded before, are always hashed: their files
    don't decide what they hold.
    """
    known, memos = {*sys.modules}, [memo for memo, answers in [*_kept.items()] if _answers_of(memo) == answers]
    yield
    _kept.update({memo: answers for memo in memos if (answers := _answers_of(memo)) is not None})
    loaded = user_modules.find_user_modules([name for name in [*sys.modules] if name not in known])
    for module in loaded:
        if user_modules.stands_alone(module, loaded):
            with contextlib.suppress(UnhashableValue):
                _loaded[module] = _walked(module, CodeWalk({}))


def _walked(value: Any, walk: CodeWalk) -> str:
    try:
        walk.visit(value)
    except Exception as error:
        # Objects are taken apart by code of any kind, which may raise anything.
        raise UnhashableValue(
            f"{walk.place} can't be told by its content ({type(error).__name__}: {error})".strip()
        ) from None
    return walk.hash.hexdigest()


class CodeWalk(Walk):
    """A walk through values and the code that they run: functions, classes, the user's modules.

    Parameters
    ----------
    settled
        Modules that don't count as long as their fingerprint is this one.
    """

    def __init__(self, settled: Mapping[types.ModuleType, str]) -> None:
        super().__init__()
        self._settled = settled

    def another(self) -> CodeWalk:
        """A walk of the same kind that has met nothing yet."""
        return CodeWalk(self._settled)

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
        yield type(os.environ), self._whole_environment
        yield from super().ways()

    def _object(self, value: Any) -> None:
        super()._object(value)
        if user_modules.pickles_by_user_code(type(value)):
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

    def _used(self, uses: user_modules.Uses, namespace: dict[str, Any]) -> None:
        """Add what code refers to: globals, modules that it imports when it runs, the environment."""
        known = ChainMap(namespace, vars(builtins))
        for name in sorted(uses.names & known.keys()):
            value = known[name]
            if isinstance(value, types.ModuleType) and name not in uses.whole:
                self._module(value, uses.attributes)
            else:
                self.visit(value, name)
        for each in uses.imports:
            for module in user_modules.find_user_modules(user_modules.name_imported_modules(each, namespace)):
                self._module(module, frozenset(each[2]) or None)
        if uses.variables is None:
            self._whole_environment()
        elif uses.variables:
            self.items("environment", [(name, os.environ.get(name)) for name in sorted(uses.variables)])

    def _everything(self, namespace: dict[str, Any]) -> None:
        """Add all that code may refer to that makes its names as it runs."""
        for name, value in sorted(namespace.items()):
            if not name.startswith("__"):
                self.visit(value, name)
        for module in user_modules.find_user_modules(sorted(sys.modules)):
            self._source(module)
            # Whole modules that may have nothing to do with it need not be such as can be told.
            plain = [(key, each) for key, each in sorted(vars(module).items()) if type(each) in ATOMS]
            self.items("values", [each for each in plain if not each[0].startswith("__")])

    def _whole_environment(self, _environment: Any = None) -> None:
        # Pytest notes there which test is running.
        self.items("environment", sorted(each for each in os.environ.items() if not each[0].startswith("PYTEST_")))

    def _class(self, cls: type) -> None:
        self.write("class", f"{cls.__module__}.{self._name(cls)}")
        if user_modules.is_shared(cls):
            self.items("patched", tuple(user_modules.find_patched_methods(cls)))
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
        """Add a function whose answers are kept, and those that it kept before training: they may be of another day."""
        self.items("memo", (memo.cache_parameters(), memo.__wrapped__))
        if memo in _telling:
            return
        answers = _answers_of(memo)
        if answers is None:
            raise ValueError("the answers that it keeps can't be told")
        if answers != _kept.setdefault(memo, ""):
            self.write("kept", answers)

    def _property(self, value: property) -> None:
        self.items("property", (value.fget, value.fset, value.fdel))

    def _whole_module(self, module: types.ModuleType) -> None:
        self._module(module, None)

    def _module(self, module: types.ModuleType, names: frozenset[str] | None) -> None:
        """Add a module of the user's with its values, or with those of some names; any other by its name."""
        if not user_modules.is_user_module(module):
            self.write("module", module.__name__)
            self.items("patched", user_modules.find_patched_functions(module, names))
            return
        if self._is_settled(module) or not self.is_new((module.__name__, names), module):
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
        """Add the file of a module of the user's, and those of all that it imports."""
        if module is None or not user_modules.counts_as_whole(module) or module in self._settled:
            return
        if self.is_new(("file", module.__name__), module):
            self.write("file", f"{module.__name__} {user_modules.digest_module_file(module)}")
            for each in user_modules.find_imported_modules(module):
                self._source(each)

    def _is_settled(self, module: types.ModuleType) -> bool:
        """Whether training loaded this module, which has stayed as it was."""
        return module in self._settled and _walked(module, CodeWalk({})) == self._settled[module]


class SentWalk(CodeWalk):
    """The same walk without what is another there though it does the same, or is sent along.

    Functions have kept nothing yet, and a class inside of a function forgets which one. A class that is sent as code
    is made anew there, where its bases may give it more than here, as those of scikit-learn do.
    """

    def another(self) -> SentWalk:
        """A walk of the same kind that has met nothing yet."""
        return SentWalk(self._settled)

    def _memo(self, memo: Any) -> None:
        self.items("memo", (memo.cache_parameters(), memo.__wrapped__))

    def _name(self, cls: type) -> str:
        return cls.__name__

    def _attributes(self, cls: type) -> dict[str, Any]:
        found = super()._attributes(cls)
        if not pickling.is_sent(cls):
            return found
        return {name: value for name, value in found.items() if user_modules.is_user_function(value)}

    def _whole_environment(self, _environment: Any = None) -> None:
        self.write("environment")


def _answers_of(memo: Any) -> str | None:
    """A fingerprint of the answers that a function keeps, and to what: only the garbage collector's view tells them.

    ``None`` where they can't be told by their content.
    """
    if not memo.cache_info().currsize:
        return ""
    _telling.add(memo)
    try:
        return try_hash_content([each for each in gc.get_referents(memo) if not _is_links(each)])
    finally:
        _telling.discard(memo)


def _is_links(value: Any) -> bool:
    """Whether this is where a function finds its answers: they are told besides, and the links can't be."""
    return isinstance(value, dict) and any(type(each).__name__ == "_lru_list_elem" for each in value.values())
