"""Whose code does what Python's audit hooks hear of: the user's, an installed package's, or Python's own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

from pytest_mia.cache.user_modules import STANDARD, is_user_file

IMPORT_SYSTEM = {"importlib", "importlib_metadata"}
"""Folders of what looks for modules and packages; the latter, a package itself, comes with Dask in Python's place."""


def by_package(depth: int = 1) -> bool:
    """Whether an installed package does something by itself, as joblib counts the cores.

    Parameters
    ----------
    depth
        How many functions up the one is that is asked about; 1 is the caller of this function.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and _is_pythons(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and not is_user_file(frame.f_code.co_filename)


def by_user(depth: int = 1) -> bool:
    """Whether a function of the user's does something itself, or has no file: it may be the user's too."""
    name = sys._getframe(depth).f_code.co_filename
    return name.startswith("<string>") or is_user_file(name)


def by_import_system(depth: int = 1) -> bool:
    """Whether Python looks for modules or packages: what it loads is heard by itself."""
    name = sys._getframe(depth).f_code.co_filename
    return name.startswith("<frozen importlib") or not IMPORT_SYSTEM.isdisjoint(Path(name).parts)


def is_function(name: str, depth: int = 1) -> bool:
    """Whether a function has this name."""
    return sys._getframe(depth).f_code.co_name == name


def _is_pythons(file: str) -> bool:
    return file.startswith((STANDARD, "<")) and not file.startswith(f"{STANDARD}site-packages/")
