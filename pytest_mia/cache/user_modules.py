"""The user's code: which modules and functions are the user's, what their files hold, and what the code refers to."""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.util
import sys
import sysconfig
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

INSTALLED = {"site-packages", "dist-packages"}
STANDARD = Path(sysconfig.get_path("stdlib"))
OURS = Path(__file__).parents[1]

ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
FILLERS = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "PRECALL"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
LOOKUPS = {"get", "pop", "setdefault", "__getitem__"}
UNFORESEEABLE = {"eval", "exec", "globals", "import_module", "__import__"}
"""What refers to things by names that are made as code runs."""
UNFORESEEABLE_ATTRIBUTES = {"import_module", "__globals__", "f_globals"}
"""Likewise, as attributes: not every one that is called eval is Python's."""


@dataclass(frozen=True)
class Uses:
    """What code refers to, the functions inside it included.

    Attributes
    ----------
    names
        Global names that it reads.
    attributes
        Every name that it mentions, those of attributes included.
    whole
        Global names that it uses by themselves, not only for one of their attributes.
    imports
        Modules that it imports when it runs, as (name, level, names taken from it).
    variables
        Environment variables that it reads; ``None`` where that can't be told.
    unforeseeable
        Whether it may refer to anything else.
    """

    names: frozenset[str]
    attributes: frozenset[str]
    whole: frozenset[str]
    imports: tuple[tuple[str, int, tuple[str, ...]], ...]
    variables: frozenset[str] | None
    unforeseeable: bool


def find_uses(code: CodeType) -> Uses:
    """Read from compiled code what it refers to."""
    names, attributes, whole = set[str](), set[str](), set[str]()
    imports: list[tuple[str, int, tuple[str, ...]]] = []
    variables: set[str | None] = set()
    for part in _nested(code):
        attributes |= {*part.co_names}
        steps = [step for step in dis.get_instructions(part) if step.opname not in FILLERS]
        for place, step in enumerate(steps):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                names.add(step.argval)
                if steps[place + 1].opname not in ATTRIBUTE:
                    whole.add(step.argval)
            if step.opname == "IMPORT_NAME":
                imports.append((step.argval, steps[place - 2].argval, tuple(steps[place - 1].argval or ())))
            if step.argval in ENVIRONMENT and step.opname.startswith("LOAD_") and step.opname != "LOAD_CONST":
                variables.add(_variable(steps, place))
    known = frozenset(name for name in variables if name is not None)
    return Uses(
        frozenset(names),
        frozenset(attributes),
        frozenset(whole),
        tuple(imports),
        None if None in variables else known,
        not UNFORESEEABLE.isdisjoint(names)
        or not UNFORESEEABLE_ATTRIBUTES.isdisjoint(attributes)
        or ("sys" in names and "modules" in attributes),
    )


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is the user's, who edits it: neither Python's, nor installed, nor ours."""
    spec = getattr(module, "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen"):
        return False
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if place is None or place.startswith("<"):
        return module.__name__ not in sys.builtin_module_names
    return is_user_file(place)


@functools.lru_cache(maxsize=4096)
def is_user_file(place: str) -> bool:
    """Whether a file is neither Python's, nor installed, nor ours."""
    path = Path(place)
    return (
        not place.startswith("<")
        and not INSTALLED & set(path.parts)
        and STANDARD not in path.parents
        and OURS not in path.parents
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


def find_imported_modules(module: ModuleType) -> list[ModuleType]:
    """The user's loaded modules that a module imports, at once or later, and the packages that hold it."""
    code = _code(module)
    parents = [module.__name__.rsplit(".", depth)[0] for depth in range(1, module.__name__.count(".") + 1)]
    found = (
        []
        if code is None
        else [name for each in find_uses(code).imports for name in name_imported_modules(each, vars(module))]
    )
    return find_user_modules([*parents, *found])


def stands_alone(module: ModuleType, among: list[ModuleType]) -> bool:
    """Whether the files of the modules `among`, the module's own included, decide all that the module holds.

    It then reads no environment variable, and no other module of the user, which may have been changed earlier.
    """
    code = _code(module)
    if code is None:
        return not _file(module)
    found = find_uses(code)
    # What packages on the way to a module hold is another matter.
    names = [name for each in found.imports for name in name_imported_modules(each, vars(module))[-1 - len(each[2]) :]]
    return found.variables == frozenset() and not found.unforeseeable and {*find_user_modules(names)} <= {*among}


def name_imported_modules(imports: tuple[str, int, tuple[str, ...]], namespace: dict[str, object]) -> list[str]:
    """Names of all modules that an import may load: the packages on the way, the module, and what is taken from it."""
    name, level, taken = imports
    if level:
        package = str(namespace.get("__package__") or "")
        name = f"{package.rsplit('.', level - 1)[0]}.{name}".rstrip(".") if package else name
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))] + [f"{name}.{each}" for each in taken]


def find_user_modules(names: list[str]) -> list[ModuleType]:
    """The loaded modules of these names that are the user's, each once."""
    modules = [sys.modules.get(name) for name in dict.fromkeys(names)]
    return [module for module in modules if isinstance(module, ModuleType) and is_user_module(module)]


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _variable(steps: list[dis.Instruction], place: int) -> str | None:
    """The variable that is looked up in the environment at this place; ``None`` where it isn't a constant."""
    first, second = steps[place + 1 : place + 3]
    if first.opname == "CONTAINS_OP":
        first = next(step for step in reversed(steps[:place]) if step.argval != "os")
    elif first.argval in LOOKUPS:
        first = second
    elif steps[place].argval.startswith("environ") and not second.opname.startswith("BINARY_"):
        return None
    return first.argval if first.opname == "LOAD_CONST" and isinstance(first.argval, str) else None


def _code(module: ModuleType) -> CodeType | None:
    """A module's own code, from its cached bytecode where that is up to date."""
    loader: Any = getattr(getattr(module, "__spec__", None), "loader", None)
    file = _file(module)
    try:
        code: CodeType | None = loader.get_code(module.__name__) if hasattr(loader, "get_code") else None
        if code is None and file.endswith(".py"):
            code = compile(importlib.util.decode_source(Path(file).read_bytes()), file, "exec", dont_inherit=True)
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    return code


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""


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
    return isinstance(inner, types.FunctionType) and is_user_file(inner.__code__.co_filename)


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
