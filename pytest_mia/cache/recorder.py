"""Notes what the user's code reads while models are trained, in the process that trains them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_mia.cache import noticing
from pytest_mia.cache.callers import by_import_system, by_package
from pytest_mia.cache.record import PROCESSES, Record

FILES = {"open", "sqlite3.connect", "ctypes.dlopen"}
FOLDERS = {"os.listdir", "os.scandir"}
FORKS = {"os.fork", "os.forkpty"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
CONNECTIONS = {"socket.connect", "socket.sendto"}
"""Python's audit events: what is read, and what may read unnoticed."""
LOCAL = ("127.", "::1", "localhost")
NETWORK = "training connects to a socket, and what that says can't be told"
KEPT = 64
"""Codes whose reads a process remembers."""


_records: dict[str, Record] = {}
_listening: list[Record] = []


@contextmanager
def recording(code: str) -> Iterator[Record]:
    """Note what this process reads inside.

    Parameters
    ----------
    code
        A name for the code that runs inside: what it read earlier in this process is in the record too.
    """
    _hear()
    record = _records.pop(code, None) or Record()
    _records[code] = record
    while len(_records) > KEPT:
        del _records[next(iter(_records))]
    record.doubts.clear()

    _listening.append(record)
    try:
        with noticing.noticing(record):
            yield record
    finally:
        _listening.remove(record)


@functools.cache
def _hear() -> None:
    """Python's hooks can't be removed again, so there is one for good, which mostly doesn't listen."""
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening:
        return
    record = _listening[-1]
    if event in FORKS:
        record.forks.begin()
    elif event in PROGRAMS and not by_package(2):
        record.note("doubts", PROCESSES)
    elif event in CONNECTIONS and (_is_far(arguments[1]) or not by_package(2)):
        record.note("doubts", NETWORK)
    elif event == "import":
        record.note("modules", arguments[0])
        if arguments[1]:
            # The file of a compiled module.
            _note_read(record, event, arguments[1])
    elif event in FILES or (event in FOLDERS and not by_import_system(2)):
        _note_read(record, event, *arguments)
    elif event == "os.mkdir" or event == "os.rename":
        _note_written(record, arguments[event == "os.rename"])


def _is_far(address: Any) -> bool:
    """Whether an address is that of another machine."""
    return isinstance(address, tuple) and not str(address[0]).startswith(LOCAL)


def _note_read(record: Record, event: str, name: Any, *how: Any) -> None:
    try:
        name = os.fsdecode("." if event in FOLDERS and name is None else name)
        if event == "sqlite3.connect" and name.startswith("file:"):
            name = unquote(urlsplit(name).path)
        if name in sys.path and event == "open" and not os.path.isfile(name):
            # A folder in which packages are looked for, or none.
            return
        record.note("files", name)
    except (TypeError, ValueError, OSError):
        # A file descriptor, or no folder to be in.
        return
    if event == "open" and _only_writes(*how[:2]):
        _note_written(record, name)


def _note_written(record: Record, name: Any) -> None:
    record.note("written", os.path.abspath(os.fsdecode(name)))


def _only_writes(mode: str | None, flags: int) -> bool:
    """Whether a file is opened without what it holds being read: made, emptied, or only written to."""
    if mode is not None:
        return not {*"wx"}.isdisjoint(mode) or ("a" in mode and "+" not in mode)
    return bool(flags & (os.O_TRUNC | os.O_WRONLY)) or (flags & (os.O_CREAT | os.O_EXCL)) == os.O_CREAT | os.O_EXCL
