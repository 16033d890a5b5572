"""A walk through all parts of a value, in an order and in words that are the same in every process."""

from __future__ import annotations

import copyreg
import hashlib
import logging
import marshal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pickle import PickleBuffer
from typing import Any

import numpy as np
import numpy.typing as npt

ATOMS = {type(None), bool, int, float, complex, str, bytes, type(Ellipsis)}
DESCRIPTORS = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)
HARMLESS = (type(threading.Lock()), type(threading.RLock()), logging.Logger)
"""What holds nothing that a result could depend on."""
SET_LATER = {"_has_sorted_indices", "_has_canonical_format"}
"""What a sparse matrix notes about itself when it is first asked."""
SHOWN_PLACES = 4

Way = Callable[[Any], None]


class Walk:
    """A walk through values: containers, arrays, tensors, and everything else as pickle would take it apart.

    What is met again is named by when it was met first, so values may hold each other.

    Attributes
    ----------
    hash
        The digest of all that was met.
    """

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._met: dict[object, tuple[int, object]] = {}
        self._path: list[str] = []
        self._ways: dict[type, Way] = {
            list: self._list,
            dict: self._mapping,
            set: self._set,
            frozenset: self._set,
            np.ndarray: self._array,
            np.memmap: self._array,
        }

    @property
    def place(self) -> str:
        """Where the walk is."""
        return "/".join([*self._path[:SHOWN_PLACES], *(["..."] if len(self._path) > SHOWN_PLACES else [])])

    def another(self) -> Walk:
        """A walk of the same kind that has met nothing yet."""
        return Walk()

    def visit(self, value: Any, place: str = "") -> None:
        """Add a value, which is found at a place."""
        kind = type(value)
        if kind in ATOMS:
            self.write("atom", marshal.dumps(value, 2))
            return
        self._path += [place] if place else []
        if kind is tuple:
            self.items("tuple", value)
        elif isinstance(value, np.dtype):
            # Equal types may be one object or several.
            self._object(value)
        elif self.is_new(id(value), value):
            self._way_for(kind)(value)
        if place:
            self._path.pop()

    def write(self, tag: str, content: bytes | str = b"") -> None:
        """Add a few words."""
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        self.hash.update(f"{tag} {len(data)} ".encode())
        self.hash.update(data)

    def items(self, tag: str, items: Any) -> None:
        """Add a sequence."""
        if ATOMS.issuperset(map(type, items)):
            self.write(tag, marshal.dumps(items, 2))
            return
        self.write(tag, str(len(items)))
        for item in items:
            self.visit(item)

    def is_new(self, key: object, value: Any) -> bool:
        """Whether this is met for the first time; otherwise that it is met again is added."""
        if key in self._met:
            self.write("again", str(self._met[key][0]))
            return False
        # The value is kept, so that no other takes its place in memory, and thereby its key, during the walk.
        self._met[key] = len(self._met), value
        return True

    def ways(self) -> Iterator[tuple[Any, Way]]:
        """How types that others inherit from are taken apart."""
        yield types.MappingProxyType, self._mapping
        yield (PickleBuffer, bytearray, memoryview), self._buffer
        yield (*DESCRIPTORS, *HARMLESS), self.named
        yield threading.local, self._local
        yield getattr(sys.modules.get("torch"), "Tensor", ()), self._tensor

    def known(self, module: str, name: str) -> None:
        """Add something that stands under a name in a module."""
        self.write("known", f"{module}.{name}")

    def named(self, value: Any) -> None:
        """Add something by its name and type alone."""
        owner = getattr(value, "__objclass__", type(value))
        self.write("named", f"{owner.__module__}.{owner.__qualname__} {getattr(value, '__name__', '')}")

    def _way_for(self, kind: type) -> Way:
        if kind not in self._ways:
            self._ways[kind] = next((way for kinds, way in self.ways() if issubclass(kind, kinds)), self._object)
        return self._ways[kind]

    def _local(self, value: threading.local) -> None:
        self.named(value)
        self.visit(vars(value))

    def _list(self, values: list[Any]) -> None:
        self.items("list", values)

    def _mapping(self, values: Any) -> None:
        self.write("mapping", str(len(values)))
        for key, value in values.items():
            self.visit(key)
            self.visit(value, str(key) if type(key) in ATOMS else type(key).__name__)

    def _set(self, values: Any) -> None:
        # Sets have no order that would be the same in another process.
        found = []
        for value in values:
            walk = self.another()
            walk.visit(value)
            found.append(walk.hash.hexdigest())
        self.write(type(values).__name__, "".join(sorted(found)))

    def _array(self, array: npt.NDArray[Any]) -> None:
        self.visit(array.dtype)
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        self.write("array", f"{array.shape} {'by columns' if by_columns else ''}")
        if array.dtype.hasobject:
            self.visit(array.ravel().tolist())
        else:
            self._buffer(np.ascontiguousarray(array.T if by_columns else array).reshape(-1).view(np.uint8))

    def _tensor(self, tensor: Any) -> None:
        content = tensor.detach().cpu().contiguous().flatten().view(sys.modules["torch"].uint8).numpy()
        told = tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.requires_grad, tensor.device.type
        self.write("tensor", str(told))
        self.visit(type(tensor))
        self._buffer(content)

    def _buffer(self, buffer: Any) -> None:
        raw = buffer.raw() if isinstance(buffer, PickleBuffer) else memoryview(buffer)
        self.write("buffer", str(raw.nbytes))
        self.add_bytes(raw.cast("B") if raw.nbytes else raw)

    def add_bytes(self, content: memoryview) -> None:
        """Add what a buffer holds."""
        self.hash.update(content)

    def _object(self, value: Any) -> None:
        reduce = copyreg.dispatch_table.get(type(value))
        parts = value.__reduce_ex__(5) if reduce is None else reduce(value)
        if isinstance(parts, str):
            self.known(getattr(value, "__module__", None) or type(value).__module__, parts)
            return
        make, arguments, state, items, pairs, setter = (*parts, None, None, None, None)[:6]
        self.items("object", (make, arguments))
        self.visit(_lasting(state), type(value).__name__)
        self.items("filled", ([*(items or ())], [*(pairs or ())], setter))


def _lasting(state: Any) -> Any:
    if isinstance(state, tuple) and len(state) == 2 and all(isinstance(part or {}, dict) for part in state):
        # An object with slots, which a class that was sent to another process may keep elsewhere.
        state = {**(state[0] or {}), **(state[1] or {})}
    return {name: each for name, each in state.items() if name not in SET_LATER} if isinstance(state, dict) else state
