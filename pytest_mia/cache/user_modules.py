"""The user's code: which modules and functions are the user's, what code mentions, and what is patched elsewhere."""

from __future__ import annotations

import dis
import functools
import gc
import hashlib
import importlib.util
import itertools
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

INSTALLED = {"site-packages", "dist-packages"}
STANDARD = Path(sysconfig.get_path("stdlib"), "").as_posix() + "/"
OURS = Path(__file__).parents[1].as_posix() + "/"

ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
FILLERS = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "PRECALL"}
UNFORESEEABLE = {"eval", "exec", "globals", "import_module", "__import__"}
"""What refers to things by names that are made as code runs."""
UNFORESEEABLE_ATTRIBUTES = {"import_module", "__globals__", "f_globals"}
"""Likewise, as attributes: not every one that is called eval is Python's."""
WRAPPED = {
    staticmethod: "__func__",
    classmethod: "__func__",
    property: "fget",
    functools.partial: "func",
    functools.partialmethod: "func",
}


@dataclass(frozen=True)
class Uses:
    """What code refers to, the functions inside it included.

    Attributes
    ----------
    names
        Global names that it reads.
    whole
        Those that it uses by themselves, not only for one of their attributes.
    words
        Every name that it mentions: of variables, attributes, modules, and constants that could be names.
    """

    names: frozenset[str]
    whole: frozenset[str]
    words: frozenset[str]

    @property
    def unforeseeable(self) -> bool:
        """Whether it may refer to anything else."""
        called = not UNFORESEEABLE.isdisjoint(self.names) or not UNFORESEEABLE_ATTRIBUTES.isdisjoint(self.words)
        return called or ("sys" in self.names and "modules" in self.words)


@functools.lru_cache(maxsize=4096)
def find_uses(code: CodeType) -> Uses:
    """Read from compiled code what it refers to."""
    names, whole, words = set[str](), set[str](), set[str]()
    for part in nested(code):
        texts = [*part.co_names, *_texts(part.co_consts)]
        words.update(word for text in texts for word in text.split("."))
        steps = [step for step in dis.get_instructions(part) if step.opname not in FILLERS]
        for step, following in itertools.pairwise(steps):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                names.add(step.argval)
                if following.opname not in ATTRIBUTE:
                    whole.add(step.argval)
    return Uses(frozenset(names), frozenset(whole), frozenset(words))


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is the user's, who edits it: neither Python's, nor installed, nor ours."""
    file = getattr(module, "__file__", None)
    if type(file) is str and not is_user_file(file):
        return False
    spec = getattr(module, "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen"):
        return False
    place = file or next(iter(getattr(module, "__path__", ())), None)
    if place is None or place.startswith("<"):
        package = sys.modules.get(module.__name__.rpartition(".")[0])
        return module.__name__ not in sys.builtin_module_names and (package is None or is_user_module(package))
    return is_user_file(place)


@functools.lru_cache(maxsize=2**16)
def is_user_file(place: str) -> bool:
    """Whether a file is neither Python's, nor installed, nor ours."""
    parts = place.replace(os.sep, "/")
    return (
        not place.startswith("<")
        and not any(f"/{folder}/" in parts for folder in INSTALLED)
        and not parts.startswith((STANDARD, OURS))
    )


def counts_as_whole(module: ModuleType) -> bool:
    """Whether the whole file of a module counts; of test files only what is used counts."""
    return is_user_module(module) and module.__name__ != "__main__" and not is_test(module)


def is_test(module: ModuleType) -> bool:
    """Whether a module is a conftest or a test file."""
    name = Path(getattr(module, "__file__", None) or "").stem
    return name == "conftest" or name.startswith("test_") or name.endswith("_test")


def digest_module_file(module: ModuleType) -> str:
    """The SHA-256 of a module's file; empty where it has none that can be read."""
    try:
        return hashlib.sha256(Path(_file(module)).read_bytes()).hexdigest()
    except OSError:
        return ""


_others: dict[str, Any] = {}
"""Loaded modules that were seen not to be the user's."""


