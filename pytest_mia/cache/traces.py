"""What decided a result besides its key: what was read while it was computed, each thing by its name with a digest.

A result is taken from the cache only where all that it read still has its digest: a verifying trace (Mokhov, Mitchell
and Peyton Jones, "Build systems a la carte", 2018, section 4.2.2). `recorder` notes what is read.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pytest_mia.cache import module_values
from pytest_mia.cache.user_modules import INSTALLED

ABSENT = ""
"""The digest of what isn't there."""
HERE = "*"
"""Stands for the working folder, of which the name was asked."""
ALL_NAMES = "*"
"""Stands for the names of all environment variables."""
INFO = (".dist-info", ".egg-info")
PASSING = ("TMPDIR", "TEMP", "TMP", "PWD", "OLDPWD", "COLUMNS", "LINES", "TERM")
"""Variables that say where a run is, and on what terminal."""
_set_by_packages: dict[str, tuple[str, str]] = {}
"""Variables that packages have set in training, with their digests before and after."""
THREADS = "_NUM_THREADS"
"""How many threads there are is said to workers: each model is trained with one."""


@dataclass(frozen=True)
class Trace:
    """What was read, each thing by its name with its digest.

    Attributes
    ----------
    files
        Files and folders; a folder's digest is that of the names in it.
    paths
        Files and folders of which only was asked whether they are there, how large, or where they lead.
    variables
        Environment variables.
    packages
        Installed packages that were loaded, by the names of their folders, in which their versions stand.
    modules
        Modules that were looked for and not found.
    values
        Modules of the user's whose plain values were there for others that were loaded meanwhile.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, words: Mapping[str, Any]) -> Trace:
        """The trace that `words` gave.

        Raises
        ------
        TypeError
            When they are no words of a trace.
        """
        if any(not isinstance(each, str) for part in words.values() for pair in part.items() for each in pair):
            raise TypeError("these are no names with digests")
        return cls(**words)

    @property
    def words(self) -> dict[str, dict[str, str]]:
        """The trace as JSON holds it."""
        return {row.name: dict(getattr(self, row.name)) for row in fields(self)}

    def with_earlier(self, earlier: Trace) -> Trace:
        """Add what another trace says of things that this one doesn't name."""
        own = self.words
        return Trace(**{name: part | own[name] for name, part in earlier.words.items()})

    def holds(self) -> bool:
        """Whether all that was read still has its digest."""
        return all(
            digest_now(name) == digest
            for part, digest_now in DIGESTS.items()
            for name, digest in getattr(self, part).items()
        )


