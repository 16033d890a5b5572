"""The files that are read while models are trained, since what a model answers may depend on them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_mia.sources import is_own_file

VIRTUAL = ("/proc/", "/sys/", "/dev/")
ABSENT = ""

_heard: dict[str, float] = {}
_written: set[str] = set()
_listening: list[object] = []


class ChangedError(Exception):
    """A file was changed after training had read it; the message names it."""


@contextmanager
def recorded() -> Iterator[None]:
    """Note all files that this process opens inside."""
    _hear()
    _listening.append(None)
    try:
        yield
    finally:
        _listening.pop()


def manifest() -> dict[str, str]:
    """Digest of each file that was ever read inside `recorded` in this process; "" for those that don't exist.

    Code that was loaded, or values that were kept, when an earlier model was trained may serve a later one, so files
    are never forgotten. What this process writes itself doesn't count, nor do installed packages.

    Raises
    ------
    ChangedError
        When one of them was changed since.
    """
    found = {}
    for name, moment in list(_heard.items()):
        path = _source(name)
        if path is None or name in _written or not is_own_file(path) or path.startswith(VIRTUAL):
            continue
        found[path] = digest(path)
        if found[path] != ABSENT and os.stat(path).st_mtime > moment:
            raise ChangedError(path)
    return found


def names() -> tuple[str, ...]:
    """The files that were ever read inside `recorded` in this process, for another process to `note`."""
    return tuple(name for name in _heard if name not in _written)


def note(names: Iterable[str]) -> None:
    """Count files as read that were read for this process elsewhere, where they have the same names."""
    _heard.update(dict.fromkeys(names, time.time()))


def digest(path: str) -> str:
    """The SHA-256 of a file; `ABSENT` where there is none that can be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ABSENT


def _source(name: str) -> str | None:
    """The file that decides what is read: for cached bytecode its source."""
    if Path(name).parent.name != "__pycache__":
        return name
    try:
        return importlib.util.source_from_cache(name)
    except ValueError:
        return None


@functools.cache
def _hear() -> None:
    """Hooks can't be removed again, so there is one for good, which mostly doesn't listen."""
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening or event not in ("open", "sqlite3.connect"):
        return
    try:
        name = os.path.abspath(os.fsdecode(arguments[0]))
    except (TypeError, ValueError, OSError):
        # A file descriptor, or no folder to be in.
        return
    _heard[name] = time.time()
    if event == "open" and _writes(*arguments[1:3]):
        _written.add(name)


def _writes(mode: str | None, flags: int) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) if mode is None else not {*"wax+"}.isdisjoint(mode)
