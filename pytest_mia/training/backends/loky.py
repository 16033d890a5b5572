"""Training in processes of this machine, through joblib: on its cores, or one process for each of its GPUs."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pickle import PicklingError
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.cache import pickling, recorder, sent_code, user_modules
from pytest_mia.core.errors import MIAError, MIAWarning, ModelTrainingError
from pytest_mia.core.settings import Settings
from pytest_mia.data.records import Data
from pytest_mia.models.torch.cuda import meant_by_cuda, release
from pytest_mia.models.torch.tensors import devices_named
from pytest_mia.training.backends.gpu_locks import Gpus, shared
from pytest_mia.training.jobs import Job, Method, Trained, Unit
from pytest_mia.training.train import Training, train_unit

WORTH_A_PROCESS = 2.0
"""Seconds of training left below which starting processes takes longer than it saves."""
WORTH_A_GPU = 30.0
"""The same for several GPUs, where each process starts CUDA too; roughly, as it was measured on none."""
LOOK = 0.5
"""Seconds between two looks of a worker at whether the process that it works for is still there."""


@dataclass(frozen=True)
class Loky:
    """Processes of this machine.

    Attributes
    ----------
    workers
        How many, at the most; on GPUs one for each.
    """

    workers: int

    def check(self, jobs: Sequence[Job], method: Method) -> None:
        """Nothing can be wrong: what can't be sent is trained in this process."""

    def suits(self, units: Sequence[Unit], method: Method, first: Trained) -> bool:
        """Whether several processes finish earlier than this one would; they would get in each other's way on a GPU."""
        gpus = _gpus(method, first)
        if gpus:
            # A GPU trains all models of a unit about as fast as one.
            return min(self.workers, len(gpus)) > 1 and first.seconds * len(units) >= WORTH_A_GPU
        return self.workers > 1 and first.seconds * sum(map(len, units)) >= WORTH_A_PROCESS

    def train(
        self, units: Sequence[Unit], data: Data, method: Method, first: Trained
    ) -> Generator[Trained, None, None] | None:
        """Start to train; see `Backend`."""
        modules, apart = pickling.test_modules(), _apart(units, method)
        try:
            code = np.frombuffer(pickling.dumps(apart, modules), np.uint8)
            parcels = [pickling.dumps((unit, method), modules, apart) for unit in units]
        except Exception:
            # Pickling runs code of any kind, which may raise anything.
            return None
        release()
        gpus = _gpus(method, first)
        sent = SentCode(code, sent_code.hash_sent_content(apart), _Surroundings.here(), os.getpid())
        tasks = [LokyTask(parcel, unit[0][1].name) for parcel, unit in zip(parcels, units, strict=True)]
        return _sharing(gpus, tasks, sent, data, min(self.workers, len(units), len(gpus) or self.workers))

    def close(self) -> None:
        """Nothing: joblib keeps idle processes for the next audit, and ends them by itself."""


def connect(settings: Settings) -> Loky:
    """The processes that these settings allow."""
    return Loky(settings.workers)


def _gpus(method: Method, first: Trained) -> list[str]:
    """The GPUs that share models like the first one; none where it was trained on the CPU."""
    return [] if first.device == "cpu" else [str(device) for device in devices_named(method.device)]


def _apart(units: Sequence[Unit], method: Method) -> tuple[Any, ...]:
    """The user's code, which is sent once for all units: it may hold large arrays."""
    factories = {id(job.factory): job.factory for unit in units for job, _ in unit}
    return *factories.values(), method.training, method.predict, method.loss, method.augment


@dataclass(frozen=True)
class _Surroundings:
    """What the user's code finds in a process.

    Attributes
    ----------
    path
        Where modules are found.
    variables
        Its environment.
    torch
        Whether torch is loaded.
    modules
        The user's modules that are loaded.
    """

    path: tuple[str, ...]
    variables: Mapping[str, str]
    torch: bool
    modules: tuple[str, ...]

    @classmethod
    def here(cls) -> _Surroundings:
        """Those of this process."""
        # How many threads a process has is joblib's to say.
        variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        own = [module.__name__ for module in user_modules.find_user_modules() if user_modules.counts_as_whole(module)]
        return cls(tuple(sys.path), variables, "torch" in sys.modules, tuple(own))

    def take_over(self) -> None:
        """Have them in this process, and no others; one that trained for an earlier audit had those of that one."""
        sys.path[:] = self.path
        for name in {*os.environ} - {*self.variables}:
            if not name.endswith("_NUM_THREADS"):
                del os.environ[name]
        os.environ.update(self.variables)
        if self.torch:
            # A factory may import it inside, where it would be too late for its generators to be seeded.
            importlib.import_module("torch")

    def load(self) -> None:
        """Load what was loaded there, as far as it can be."""
        for name in self.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _sharing(
    names: Sequence[str], tasks: Sequence[LokyTask], sent: SentCode, data: Data, workers: int
) -> Generator[Trained, None, None]:
    with shared(names) as gpus, contextlib.closing(_results(tasks, sent, data, workers, gpus)) as results:
        yield from results