def find_user_modules() -> list[ModuleType]:
    """All loaded modules that are the user's, in the order of their names."""
    found = {}
    for name, module in [*sys.modules.items()]:
        if _others.get(name) is module:
            continue
        if isinstance(module, ModuleType) and is_user_module(module):
            found[name] = module
        else:
            _others[name] = module
    return [found[name] for name in sorted(found)]


def find_other_modules() -> list[tuple[str, ModuleType]]:
    """All other loaded modules with their names, in the order of these."""
    find_user_modules()
    loaded = sorted(name for name, module in _others.items() if sys.modules.get(name) is module)
    return [(name, _others[name]) for name in loaded if isinstance(_others[name], ModuleType)]


def find_mentioned_modules(words: frozenset[str], among: list[ModuleType]) -> list[ModuleType]:
    """The modules whose last name stands among some words, and the packages that hold them."""
    names = [module.__name__ for module in among if module.__name__.rpartition(".")[2] in words]
    return [module for module in among if any(f"{name}.".startswith(f"{module.__name__}.") for name in names)]


def words_of(module: ModuleType) -> frozenset[str]:
    """What the whole code of a module mentions."""
    code = code_of(module)
    return frozenset() if code is None else find_uses(code).words


def code_of(module: ModuleType) -> CodeType | None:
    """The code of a module, from its cached bytecode where that is up to date; ``None`` where it has none."""
    loader: Any = getattr(getattr(module, "__spec__", None), "loader", None)
    file = _file(module)
    try:
        code: CodeType | None = loader.get_code(module.__name__) if hasattr(loader, "get_code") else None
        if code is None and file.endswith(".py"):
            code = compile(importlib.util.decode_source(Path(file).read_bytes()), file, "exec", dont_inherit=True)
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    return code


PICKLING = ("__getstate__", "__reduce__", "__reduce_ex__")


def pickles_by_user_code(cls: type) -> bool:
    """Whether the user's code decides what is pickled of such values: it may leave out what training reads."""
    return any(is_user_function(vars(part).get(name)) for part in cls.__mro__ for name in PICKLING)


def is_shared(value: Any) -> bool:
    """Whether this stands under its own name in a module that isn't the user's: the name then describes it fully."""
    module = sys.modules.get(value.__module__)
    code = getattr(value, "__code__", None)
    if module is None or is_user_module(module) or (code is not None and is_user_file(code.co_filename)):
        return False
    found: Any = module
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


def is_user_function(value: Any) -> bool:
    """Whether this is a function of the user, as it is or wrapped as a method or a partial call."""
    inner = getattr(value, WRAPPED.get(type(value), ""), value)
    return isinstance(inner, FunctionType) and is_user_file(inner.__code__.co_filename)


def find_aliases(module: ModuleType, names: frozenset[str]) -> Iterator[str]:
    """What stands in a library's modules under some names that aren't its own: one thing may be in another's place."""
    content = vars(module)
    for name in sorted(names):
        value = content.get(name)
        if isinstance(value, ModuleType):
            if value.__name__.startswith(f"{module.__name__}."):
                yield from find_aliases(value, names)
        else:
            own = getattr(value, "__name__", name)
            if type(own) is str and own != name:
                yield f"{module.__name__}.{name} {own}"


def find_answers(memo: Any) -> list[Any]:
    """What a function of `functools.lru_cache` keeps, which only Python's garbage collector tells."""
    parts = [each for each in gc.get_referents(memo) if each is not memo.__wrapped__ and each is not vars(memo)]
    answers = [each for each in parts if type(each) is not object and getattr(each, "__module__", "") != "functools"]
    # Where answers are forgotten one day, this is a table of links between them.
    return [each for each in answers if not (type(each) is dict and "_lru_list_elem" in map(_kind, each.values()))]


def _kind(value: object) -> str:
    return type(value).__name__


def nested(code: CodeType) -> Iterator[CodeType]:
    """Code, and that of the functions and classes in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def _texts(constants: tuple[Any, ...]) -> Iterator[str]:
    """The constants that could be names of modules or of what they hold."""
    for each in constants:
        if isinstance(each, str) and each.replace(".", "").isidentifier():
            yield each
        elif isinstance(each, tuple):
            yield from _texts(each)


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""
