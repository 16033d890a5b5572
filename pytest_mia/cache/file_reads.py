"""The files that are read while models are trained, since what a model answers may depend on them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pytest_mia.cache.user_modules import STANDARD, is_user_file

VIRTUAL = ("/proc/", "/sys/", "/dev/")
ABSENT = ""
FILES = {"open", "sqlite3.connect", "ctypes.dlopen"}
FOLDERS = {"os.listdir", "os.scandir"}
FORKS = {"os.fork", "os.forkpty"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
"""Python's audit events: what is read, and what may read unnoticed."""
PROCESSES = "training starts other processes, and what these read can't be told"

LARGE = 2**20

_heard: dict[tuple[str, str], float] = {}
_written: set[str] = set()
_recording: list[object] = []
_listening: list[object] = []
_doubts: list[str] = []


class ChangedError(Exception):
    """A file was changed after training had read it; the message names it."""


class UnknownReadsError(Exception):
    """Training may have read files that aren't known; the message says why."""


@contextmanager
def recording() -> Iterator[None]:
    """Note all files that this process opens inside, and all folders that it lists."""
    _hear()
    if not _recording:
        _doubts.clear()
    _recording.append(None)
    _listening.append(None)
    try:
        yield
    finally:
        _listening.pop()
        _recording.pop()


@contextmanager
def not_recording() -> Iterator[None]:
    """Hold this around our own reads, which are not noted even inside `recording`."""
    listening, _listening[:] = _listening[:], []
    try:
        yield
    finally:
        _listening[:] = listening


def digest_files_read(without: str = "") -> dict[str, str]:
    """Digest of each file that was ever read inside `recording` in this process; "" for those that don't exist.

    Names without a folder stay so: another run reads what lies in its own working folder. Code that was loaded, or
    values that were kept, when an earlier model was trained may serve a later one, so files are never forgotten. What
    this process writes itself doesn't count, nor do installed packages.

    Parameters
    ----------
    without
        A folder whose names don't count, since they change meanwhile: the cache's own.

    Raises
    ------
    ChangedError
        When one of them was changed since.
    UnknownReadsError
        When more may have been read inside the last `recording`, by other processes for instance.
    """
    if why := explain_unknown_reads():
        raise UnknownReadsError(why)
    found = {}
    for (folder, name), moment in list(_heard.items()):
        path = _source(name if folder == _folder_of(name) else os.path.join(folder, name))
        if path is None or not _counts(path) or os.path.abspath(path) == without:
            continue
        found[path] = digest_file(path)
        if found[path] != ABSENT and os.stat(path).st_mtime > moment:
            raise ChangedError(path)
    return found


def list_files_read() -> tuple[str, ...]:
    """The files that were ever read inside `recording` in this process, for another process to `add_files_read`."""
    names = [os.path.abspath(os.path.join(folder, name)) for folder, name in list(_heard)]
    return tuple(name for name in names if name not in _written)


def add_files_read(names: Iterable[str]) -> None:
    """Count files as read that were read for this process elsewhere, where they have the same names."""
    _heard.update({(_folder_of(name), name): time.time() for name in names})


def explain_unknown_reads() -> str:
    """Why it isn't known what was read inside the last `recording`; empty where it is."""
    return next(iter(_doubts), "")


def mark_reads_unknown(why: str) -> None:
    """Count what is read inside `recording` as unknown."""
    _doubts.append(why)


def digest_file(path: str) -> str:
    """The SHA-256 of a file, or of a folder's names; `ABSENT` where there is none that can be read."""
    try:
        state = os.stat(path)
        if stat.S_ISDIR(state.st_mode):
            with not_recording():
                return hashlib.sha256(
                    "\0".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape")
                ).hexdigest()
        if state.st_size < LARGE:
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return _large_digest(os.path.abspath(path), state.st_size, state.st_mtime_ns)
    except OSError:
        return ABSENT


@functools.lru_cache
def _large_digest(path: str, _size: int, _changed: int) -> str:
    """The digest of a large file, such as weights to start from; taken once as long as it stays as it is."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _counts(path: str) -> bool:
    place = os.path.abspath(path)
    return place not in _written and is_user_file(place) and not f"{place}/".startswith(VIRTUAL)


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


@functools.cache
def _hear() -> None:
    """Hooks can't be removed again, so there is one for good, which mostly doesn't listen."""
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event in FORKS or (event in PROGRAMS and not _by_package()):
        mark_reads_unknown(PROCESSES)
    if event in FILES or (event in FOLDERS and not _by_python()):
        _note_read(event, arguments)


def _note_read(event: str, arguments: tuple[Any, ...]) -> None:
    try:
        name = os.fsdecode("." if event in FOLDERS and arguments[0] is None else arguments[0])
        _heard[_folder_of(name), name] = time.time()
    except (TypeError, ValueError, OSError):
        # A file descriptor, or no folder to be in.
        return
    if event == "open" and _writes(*arguments[1:3]):
        _written.add(os.path.abspath(name))


def _by_python() -> bool:
    """Whether it is Python's import system that lists a folder: what it loads from there is heard by itself."""
    name = sys._getframe(2).f_code.co_filename
    return name.startswith("<frozen importlib") or "importlib" in Path(name).parts


def _by_package() -> bool:
    """Whether an installed package starts a program by itself, as joblib counts the cores."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and STANDARD in Path(frame.f_code.co_filename).parents:
        frame = frame.f_back
    return frame is not None and not is_user_file(frame.f_code.co_filename)


def _writes(mode: str | None, flags: int) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) if mode is None else not {*"wax+"}.isdisjoint(mode)
