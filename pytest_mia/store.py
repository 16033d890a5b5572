"""What was found once, on disk: arrays with a few words about them, each entry a file of its own under its key.

Entries are read without pickle, checked by their digest and the key that they hold, and written all at once or not at
all. Nothing that goes wrong here fails an audit: it is remarked on, and the audit does the work itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import re
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.errors import CacheWarning

MARK = b"pytest-mia store 1\n"
NAMES = re.compile(r"mia-[0-9a-f]{64}\.(entry|lock)|mia-[0-9a-z_]+\.part")
MOST_BYTES = 2**30
MOST_SECONDS = 30 * 86400
WORDS = "words"

Arrays = Mapping[str, npt.NDArray[Any]]


def opened(folder: Path | None, mode: str, *, since: float) -> Store | None:
    """The store in a folder, or ``None`` where nothing is cached.

    Parameters
    ----------
    folder
        ``None`` where there is none.
    mode
        "use", "refresh" or "off".
    since
        When this run began, in seconds since 1970: when refreshing, what is older doesn't count.
    """
    return None if folder is None or mode == "off" else Store(folder.absolute(), since if mode == "refresh" else 0.0)


@dataclass(frozen=True)
class Entry:
    """What is kept under a key: plain words, as JSON has them, and arrays."""

    words: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """A folder of entries.

    Attributes
    ----------
    folder
        Where they lie; it is made when the first one is written.
    since
        Entries that were written before this time, in seconds since 1970, don't count.
    remarks
        What went wrong, in words, each once.
    """

    folder: Path
    since: float = 0.0
    remarks: dict[str, None] = field(default_factory=dict)

    def load(self, key: str) -> Entry | None:
        """The entry of a key, or ``None``; a damaged one is remarked on, with a warning."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            entry = _parsed(content, key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.remark(f"the cache could not be read ({_said(error)})")
            return None
        except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            self.damaged(key, str(error))
            return None
        if entry.words["written"] < self.since:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return entry

    def save(self, key: str, entry: Entry) -> None:
        """Write an entry, so that it is there whole or not at all whenever this process is killed."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self._path(key), _serialised(entry, key))
        except OSError as error:
            self.remark(f"models could not be cached in {self.folder} ({_said(error)}); the audit went on without")

    @contextlib.contextmanager
    def locked(self, key: str, *, wait: float) -> Iterator[bool]:
        """Hold the lock of a key: one process at a time works on it.

        Parameters
        ----------
        key
            The key.
        wait
            Seconds to wait for another process that holds it; if it still does then, the context's value is False.
        """
        from filelock import FileLock, Timeout

        with contextlib.ExitStack() as held:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(
                    FileLock(self._path(key).with_suffix(".lock"), timeout=-1 if wait == math.inf else wait)
                )
            except Timeout:
                yield False
                return
            except (OSError, NotImplementedError) as error:
                self.remark(f"models could not be cached in {self.folder} ({_said(error)}); the audit went on without")
            yield True

    def prune(self) -> None:
        """Remove what has not been used for long, and what was used least recently where there is too much."""
        total, now = 0, time.time()
        for used, size, path in sorted(self._files(), reverse=True):
            total += size
            if total > MOST_BYTES or now - used > MOST_SECONDS:
                with contextlib.suppress(OSError):
                    path.unlink()

    def remark(self, text: str) -> None:
        """Note what went wrong, for the audit's notes."""
        self.remarks[text] = None

    def damaged(self, key: str, why: str) -> None:
        """Remark on an entry that is not what was written, with a warning."""
        text = f"the cache entry {self._path(key)} is damaged ({why}); the work was done again"
        if text not in self.remarks:
            self.remark(text)
            # Under -W error this raises; the remark stands among the audit's notes all the same.
            with contextlib.suppress(CacheWarning):
                warnings.warn(CacheWarning(text), stacklevel=2)

    def _path(self, key: str) -> Path:
        return self.folder / f"mia-{key}.entry"

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        with contextlib.suppress(OSError), os.scandir(self.folder) as files:
            for file in files:
                with contextlib.suppress(OSError):
                    if NAMES.fullmatch(file.name):
                        found.append((file.stat().st_mtime, file.stat().st_size, Path(file.path)))
        return found


def _serialised(entry: Entry, key: str) -> bytes:
    words = json.dumps({**entry.words, "key": key, "written": time.time()})
    content = io.BytesIO()
    np.savez(content, **{WORDS: np.frombuffer(words.encode(), dtype=np.uint8)}, **entry.arrays)  # type: ignore[arg-type]
    body = content.getvalue()
    return MARK + hashlib.sha256(body).digest() + body


def _parsed(content: bytes, key: str) -> Entry:
    """Read an entry.

    Raises
    ------
    ValueError
        When it is not what was written under this key.
    """
    mark, digest, body = content[: len(MARK)], content[len(MARK) : len(MARK) + 32], content[len(MARK) + 32 :]
    if mark != MARK:
        raise ValueError("it has another format")
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("its digest differs")
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    words = json.loads(found.pop(WORDS).tobytes())
    if words["key"] != key:
        raise ValueError("it belongs to another key")
    return Entry(words, found)


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix="mia-", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
