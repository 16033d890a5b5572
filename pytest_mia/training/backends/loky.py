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

from pytest_mia.cache import content_key, file_reads, pickling, user_modules
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
        modules = pickling.test_modules()
        try:
            parcels = [pickling.dumps((unit, method, _name_of(unit, method)), modules) for unit in units]
        except Exception:
            # Pickling runs code of any kind, which may raise anything.
            return None
        release()
        gpus = _gpus(method, first)
        return _sharing(gpus, parcels, data, min(self.workers, len(units), len(gpus) or self.workers))

    def close(self) -> None:
        """Nothing: joblib keeps idle processes for the next audit, and ends them by itself."""


def connect(settings: Settings) -> Loky:
    """The processes that these settings allow."""
    return Loky(settings.workers)


def _gpus(method: Method, first: Trained) -> list[str]:
    """The GPUs that share models like the first one; none where it was trained on the CPU."""
    return [] if first.device == "cpu" else [str(device) for device in devices_named(method.device)]


def _name_of(unit: Unit, method: Method) -> str | None:
    """What the user's code of a unit is, with all values that it reads, or ``None`` where that can't be told."""
    return content_key.hash_sent_content(
        (unit[0][0].factory, method.training, method.predict, method.loss, method.augment)
    )


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
        own = [
            module.__name__
            for module in user_modules.find_user_modules([*sys.modules])
            if user_modules.counts_as_whole(module)
        ]
        return cls(tuple(sys.path), variables, "torch" in sys.modules, tuple(own))

    def take_over(self) -> None:
        """Have them in this process; one that trained for an earlier audit had others."""
        sys.path[:] = self.path
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
    names: Sequence[str], parcels: Sequence[bytes], data: Data, workers: int
) -> Generator[Trained, None, None]:
    with shared(names) as gpus, contextlib.closing(_results(parcels, data, workers, gpus)) as results:
        yield from results


def _results(parcels: Sequence[bytes], data: Data, workers: int, gpus: Gpus | None) -> Generator[Trained, None, None]:
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    here = _Surroundings.here()
    # Records travel outside of the parcels, so that joblib can share large arrays instead of copying them.
    calls = (joblib.delayed(_train)(LokyTask(parcel, os.getpid(), here, gpus), data) for parcel in parcels)
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
class LokyTask:
    """What one worker process is to train, besides the records.

    Attributes
    ----------
    parcel
        The unit, the method, and what the user's code is with all values that it reads, pickled.
    audit
        The process that the worker works for.
    surroundings
        What the user's code finds in that process.
    gpus
        The GPUs that the workers share; ``None`` where models are trained on the CPU.
    """

    parcel: bytes
    audit: int
    surroundings: _Surroundings
    gpus: Gpus | None


def _train(task: LokyTask, data: Data) -> list[Trained] | None:
    """The models of a unit; ``None`` where this process would train others than the one that it works for."""
    _end_with(task.audit)
    task.surroundings.take_over()
    with file_reads.recording():
        unit, method, name = pickling.loads(task.parcel)
        if name != _name_of(unit, method):
            task.surroundings.load()
            if name != _name_of(unit, method):
                return None
    if task.gpus is None:
        return train_unit(unit, Training(data, method), wait=0.0)
    with task.gpus.one() as gpu, meant_by_cuda(gpu):
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
