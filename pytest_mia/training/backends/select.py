"""Where models are trained besides this process: every backend, one a line."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from pytest_mia.training.backends.protocol import Backend

if TYPE_CHECKING:
    from pytest_mia.core.settings import Settings

BACKENDS: Mapping[str, str] = {
    "loky": "pytest_mia.training.backends.loky",
    "dask": "pytest_mia.training.backends.dask",
}
"""The module of each backend, by the name that the setting ``backend`` gives it; its `connect` makes the backend."""


@contextlib.contextmanager
def connect(settings: Settings) -> Generator[Backend, None, None]:
    """The backend that the settings name; it is closed at the end of the ``with`` statement."""
    backend: Backend = importlib.import_module(BACKENDS[settings.backend]).connect(settings)
    with contextlib.closing(backend):
        yield backend
