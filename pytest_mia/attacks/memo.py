"""What several attacks work out of the same arrays, worked out once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pytest_mia.core.types import AnyArray

MOST_BYTES = 320 * 2**20


class Sized(Protocol):
    """Whatever says how much memory it takes."""

    @property
    def nbytes(self) -> int: ...  # noqa: D102


Value = TypeVar("Value", bound=Sized)


class ArrayMemo:
    """The latest values that were worked out of arrays, as many as fit.

    A value is known by the function that makes it and by the very arrays that it is made of, which nobody may change.

    Parameters
    ----------
    most_bytes
        What all values together may take; one that is larger than that is kept until the next is made.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._found: OrderedDict[tuple[object, ...], tuple[Any, tuple[AnyArray, ...]]] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        # What can be made again has no part in the name or the copy of that which holds it.
        return ArrayMemo, (self._most_bytes,)

    def of(self, make: Callable[..., Value], *arrays: AnyArray) -> Value:
        """``make(*arrays)``, worked out now or before."""
        # The arrays are held too, so that no others take their places in memory, and thereby their key.
        return self._known((make, *map(id, arrays)), lambda: make(*arrays), arrays)

    def of_equal(self, make: Callable[..., Value], *content: object) -> Value:
        """``make(*content)``, worked out now, or before of what holds the same."""
        from joblib import hash as digest

        return self._known((make, digest(content)), lambda: make(*content), ())

    def _known(self, key: tuple[object, ...], make: Callable[[], Value], held: tuple[AnyArray, ...]) -> Value:
        if key not in self._found:
            self._make_room()
            self._found[key] = make(), held
        self._found.move_to_end(key)
        found: Value = self._found[key][0]
        return found

    def _make_room(self) -> None:
        """Drop what was used longest ago, until another value as large as the largest fits."""
        sizes = [value.nbytes for value, _ in self._found.values()]
        while sizes and sum(sizes) + max(sizes) > self._most_bytes:
            self._found.popitem(last=False)
            del sizes[0]
