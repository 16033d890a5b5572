"""A name for a value and for the code that it runs, by content: equal names mean equal work."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from pickle import PickleBuffer
from types import ModuleType
from typing import Any

import cloudpickle

from pytest_mia.pickling import pickled_by_value

INSTALLED = {"site-packages", "dist-packages"}


def of(value: Any) -> str | None:
    """The fingerprint of a value, functions included with the globals that they read.

    Parameters
    ----------
    value
        Anything: arrays, tensors, models, functions.

    Returns
    -------
    str or None
        The same text for the same content within one process; ``None`` for what can't be pickled.
    """
    stream, buffers = hashlib.sha256(), hashlib.sha256()
    try:
        with pickled_by_value(_own_modules()):
            _Pickler(_Written(stream.update), buffers.update).dump(value)
    except Exception:
        # Pickling runs code of any kind, which may raise anything.
        return None
    return stream.hexdigest() + buffers.hexdigest()


class _Written:
    """A file that hands on what is written, so that large arrays are never copied."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        self.write = take


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles tensors by content: torch's own way writes memory addresses, which differ from copy to copy."""

    def __init__(self, file: _Written, take: Callable[[Any], None]) -> None:
        def buffered(buffer: PickleBuffer) -> None:
            raw = buffer.raw()
            take(raw.nbytes.to_bytes(8, "little"))
            take(raw)

        super().__init__(file, protocol=5, buffer_callback=buffered)

    def reducer_override(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(obj, torch.Tensor):
            return super().reducer_override(obj)
        values = obj.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        return tuple, ((type(obj).__name__, str(obj.dtype), tuple(obj.shape), obj.requires_grad, values),)


def _own_modules() -> list[ModuleType]:
    """Loaded modules that are neither Python's, nor installed, nor ours: the user's, which tests patch and reload."""
    standard = Path(sysconfig.get_path("stdlib"))
    return [
        module
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None)) is not None
        and name.partition(".")[0] not in {"__main__", "pytest_mia"}
        and not INSTALLED & set(Path(file).parts)
        and standard not in Path(file).parents
    ]
