"""Values and texts of a user, such as the names of slices, made fit for a line of a message, a table or a drawing."""

from __future__ import annotations

from typing import Any

MOST_SHOWN = 40
"""Characters of a name that are shown."""
MOST_QUOTED = 200
"""Characters of a value in a message."""


def shown(text: str, most: int = MOST_SHOWN) -> str:
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


def counted(number: int, noun: str) -> str:
    """A number of things, such as "1 record" and "2,000 records"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def quoted(value: Any) -> str:
    """A bad value as a message quotes it: cut off where it is long, by its type where it can't be shown at all."""
    try:
        text = repr(value)
    except Exception:
        # A whole number of thousands of digits, or an object of the user's.
        return f"a {type(value).__name__} that can't be shown"
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}..."