def _results(
    tasks: Sequence[LokyTask], sent: SentCode, data: Data, workers: int, gpus: Gpus | None
) -> Generator[Trained, None, None]:
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    # Records, and what all tasks have in common, travel outside of these, so that joblib shares what is large.
    calls = (joblib.delayed(_train)(task, sent, data, gpus) for task in tasks)
    results = joblib.Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered")(calls)
    try:
        for unit in results:
            if unit is None:
                _warn(
                    "their code reads a value that differs in other processes, such as a changed variable of a module"
                )
            yield from unit or ()
    except TerminatedWorkerError as error:
        raise ModelTrainingError(
            f"a worker process was ended while it trained a model, most likely because memory ran out; "
            f"train fewer models at the same time (--mia-jobs=1): {error}"
        ) from None
    except (PicklingError, BrokenProcessPool) as error:
        # A full disk, or records that can't be pickled, or unpickled. What is left is trained in this process.
        why = str(error.__cause__ or error).strip(' \n"').rpartition("\n")[2]
        _warn(f"the records can't be sent to other processes ({why})")
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*have been cancelled", UserWarning)
            results.close()


def _warn(why: str) -> None:
    # Under -W error this raises; the audit goes on all the same.
    with contextlib.suppress(MIAWarning):
        text = f"models are trained in this process, one at a time: {why}"
        warnings.warn(MIAWarning(text), stacklevel=2)


@dataclass(frozen=True)
class SentCode:
    """What the tasks of an audit have in common, besides the records.

    Attributes
    ----------
    code
        The user's code, pickled.
    name
        What it is with all values that it reads, or ``None`` where that can't be told.
    surroundings
        What it finds in the audit's process.
    audit
        The process that the workers work for.
    """

    code: npt.NDArray[np.uint8]
    name: str | None
    surroundings: _Surroundings
    audit: int

    def opened(self) -> tuple[Any, ...] | None:
        """The user's code; ``None`` where this process would train other models than the one that it works for."""
        found: tuple[Any, ...] = pickling.loads(self.code.tobytes())
        if sent_code.hash_sent_content(found) == self.name:
            return found
        self.surroundings.load()
        return found if sent_code.hash_sent_content(found) == self.name else None


@dataclass(frozen=True)
class LokyTask:
    """What one worker process is to train.

    Attributes
    ----------
    parcel
        The unit and the method, pickled without the user's code.
    name
        The name of that code, as its models' slots say it.
    """

    parcel: bytes
    name: str


def _train(task: LokyTask, sent: SentCode, data: Data, gpus: Gpus | None) -> list[Trained] | None:
    """The models of a unit; ``None`` where this process would train others than the one that it works for."""
    _end_with(sent.audit)
    sent.surroundings.take_over()
    with recorder.recording(task.name):
        code = sent.opened()
        if code is None:
            return None
        unit, method = pickling.loads(task.parcel, code)
    if gpus is None:
        return train_unit(unit, Training(data, method), wait=0.0)
    with gpus.one() as gpu, meant_by_cuda(gpu):
        try:
            return train_unit(unit, Training(data, replace(method, device=gpu)), wait=0.0)
        except MIAError as error:
            error.add_note(f"on {gpu}")
            raise
        finally:
            release()


@functools.cache
def _end_with(audit: int) -> None:
    """End this process soon after the one that it works for: a killed one can't end it, and nobody waits for models."""

    def watch() -> None:
        while os.getppid() == audit:
            time.sleep(LOOK)
        os._exit(1)

    if os.getppid() == audit:
        threading.Thread(target=watch, daemon=True).start()
