"""Notices what Python has no audit events for: variables that are looked up, files that are only asked about."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from pytest_mia.cache import traces
from pytest_mia.cache.callers import by_package, by_user, is_function
from pytest_mia.cache.record import PROCESSES, Record

ASKING = ("stat", "lstat", "access", "readlink")
"""Functions of `os` that tell something of a file without opening it."""


@contextmanager
def noticing(record: Record) -> Iterator[None]:
    """Note in a record what is looked up inside, by whatever name and function, and which processes are started."""
    with ExitStack() as stack:
        stack.enter_context(_noting_variables(record))
        for name in ASKING:
            stack.enter_context(_in_place(os, name, lambda path: record.note("paths", os.fsdecode(path))))
        stack.enter_context(_in_place(os, "getcwd", lambda: _note_folder(record)))
        starting = sys.modules.get("_posixsubprocess")
        if starting is not None:
            # As multiprocessing starts the processes that are no forks.
            stack.enter_context(_in_place(starting, "fork_exec", lambda *_: _note_process(record)))
        yield


class _Noting:
    """A function that notes what it is called with; otherwise it is like the one that it stands for."""

    def __init__(self, function: Callable[..., Any], note: Callable[..., object]) -> None:
        self._function, self._note = function, note

    def __call__(self, *arguments: Any, **rest: Any) -> Any:
        """Call the function."""
        # File descriptors are no names, and were opened before; and there may be no working folder.
        with suppress(TypeError, ValueError, OSError):
            self._note(*[*arguments, *rest.values()][:1])
        return self._function(*arguments, **rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __eq__(self, other: object) -> bool:
        # shutil looks for functions in the sets of those that can do something.
        return other is self or other == self._function

    def __hash__(self) -> int:
        return hash(self._function)


@contextmanager
def _in_place(module: Any, name: str, note: Callable[..., object]) -> Iterator[None]:
    before = getattr(module, name)
    ours = _Noting(before, note)
    setattr(module, name, ours)
    try:
        yield
    finally:
        if getattr(module, name) is ours:
            setattr(module, name, before)


def _note_folder(record: Record) -> None:
    """Note the working folder where the user wants to know it, and not only what the whole name of a file is."""
    # From Python 3.12 on, `Path.cwd` asks by way of `Path.absolute`.
    if by_user(4) or is_function("cwd", 4) or is_function("cwd", 5):
        record.note("paths", traces.HERE)


def _note_process(record: Record) -> None:
    if not by_package(4):
        record.note("doubts", PROCESSES)


class _Variables(dict[Any, Any]):
    """The environment's own mapping while it is noted what is looked up in it."""

    record: Record

    def __getitem__(self, name: Any) -> Any:
        self._tell("variables", os.fsdecode(name))
        return super().__getitem__(name)

    def __setitem__(self, name: Any, value: Any) -> None:
        before = traces.digest_variable(os.fsdecode(name))
        super().__setitem__(name, value)
        if by_package(2):
            traces.note_set_by_package(os.fsdecode(name), before)
        else:
            self._tell("assigned", os.fsdecode(name))

    def __iter__(self) -> Iterator[Any]:
        self._tell("variables", traces.ALL_NAMES)
        return super().__iter__()

    def __len__(self) -> int:
        self._tell("variables", traces.ALL_NAMES)
        return super().__len__()

    def _tell(self, part: str, name: str) -> None:
        if traces.counts(name):
            self.record.note(part, name)


@contextmanager
def _noting_variables(record: Record) -> Iterator[None]:
    before: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
    noted = _Variables(before)
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
