"""Texts of users, such as the names of slices, made fit to stand in a line of a message, a table or a drawing."""

from __future__ import annotations

MOST = 40
"""Characters of a name that are shown."""


def shown(text: str, most: int = MOST) -> str:
    """A name that fits into a line of any terminal: cut where it is long, and without what isn't printable.

    Parameters
    ----------
    text
        Any text.
    most
        Characters that are kept, the mark of a cut among them.
    """
    clean = printable(text[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 3]}..."


def printable(text: str) -> str:
    """The text with "?" for each control character, line end and lone surrogate."""
    return "".join(character if character.isprintable() else "?" for character in text)
