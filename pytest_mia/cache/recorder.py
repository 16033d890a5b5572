"""Notes what the user's code reads while models are trained, in the process that trains them."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from pytest_mia.cache import traces
from pytest_mia.cache.traces import Trace
from pytest_mia.cache.user_modules import STANDARD, is_user_file

VIRTUAL = ("/proc/", "/sys/", "/dev/")
FILES = {"open", "sqlite3.connect", "ctypes.dlopen"}
FOLDERS = {"os.listdir", "os.scandir"}
FORKS = {"os.fork", "os.forkpty"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
"""Python's audit events: what is read, and what may read unnoticed."""
PROCESSES = "training starts other processes, and what these read can't be told"
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
    variables, modules
        Environment variables that were looked up, and modules that were imported.
    written
        Files that the code has written itself, which don't count.
    doubts
        Why there may be more that was read, in the last recording.
    """

    files: dict[tuple[str, str], float] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)

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
        if self.doubts:
            raise UnknownReadsError(self.doubts[0])
        files = {path: moment for path, moment in self._paths() if os.path.abspath(path) != without}
        for path, moment in files.items():
            if os.path.exists(path) and os.stat(path).st_mtime > moment:
                raise UnknownReadsError(f"{path} was changed while they were trained")
        modules = {name.partition(".")[0] for name in self.modules} - {*sys.modules}
        packages = traces.list_loaded_packages()
        return traces.trace(
            {"files": files, "variables": self.variables, "packages": packages, "modules": modules}
        )  # fmt: skip

    def trace_for_others(self) -> Trace:
        """What was read, by names that mean the same on another machine; packages are compared by their versions.

        Raises
        ------
        UnknownReadsError
            As `trace` does.
        """
        found = self.trace()
        return replace(found, files={os.path.abspath(name): each for name, each in found.files.items()}, packages={})

    def _paths(self) -> Iterator[tuple[str, float]]:
        """The files that count. Names without a folder stay so: another run reads what lies in its working folder."""
        for (folder, name), moment in list(self.files.items()):
            path = _source(name if folder == _folder_of(name) else os.path.join(folder, name))
            place = None if path is None else os.path.abspath(path)
            if path and place and place not in self.written and is_user_file(place) and not place.startswith(VIRTUAL):
                yield path, moment


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
        with _noting_variables(record):
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
    if event in FORKS or (event in PROGRAMS and not _by_package()):
        _listening[-1].doubts.append(PROCESSES)
    elif event == "import":
        _listening[-1].modules.add(arguments[0])
    elif event in FILES or (event in FOLDERS and not _by_python()):
        _note_read(_listening[-1], event, arguments)


def _note_read(record: Record, event: str, arguments: tuple[Any, ...]) -> None:
    try:
        name = os.fsdecode("." if event in FOLDERS and arguments[0] is None else arguments[0])
        record.files[_folder_of(name), name] = time.time()
    except (TypeError, ValueError, OSError):
        # A file descriptor, or no folder to be in.
        return
    if event == "open" and _only_writes(*arguments[1:3]):
        record.written.add(os.path.abspath(name))


def _only_writes(mode: str | None, flags: int) -> bool:
    """Whether a file is opened without what it holds being read: made, emptied, or only written to."""
    if mode is not None:
        return not {*"wx"}.isdisjoint(mode) or ("a" in mode and "+" not in mode)
    return bool(flags & (os.O_TRUNC | os.O_WRONLY)) or (flags & (os.O_CREAT | os.O_EXCL)) == os.O_CREAT | os.O_EXCL


def _folder_of(name: str) -> str:
    """The folder that a name counts from; none for one that is complete."""
    return "" if os.path.isabs(name) else os.getcwd()


def _source(name: str) -> str | None:
    """The file that decides what is read: for cached bytecode its source."""
    if Path(name).parent.name != "__pycache__":
        return name
    try:
        return importlib.util.source_from_cache(name)
    except ValueError:
        return None


def _by_python() -> bool:
    """Whether it is Python's import system that lists a folder: what it loads from there is heard by itself."""
    name = sys._getframe(2).f_code.co_filename
    return name.startswith("<frozen importlib") or "importlib" in Path(name).parts


def _by_package() -> bool:
    """Whether an installed package starts a program by itself, as joblib counts the cores."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(STANDARD):
        frame = frame.f_back
    return frame is not None and not is_user_file(frame.f_code.co_filename)


class _Variables(dict[Any, Any]):
    """The environment's own mapping while a record notes what is looked up in it, by whatever name and function."""

    record: Record

    def __getitem__(self, name: Any) -> Any:
        self._note(os.fsdecode(name))
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[Any]:
        self._note(traces.ALL_NAMES)
        return super().__iter__()

    def _note(self, name: str) -> None:
        if traces.counts(name):
            self.record.variables.add(name)


@contextmanager
def _noting_variables(record: Record) -> Iterator[None]:
    before: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
    noted = _Variables(dict.items(before))
    noted.record = record
    _exchange(noted)
    try:
        yield
    finally:
        before.clear()
        before.update(dict.items(noted))
        _exchange(before)


def _exchange(content: Mapping[Any, Any]) -> None:
    environments: list[Any] = [os.environ, getattr(os, "environb", None)]
    for environment in environments:
        if environment is not None:
            environment._data = content
