"""Which worker of this machine trains on which GPU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

WAIT = 0.05
"""Seconds between two looks for a free GPU: for the moment in which workers change."""

_started = set[str]()


@dataclass(frozen=True)
class Gpus:
    """GPUs that the workers of an audit share, each of them used by one worker at a time.

    Attributes
    ----------
    names
        Such as "cuda:0".
    folder
        Of their locks, which the system opens when a worker dies.
    """

    names: tuple[str, ...]
    folder: str

    @contextmanager
    def one(self) -> Iterator[str]:
        """A GPU that is free, and stays with this worker meanwhile."""
        name, lock = self._taken()
        try:
            yield name
        finally:
            lock.release()

    def _taken(self) -> tuple[str, FileLock]:
        while True:
            # The one of before, if possible: a process that starts another one keeps memory on both.
            for name in sorted(self.names, key=lambda name: name not in _started):
                lock = FileLock(Path(self.folder, name.replace(":", "-")))
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                _started.add(name)
                return name, lock
            time.sleep(WAIT)


@contextmanager
def shared(names: Sequence[str]) -> Iterator[Gpus | None]:
    """These GPUs, to be shared by workers; none if there are none."""
    if not names:
        yield None
        return
    with TemporaryDirectory(prefix="pytest-mia-", ignore_cleanup_errors=True) as folder:
        yield Gpus(tuple(names), folder)
