"""The file of a baseline, which is small, stable and committed.

It names tests, figures and the settings that they rest on; no machine, no time and no record. The same audits give the
same bytes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.settings import Settings
from pytest_mia.statistics.counts import Counts
from pytest_mia.verdicts.baseline import DIGITS, SIDES, STRENGTH, Baseline, SavedAudit

FOLDER = ".mia"
"""Where baselines lie, below the root folder of the tests."""

FORMAT = "pytest-mia-baseline/1"
LARGEST = 10_000_000
"""Bytes of a file that is read; an audit of a thousand models has about 20,000."""


def path_of(root: Path, name: str) -> Path:
    """The file of a baseline.

    Raises
    ------
    MIAUsageError
        When the name is no plain one, or a link leads out of the root folder.
    """
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name) is None:
        raise MIAUsageError(
            f"the name of a baseline must be plain (letters, digits, '-', '_', '.', no dot first), got {name!r}"
        )
    path = root / FOLDER / f"{name}.json"
    if not path.resolve().is_relative_to(root.resolve()):
        raise MIAUsageError(f"{FOLDER}/{path.name} leads out of {root}, to {path.resolve()}; put a file in its place")
    return path


def load(root: Path, name: str) -> Baseline:
    """Read a baseline.

    Raises
    ------
    MIAUsageError
        When there is none of this name, or the file is something else.
    """
    path = path_of(root, name)
    remedy = f"make it anew with pytest --mia-save={name}"
    if not path.exists():
        raise MIAUsageError(f"there is no baseline {name} ({FOLDER}/{path.name}); {remedy.replace(' anew', '')}")
    try:
        return Baseline(name, _parsed(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise MIAUsageError(f"{FOLDER}/{path.name} can't be read as a baseline ({why}); {remedy}") from None


def check_writable(root: Path, name: str) -> None:
    """Refuse to write a baseline before anything is trained for it.

    Raises
    ------
    MIAUsageError
        When the name is no plain one, what stands in the file's place is something else, or it can't be written to.
    """
    path = path_of(root, name)
    folder = path.parent if path.parent.exists() else root
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise MIAUsageError(f"--mia-save: the folder {folder} can't be written to")
    if path.exists():
        load(root, name)


def merge(root: Path, name: str, audits: Mapping[str, Mapping[str, Any]]) -> str:
    """The file with these audits in it, and those of other tests as they were.

    Parameters
    ----------
    root, name
        As for `load`.
    audits
        As `SavedAudit.to_dict` gives them, by the node IDs of their tests.
    """
    there = load(root, name).audits if path_of(root, name).exists() else {}
    return format_text({test: each.to_dict() for test, each in there.items()} | dict(audits))


def format_text(audits: Mapping[str, Mapping[str, Any]]) -> str:
    """The file: sorted keys, and a line for each list of numbers."""
    plain = json.dumps({"audits": audits, "format": FORMAT}, indent=2, sort_keys=True, allow_nan=False)
    return (
        re.sub(
            r"\[[\s\d,]+\]", lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), plain
        )
        + "\n"
    )


def _parsed(path: Path) -> dict[str, SavedAudit]:
    if not path.is_file():
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    words = json.loads(content.decode("utf-8"))
    if not isinstance(words, dict) or words.get("format") != FORMAT:
        raise ValueError(f"it is not of the format {FORMAT}")
    return {test: _revived(test, each) for test, each in words["audits"].items()}


def _revived(test: str, words: Mapping[str, Any]) -> SavedAudit:
    """An audit of the file, whose counts must give the advantage that stands there."""
    counts = _counts(words["counts"])
    found = SavedAudit(
        _is(str, words["kind"]),
        _is(str, words["attack"]),
        _is(int, words["records"]),
        _is(int, words["seed"]),
        counts,
        Settings(confidence=words["advantage"]["confidence"]).confidence,
        {name: words["settings"][name] for name in STRENGTH},
        _is(str, words["pytest_mia"]),
    )
    if round(found.advantage.estimate, DIGITS) != words["advantage"]["estimate"]:
        raise ValueError(f"the counts of {test} don't give its advantage, so it was edited by hand")
    return found


def _counts(words: Mapping[str, Any]) -> Counts:
    sides = [tuple(_is(int, each) for each in words[name]) for name in SIDES]
    share = float(words["share"])
    flagged_right = all(
        0 <= flagged <= total for pair in (sides[:2], sides[2:]) for flagged, total in zip(*pair, strict=True)
    )
    if len({len(side) for side in sides}) != 1 or not sides[0] or not flagged_right or not 0 < share <= 1:
        raise ValueError("its counts are not valid")
    return Counts(sides[0], sides[1], sides[2], sides[3], share)


def _is(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{value!r} stands where a {kind.__name__} is expected")
    return value
