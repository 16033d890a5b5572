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
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.cache import safe_npz
from pytest_mia.core.errors import CacheWarning

MARK = b"pytest-mia store 1\n"
NAMES = re.compile(r"mia-[0-9a-f]{64}\.(entry|lock)|mia-[0-9a-z_]+\.part")
MOST_BYTES = 2**30
MOST_SECONDS = 30 * 86400
MOST_WORDS = 2**27
"""Bytes of the words of an entry; the result of an audit of a thousand models has about four million."""
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""The answers of models give their members away, so only the user may read the files."""
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
        Where they lie; it is made when the first one is written, for the user alone to see.
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
            entry, written = _parsed(_content(path), key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.remark(f"the cache could not be read ({_said(error)})")
            return None
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            self.damaged(key, str(error))
            return None
        # Where the clock was set back, what an earlier run left may seem to be of a time that is still to come.
        if self.since and not self.since <= written <= time.time():
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return entry

    def save(self, key: str, entry: Entry) -> None:
        """Write an entry, so that it is there whole or not at all whenever this process is killed."""
        try:
            self._make_folder()
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
                self._make_folder()
                lock, seconds = self._path(key).with_suffix(".lock"), -1 if wait == math.inf else wait
                held.enter_context(FileLock(lock, timeout=seconds, mode=PRIVATE_FILE))
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
            if used > now:
                # The clock was set back; from now on it grows old like all others.
                with contextlib.suppress(OSError):
                    os.utime(path)
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

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

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


def _content(path: Path) -> bytes:
    """What a file holds; neither one that is too large for an entry nor a pipe is read."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("it is no file")
    if state.st_size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
    return path.read_bytes()


def _parsed(content: bytes, key: str) -> tuple[Entry, float]:
    """Read an entry, and when it was written.

    Raises
    ------
    ValueError, KeyError, TypeError, OverflowError, RecursionError
        When it is not what was written under this key.
    """
    mark, digest, body = content[: len(MARK)], content[len(MARK) : len(MARK) + 32], content[len(MARK) + 32 :]
    if mark != MARK:
        raise ValueError("it has another format")
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("its digest differs")
    # Entries are written unpacked, so none holds more than its own bytes.
    found = safe_npz.read_arrays(io.BytesIO(body), most=len(body))
    text = found.pop(WORDS).tobytes()
    if len(text) > MOST_WORDS:
        raise ValueError(f"its words are larger than {MOST_WORDS:,} bytes")
    words = json.loads(text)
    if words["key"] != key:
        raise ValueError("it belongs to another key")
    return Entry(words, found), float(words["written"])


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
