"""A file that is written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PRIVATE, SHARED = 0o600, 0o666
"""For the user alone, since a report names the records that stand out; or as the umask of the process says."""


def write(path: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Write a file in the place of the one that may be there.

    Parameters
    ----------
    path
        The file; its folder must exist.
    text
        What it will hold; what UTF-8 can't encode becomes a question mark.
    mode
        Who may see it.

    Raises
    ------
    OSError
        When the file can't be written.
    """
    # Nobody else can have put a link to another file in the place of a new name.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with open(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
