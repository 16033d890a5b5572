"""A file that is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write a file in the place of the one that may be there.

    Parameters
    ----------
    path
        The file; its folder must exist.
    text
        What it will hold; what UTF-8 can't encode becomes a question mark.

    Raises
    ------
    OSError
        When the file can't be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
