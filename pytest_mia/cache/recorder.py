"""Notes what the user's code reads while models are trained, in the process that trains them."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_mia.cache import noticing, traces
from pytest_mia.cache.callers import by_import_system, by_package
from pytest_mia.cache.traces import Trace
from pytest_mia.cache.user_modules import STANDARD, is_user_file

VIRTUAL = ("/proc/", "/sys/", "/dev/")
FILES = {"open", "sqlite3.connect", "ctypes.dlopen"}
FOLDERS = {"os.listdir", "os.scandir"}
FORKS = {"os.fork", "os.forkpty"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
CONNECTIONS = {"socket.connect", "socket.sendto"}
"""Python's audit events: what is read, and what may read unnoticed."""
PROCESSES = "training starts other processes, and what these read can't be told"
LOCAL = ("127.", "::1", "localhost")
NETWORK = "training connects to a socket, and what that says can't be told"
BYTECODE = "__pycache__"
KEPT = 64
"""Codes whose reads a process remembers."""


class UnknownReadsError(Exception):
    """What was read can't be told, or was changed meanwhile; the message says what and why."""


@dataclass
class Record:
    """What the same code has read in this process, ever since: what one model's training kept may serve the next.

    Attributes
    ----------
    files
        When each file or folder was read last: the folder that its name counts from, and the name.
    paths
        Likewise, what was asked about without being opened: whether it is there, its size, where it leads.
    variables, assigned
        Environment variables that were looked up, and those that the code has set, each with its digest then.
    modules
        Modules that were imported.
    written
        Files that the code has written itself, and folders that it has made, which don't count.
    doubts
        Why there may be more that was read, in the last recording.
    forks
        What forks of this process have noted.
    """

    files: dict[tuple[str, str], float] = field(default_factory=dict)
    paths: dict[tuple[str, str], float] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)
    modules: dict[str, float] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    doubts: dict[str, float] = field(default_factory=dict)
    forks: Forks = field(default_factory=lambda: Forks())

    def note(self, part: str, what: str, folder: str | None = None, moment: float | None = None) -> None:
        """Note something; a fork of the process that records tells that one of it."""
        known: dict[Any, Any] = getattr(self, part)
        key = what if folder is None else (folder, what)
        if key not in known:
            self.forks.tell([part, what, folder, moment or time.time()])
        if part == "variables":
            self._note_variable(what)
        else:
            known[key] = traces.digest_variable(what) if part == "assigned" else moment or time.time()

    def _note_variable(self, name: str) -> None:
        """Note a variable, unless the code itself has given it its value."""
        digest = traces.digest_variable(name)
        if self.assigned.get(name) != digest:
            self.variables[name] = digest

    def trace(self, *, without: str = "") -> Trace:
        """What was read, with the digests that it has now.

        Parameters
        ----------
        without
            A folder whose names don't count, since they change meanwhile: the cache's own.

        Raises
        ------
        UnknownReadsError
            When a file was changed after it had been read, or when more may have been read, by other processes for
            instance.
        """
        for note in self.forks.told():
            self.note(*note)
        if self.doubts:
            raise UnknownReadsError(next(iter(self.doubts)))
        files = {path: moment for path, moment in self._counting(self.files) if os.path.abspath(path) != without}
        above = (os.getcwd(), STANDARD, *sys.path)
        paths = {
            path for path, _ in self._counting(self.paths) if not _is_above(os.path.abspath(path), *above, without)
        }
        for path, moment in files.items():
            if os.path.exists(path) and os.stat(path).st_mtime > moment:
                raise UnknownReadsError(f"{path} was changed while they were trained")
        now = traces.trace(
            files=files,
            paths=paths,
            packages={*traces.list_loaded_packages(), *self._asked_packages()},
            modules={name.partition(".")[0] for name in self.modules} - {*sys.modules},
        )
        return replace(now, variables=dict(sorted(self.variables.items())))

    def trace_for_others(self) -> Trace:
        """What was read, by names that mean the same on another machine; packages are compared by their versions.

        Raises
        ------
        UnknownReadsError
            As `trace` does.
        """
        found = self.trace()
        files, paths = (
            {os.path.abspath(name): each for name, each in part.items()} for part in (found.files, found.paths)
        )
        return replace(found, files=files, paths=paths, packages={})

    def _asked_packages(self) -> Iterator[str]:
        """The packages whose versions were asked for."""
        for _, name in list(self.files):
            if name.endswith(("METADATA", "PKG-INFO")) and Path(name).parent.suffix in traces.INFO:
                yield Path(name).parent.name

    def _counting(self, names: dict[tuple[str, str], float]) -> Iterator[tuple[str, float]]:
        """The files that count. Names without a folder stay so: another run reads what lies in its working folder."""
        for (folder, name), moment in list(names.items()):
            path = _source(name if folder == _folder_of(name) else os.path.join(folder, name))
            place = None if path is None else os.path.abspath(path)
            if path and place and place not in self.written and is_user_file(place) and not place.startswith(VIRTUAL):
                yield path, moment


class Forks:
    """What forks of this process note, in a file that they have in common with it."""

    def __init__(self) -> None:
        self._home, self._file, self._read = os.getpid(), -1, 0

    def begin(self) -> None:
        """Be ready for a fork."""
        if self._file < 0:
            folder = tempfile.mkdtemp(prefix="mia-")
            name = os.path.join(folder, "forks")
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            os.unlink(name)
            os.rmdir(folder)
            weakref.finalize(self, os.close, self._file)

    def tell(self, note: list[Any]) -> None:
        """Tell the first process of a note, unless this is that one."""
        if self._file >= 0 and os.getpid() != self._home:
            # One call for a line: several forks write at the same time, each at the end of all that was written.
            os.write(self._file, json.dumps(note).encode() + b"\n")

    def told(self) -> Iterator[list[Any]]:
        """What was told since the last time."""
        if self._file < 0 or os.getpid() != self._home:
            return
        content = b"".join(iter(self._more, b""))
        yield from map(json.loads, content.splitlines())

    def _more(self) -> bytes:
        found = os.pread(self._file, 2**20, self._read)
        self._read += len(found)
        return found


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

    def note(part: str, what: str) -> None:
        if part == "paths":
            record.note(part, what, "" if what == traces.HERE else _folder_of(what))
        else:
            record.note(*(("doubts", PROCESSES) if part == "processes" else (part, what)))

    _listening.append(record)
    try:
        with noticing.noticing(note):
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
        record.note("files", name, _folder_of(name))
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


def _folder_of(name: str) -> str:
    """The folder that a name counts from; none for one that is complete."""
    return "" if os.path.isabs(name) else os.getcwd()


def _is_above(place: str, *below: str) -> bool:
    """Whether one of these is a folder itself, or in it; that it is there says nothing."""
    return any(f"{each}/".startswith(f"{place.rstrip('/')}/") for each in below)


def _source(name: str) -> str | None:
    """The file that decides what is read: for cached bytecode its source."""
    if BYTECODE not in name:
        return name
    try:
        return importlib.util.source_from_cache(name)
    except ValueError:
        return None