def digest_file(path: str) -> str:
    """The SHA-256 of a file, or of a folder's names; `ABSENT` where there is none that can be read."""
    try:
        state = os.stat(path)
        if stat.S_ISDIR(state.st_mode):
            return _hash("\0".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape"))
        return _digest_content(os.path.abspath(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    except OSError:
        return ABSENT


@functools.lru_cache(maxsize=2**16)
def _digest_content(path: str, *_state: int) -> str:
    """The digest of a file; taken once as long as it stays as it is."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_path(path: str) -> str:
    """What is told of a file or folder without opening it, but for its age; `ABSENT` where there is none."""
    if path == HERE:
        return _hash(os.fsencode(os.getcwd()))
    try:
        link = os.readlink(path) if os.path.islink(path) else ""
        state = os.stat(path)
    except OSError:
        return ABSENT
    size = state.st_size if stat.S_ISREG(state.st_mode) else ""
    return _hash(f"{stat.S_IFMT(state.st_mode)} {size} {link}".encode("utf-8", "surrogateescape"))


def digest_variable(name: str) -> str:
    """The digest of an environment variable, or of the names of all, as if packages had set none in training."""
    # Whatever stands in for the mapping notes what is looked up in it, but for this.
    known = dict(dict.items(os.environ._data))  # type: ignore[attr-defined]
    if name == ALL_NAMES:
        names = [each for each in sorted(map(os.fsdecode, known)) if counts(each) and digest_variable(each)]
        return _hash("\0".join(names).encode("utf-8", "surrogateescape"))
    value = known.get(os.environ.encodekey(name))
    digest = ABSENT if value is None else _hash(os.fsencode(value))
    before, after = _set_by_packages.get(name, ("", digest + "?"))
    return before if digest == after else digest


def note_set_by_package(name: str, before: str) -> None:
    """Remember that a package has set a variable, as its version decides, and what the digest was before."""
    _set_by_packages.pop(name, None)
    _set_by_packages[name] = before, digest_variable(name)


def counts(variable: str) -> bool:
    """Whether what is trained can depend on a variable."""
    return not variable.startswith("PYTEST_") and not variable.endswith(THREADS) and variable not in PASSING


def digest_module(name: str) -> str:
    """`ABSENT` where no module has this name; otherwise another word."""
    try:
        return ABSENT if importlib.util.find_spec(name) is None else "found"
    except (ImportError, ValueError):
        return ABSENT


def digest_values(name: str) -> str:
    """The hash of the plain values in a module of the user's; `ABSENT` where it isn't loaded."""
    module = sys.modules.get(name)
    return ABSENT if module is None else module_values.digest_values(module_values.copy_values(module))


def digest_package(name: str) -> str:
    """The digest of a package's list of files with their digests, by the name of its folder."""
    return _digest_package(name, _installed())


@functools.lru_cache(maxsize=2**12)
def _digest_package(name: str, folders: tuple[str, ...]) -> str:
    found = (Path(folder, name) for folder in folders if Path(folder, name).exists())
    return next((_hash(_recorded(path)) for path in found), ABSENT)


def list_loaded_packages() -> list[str]:
    """The folders of the installed packages of which a module is loaded, in order."""
    loaded = {name.partition(".")[0] for name in [*sys.modules]}
    return sorted(
        name for name, modules in _modules_of_packages(_installed()).items() if not loaded.isdisjoint(modules)
    )


@functools.cache
def _modules_of_packages(folders: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """The names of the modules that each package has, by the name of the folder that describes it."""
    found: dict[str, frozenset[str]] = {}
    for folder in folders:
        for path in sorted(Path(folder).iterdir()) if os.path.isdir(folder) else ():
            if path.name.endswith(INFO) and not _is_pytests(path):
                found.setdefault(path.name, _modules_of(path))
    return found


def _is_pytests(info: Path) -> bool:
    """Whether a package is pytest or a plugin of it: it runs tests, and trains no model."""
    try:
        points = (info / "entry_points.txt").read_text(encoding="utf-8")
    except OSError:
        return False
    return info.name.startswith("pytest-") or "[pytest11]" in points


def _modules_of(info: Path) -> frozenset[str]:
    listed = info / "top_level.txt"
    if listed.exists():
        return frozenset(listed.read_text(encoding="utf-8").split())
    lines = _recorded(info).decode("utf-8", "replace").splitlines()
    return frozenset(line.partition("/")[0].partition(",")[0].removesuffix(".py") for line in lines)


def _recorded(info: Path) -> bytes:
    """The list of a package's files, with their digests: it tells what is installed anew under its old version."""
    try:
        return (info / "RECORD").read_bytes()
    except OSError:
        return info.name.encode()


def _installed() -> tuple[str, ...]:
    """The folders in which packages are installed."""
    return _installed_among(tuple(sys.path))


@functools.lru_cache
def _installed_among(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({folder for folder in folders if not INSTALLED.isdisjoint(Path(folder).parts)}))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


DIGESTS: Mapping[str, Callable[[str], str]] = {
    "files": digest_file,
    "paths": digest_path,
    "variables": digest_variable,
    "packages": digest_package,
    "modules": digest_module,
    "values": digest_values,
}
"""How each part of a trace is digested."""


def trace(**names: Iterable[str]) -> Trace:
    """The trace of things that were read, by the parts that they belong to, as they are now."""
    return Trace(**{part: {name: DIGESTS[part](name) for name in sorted(found)} for part, found in names.items()})
