"""What the JSON report shows of a dataclass: its fields, in built-in types."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

ENTRIES = "report entries"
"""The key of a field's metadata under which its own entries stand."""


class Reported:
    """A dataclass that the JSON report shows."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as the JSON report shows them: built-in types only."""
        entries: dict[str, Any] = {}
        for each in dataclasses.fields(self):  # type: ignore[arg-type]
            write = each.metadata.get(ENTRIES)
            entries |= {each.name: getattr(self, each.name)} if write is None else write(self)
        return {name: plain(value) for name, value in entries.items()}


def reported_as(write: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The metadata of a field of which the report shows other entries than its name with its value.

    Parameters
    ----------
    write
        Takes the whole object, and returns the entries.
    """
    return {ENTRIES: write}


UNREPORTED = reported_as(lambda _: {})
"""The metadata of a field that no report shows."""


def plain(value: Any) -> Any:
    """The same value in built-in types, which survive pytest-xdist and JSON; a number that isn't finite is ``None``.

    Raises
    ------
    TypeError
        For a value of any other type.
    """
    match value:
        case None | bool():
            return value
        case str():
            return str(value)
        case Reported():
            return value.to_dict()
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _ if hasattr(value, "item"):
            return plain(value.item())
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
    raise TypeError(f"an audit can't hold a {type(value).__name__}")
