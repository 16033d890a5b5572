"""What several attacks compute from the same arrays, computed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pytest_mia.core.types import AnyArray

MOST_BYTES = 320 * 2**20


class Sized(Protocol):
    """Whatever says how much memory it takes."""

    @property
    def nbytes(self) -> int: ...  # noqa: D102


Value = TypeVar("Value", bound=Sized)


@dataclass(frozen=True)
class MemoKey:
    """What a value was computed from.

    Attributes
    ----------
    name
        What was computed.
    source
        What it was computed from: the arrays' places in memory, or a hash of the content.
    arrays
        These arrays, held so that no others take their places in memory, and thereby their key.
    """

    name: Hashable
    source: Hashable
    arrays: tuple[AnyArray, ...] = field(default=(), compare=False, repr=False)


def identify(name: Hashable, *arrays: AnyArray) -> MemoKey:
    """Return the key of a value that is computed from these very arrays, which nobody may change."""
    return MemoKey(name, tuple(map(id, arrays)), arrays)


def identify_content(name: Hashable, *content: object) -> MemoKey:
    """Return the key of a value that is computed from anything that holds the same."""
    from joblib import hash as hash_content

    return MemoKey(name, hash_content(content))


class ArrayMemo:
    """The latest values that were computed from arrays, as many as fit in memory.

    Parameters
    ----------
    most_bytes
        What all values together may take; a single value that is larger is kept until room is made for the next.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._values: dict[MemoKey, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # What can be computed again has no part in the hash or the copy of that which holds it.
        return ArrayMemo, (self._most_bytes,)

    def find(self, key: MemoKey) -> Any:
        """Return the value; where there is none, make room for it and return ``None``."""
        value = self._values.pop(key, None)
        if value is None:
            self._make_room()
        else:
            self._values[key] = value  # Now it is the latest.
        return value

    def keep(self, key: MemoKey, value: Value) -> Value:
        """Keep a value, and return it."""
        self._values[key] = value
        return value

    def _make_room(self) -> None:
        """Drop what was used longest ago, until another value as large as the largest fits."""
        sizes = [value.nbytes for value in self._values.values()]
        while sizes and sum(sizes) + max(sizes) > self._most_bytes:
            del self._values[next(iter(self._values))]
            del sizes[0]
