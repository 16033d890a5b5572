"""What the user's code has read in this process while models were trained."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_mia.cache import traces
from pytest_mia.cache.traces import Trace
from pytest_mia.cache.user_modules import STANDARD, is_user_file

VIRTUAL = ("/proc/", "/sys/", "/dev/")
BYTECODE = "__pycache__"
PLACES = ("files", "paths")
PROCESSES = "training starts other processes, and what these read can't be told"


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

    def note(self, part: str, what: str) -> None:
        """Note something; a fork of the process that records tells that one of it."""
        place = [_folder_of(what), what] if part in PLACES else what
        note = part, place, time.time()
        if _key(place) not in getattr(self, part):
            self.forks.tell([*note])
        self._keep(*note)

    def _keep(self, part: str, place: Any, moment: float) -> None:
        known: dict[Any, Any] = getattr(self, part)
        if part == "variables":
            self._note_variable(place)
        else:
            known[_key(place)] = traces.digest_variable(place) if part == "assigned" else moment

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
            self._keep(*note)
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


def _key(place: Any) -> Any:
    """What stands for a thing in a record; forks tell a folder with a name as a list."""
    return tuple(place) if isinstance(place, list) else place


def _folder_of(name: str) -> str:
    """The folder that a name counts from; none for one that is complete."""
    return "" if os.path.isabs(name) or name == traces.HERE else os.getcwd()


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
