"""What pytest does instead of running tests, where an option asks for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from pytest_mia.core.errors import MIAUsageError


def list_attacks() -> int:
    """Show all attacks."""
    from pytest_mia.plugin import attack_table

    print(attack_table.text())
    return 0


def init(folder: Path, kind: str) -> int:
    """Write the first files of a repository's audits, and say what is to be done with them.

    Parameters
    ----------
    folder
        Where they go.
    kind
        "sklearn", "torch", or "auto": whichever the Python files below the folder import more often.

    Returns
    -------
    int
        0, or 1 where a file was there and stays as it is.

    Raises
    ------
    MIAUsageError
        When there is no such kind, or a file can't be written.
    """
    from pytest_mia.plugin import scaffold

    if kind not in (*scaffold.KINDS, scaffold.GUESS):
        raise MIAUsageError(
            f"--mia-init must be {' or '.join(scaffold.KINDS)}, got {kind!r}: pytest --mia-init=sklearn"
        )
    kind = scaffold.guess_kind(folder) if kind == scaffold.GUESS else kind
    try:
        written, left = scaffold.write_files(folder, kind)
    except OSError as error:
        raise MIAUsageError(f"--mia-init: {error.filename} can't be written: {error.strerror}") from None
    print("\n".join(_said(kind, written, left)))
    return 1 if left else 0


def _said(kind: str, written: dict[str, str], left: dict[str, str]) -> Iterator[str]:
    for name in written:
        yield f"mia: wrote {name}, for {kind}"
    for name, content in left.items():
        yield f"mia: {name} exists and was not changed; add to it those of these lines that it lacks:\n\n{content}"
    if "conftest.py" in written:
        yield "mia: the records and the model in conftest.py are examples; put yours in their place"
    if kind == "torch" and importlib.util.find_spec("torch") is None:
        yield "mia: torch is not installed: pip install torch"
    yield "mia: next, run pytest -m mia"
