"""Sending the user's code to worker processes, whatever file it stands in."""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType, ModuleType
from typing import Any, ClassVar

import cloudpickle

from pytest_mia.cache.user_modules import is_test


def dumps(value: Any, by_value: Iterable[ModuleType] = (), apart: Sequence[Any] = ()) -> bytes:
    """Pickle a value, lambdas and local classes included.

    Parameters
    ----------
    value
        Anything that cloudpickle can pickle.
    by_value
        Modules whose functions and classes are sent as code rather than by name.
    apart
        Objects inside of it that are sent apart, once for many values.
    """
    target = io.BytesIO()
    with pickled_by_value(by_value):
        Pickler(target, apart).dump(value)
    return target.getvalue()


def loads(data: bytes, apart: Sequence[Any] = ()) -> Any:
    """The value that `dumps` pickled, with the objects that were sent apart."""
    return Unpickler(io.BytesIO(data), apart).load()


def test_modules() -> list[ModuleType]:
    """Loaded modules that another process can't import by name: conftests (many share one name) and test files."""
    return [module for module in list(sys.modules.values()) if is_test(module)]


def is_sent(cls: type) -> bool:
    """Whether a class of the user's is sent as code: another process can't import it by name."""
    module = sys.modules.get(cls.__module__)
    return module is None or cls.__module__ == "__main__" or is_test(module) or "<locals>" in cls.__qualname__


@contextlib.contextmanager
def pickled_by_value(modules: Iterable[ModuleType]) -> Iterator[None]:
    """Have cloudpickle take the functions and classes of these modules as code rather than by name."""
    ours = [module for module in modules if sys.modules.get(module.__name__) is module]
    before = cloudpickle.list_registry_pickle_by_value()
    added = [module for module in ours if module.__name__ not in before]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def _code(code: CodeType) -> tuple[Callable[..., CodeType], tuple[Any, ...]]:
    """Code with the name of its file, which cloudpickle leaves out from 3.1.3 on, and tracebacks need."""
    make, arguments = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return _made, (make, arguments, code.co_filename)


def _made(make: Callable[..., CodeType], arguments: tuple[Any, ...], filename: str) -> CodeType:
    return make(*arguments).replace(co_filename=filename)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Cloudpickle's, which also keeps the names of files, and leaves out what is sent apart."""

    dispatch_table: ClassVar[ChainMap[Any, Any]] = ChainMap({CodeType: _code}, cloudpickle.Pickler.dispatch_table)

    def __init__(self, target: io.BytesIO, apart: Sequence[Any] = ()) -> None:
        super().__init__(target)
        self._apart = {id(each): place for place, each in enumerate(apart)}

    def persistent_id(self, value: Any) -> int | None:
        """The place of what is sent apart."""
        return self._apart.get(id(value))


class Unpickler(pickle.Unpickler):
    """Puts in what was sent apart."""

    def __init__(self, source: io.BytesIO, apart: Sequence[Any]) -> None:
        super().__init__(source)
        self._apart = apart

    def persistent_load(self, place: int) -> Any:
        """What was sent apart, by its place."""
        return self._apart[place]
