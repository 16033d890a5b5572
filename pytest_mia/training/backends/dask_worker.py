"""What runs in the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_mia.cache import pickling, sent_code
from pytest_mia.cache.record import UnknownReadsError
from pytest_mia.cache.recorder import recording
from pytest_mia.cache.traces import Trace
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import BoolArray
from pytest_mia.data.records import Data
from pytest_mia.training.backends.worker_check import Home
from pytest_mia.training.fit import train_one
from pytest_mia.training.jobs import Job, Method, Trained

OTHER_VALUES = "their code reads a value that differs in the cluster's workers, such as a changed variable of a module"

_one_at_a_time = threading.Lock()
"""A worker runs tasks in threads of one process, whose random generators and thread limits all of them share."""


@dataclass(frozen=True)
class Answered:
    """What a worker answers.

    Attributes
    ----------
    trained
        The model.
    trace
        What was read for it.
    doubt
        Why more may have been read; empty where all is known.
    """

    trained: Trained
    trace: Trace
    doubt: str


@dataclass(frozen=True)
class WorkerTask:
    """What the models of an audit have in common, besides their records.

    Attributes
    ----------
    home
        What a worker must equal.
    modules
        Modules to import before seeds are set, if the worker has them.
    code
        The method and the factories, pickled.
    name
        What they are with all values that they read, or ``None`` where that can't be told.
    """

    home: Home
    modules: tuple[str, ...]
    code: bytes
    name: str | None

    def opened(self) -> tuple[Method, tuple[Callable[[], Any], ...]]:
        """The method and the factories.

        Raises
        ------
        MIAUsageError
            When models that are trained in this process would not be the same.
        """
        for name in self.modules:
            if importlib.util.find_spec(name) is not None:
                importlib.import_module(name)
        self.compare()
        try:
            opened: tuple[Method, tuple[Callable[[], Any], ...]] = pickling.loads(self.code)
        except Exception as error:
            raise MIAUsageError(_missing(error)) from None
        self.compare()
        return opened

    def compare(self) -> None:
        """Look at this process, and at those of the user's modules that are loaded by now.

        Raises
        ------
        MIAUsageError
            When they differ.
        """
        problems = self.home.strange()
        if problems:
            raise MIAUsageError(problems)


async def look(parcel: WorkerTask) -> tuple[str, ...]:
    """What stands in the way of training in this worker, as `WorkerTask.opened` finds it."""
    return await asyncio.to_thread(_look, parcel)


def train(records: bytes, parcel: WorkerTask, number: int, seed: int, factory: int, members: BoolArray) -> Answered:
    """Train one model in this worker.


    Raises
    ------
    MIAUsageError
        When models that are trained in this process would not be the same.
    ModelTrainingError, InvalidAuditError
        As `train_one` does.
    """
    with _one_at_a_time, recording(parcel.name or "") as record:
        method, factories = parcel.opened()
        same = sent_code.hash_sent_content((method, factories)) == parcel.name
        data: Data = pickling.loads(records)
        trained = train_one(Job(number, seed, factories[factory], members), data, method)
        # Training may have loaded more of the user's modules.
        parcel.compare()
        try:
            return Answered(trained, record.trace_for_others(), "" if same else OTHER_VALUES)
        except UnknownReadsError as error:
            return Answered(trained, Trace(), str(error))


def _look(parcel: WorkerTask) -> tuple[str, ...]:
    try:
        with _one_at_a_time, recording(parcel.name or ""):
            parcel.opened()
    except MIAUsageError as error:
        return error.problems
    except Exception as error:
        # Dask can't bring back every error.
        return (f"can't tell what it has installed ({type(error).__name__}: {error})",)
    return ()


def _missing(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return (
            f"has no module {error.name!r}, which your model needs: install it there, or start the worker where Python "
            f"finds it (its path begins with {', '.join(map(repr, sys.path[:2]))})"
        )
    return (
        f"can't load your model factory ({type(error).__name__}: {error}): if your code has changed, restart the worker"
    )
