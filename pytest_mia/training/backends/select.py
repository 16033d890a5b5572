"""Where models are trained besides this process: one protocol, one file for each way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mia.training.backends.protocol import Backend

if TYPE_CHECKING:
    from pytest_mia.core.settings import Settings


def chosen(settings: Settings) -> Backend:
    """The backend that the settings name."""
    if settings.backend == "dask":
        from pytest_mia.training.backends.dask import Dask

        assert settings.scheduler is not None, "settings that contradict each other are refused earlier"
        return Dask(settings.scheduler, at_once=settings.jobs)
    from pytest_mia.training.backends.loky import Loky

    return Loky(settings.workers)
