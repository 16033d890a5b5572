"""Training on a running Dask cluster."""

from __future__ import annotations

import importlib.util
import queue
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from importlib.machinery import ModuleSpec
from typing import Any

from pytest_mia.cache import pickling, sent_code
from pytest_mia.core.errors import MIAError, MIAUsageError, ModelTrainingError
from pytest_mia.core.settings import Settings
from pytest_mia.data.records import Data
from pytest_mia.models.torch.tensors import device_named
from pytest_mia.training.backends import dask_worker, worker_check
from pytest_mia.training.backends.dask_worker import Answered, WorkerTask
from pytest_mia.training.jobs import Job, Method, Slot, Trained, Unit

CONNECT = 5.0
"""Seconds to wait for the scheduler."""
WITHOUT_WORKERS = 60.0
"""Seconds to wait for a worker when all are gone."""
SENDS = 3
"""How often a model is sent when all workers that hold the records are lost with it."""


class Dask:
    """The workers of a Dask cluster, each of which trains one model at a time.

    Parameters
    ----------
    scheduler
        The address of the scheduler.
    at_once
        Models that are trained at the same time, at the most; ``None`` for as many as there are workers.
    """

    def __init__(self, scheduler: str, *, at_once: int | None) -> None:
        self._scheduler, self._at_once = scheduler, at_once
        self._client: Any = None
        self._records: tuple[Data, _Held] | None = None

    def check(self, jobs: Sequence[Job], method: Method) -> None:
        """Connect, and have every worker see whether it would train the same models as this process.

        Raises
        ------
        MIAUsageError
            When the scheduler can't be reached or has no workers, or when a worker lacks something or differs.
        """
        if self._client is None:
            self._client = self._connected()
        # What a worker can't unpickle would be no answer at all, so it is asked for this package first.
        found = self._client.run(importlib.util.find_spec, "pytest_mia", on_error="return")
        if not found:
            raise MIAUsageError(
                f"the Dask scheduler at {self._scheduler} has no workers; "
                f"start some: dask worker {self._scheduler} --nworkers=-1 --nthreads=1"
            )
        able = [worker for worker, spec in found.items() if isinstance(spec, ModuleSpec)]
        parcel = _parcel(_distinct(jobs)[1], method)
        told = dict.fromkeys({*found} - {*able}, ("has no pytest-mia: install the same version as here",))
        told |= self._client.run(dask_worker.look, parcel, workers=able, on_error="return") if able else {}
        problems = [f"worker {worker} {problem}" for worker, answer in told.items() for problem in _problems(answer)]
        if problems:
            raise MIAUsageError(problems)

    def suits(self, units: Sequence[Unit], method: Method, first: Trained) -> bool:  # noqa: ARG002 - as asked for
        """Always, if there are any."""
        return bool(units)

    def train(
        self,
        units: Sequence[Unit],
        data: Data,
        method: Method,
        first: Trained,  # noqa: ARG002 - the cluster tells
    ) -> Generator[Trained, None, None]:
        """Start to train, each model alone; see `Backend`."""
        jobs = [each for unit in units for each in unit]
        if self._client is None:
            self.check([job for job, _ in jobs], method)
        if self._records is None or self._records[0] is not data:
            self._records = data, _Held(self._client, _pickled(data, "mia_dataset"))
        training = _Training(self._client, self._records[1], [job for job, _ in jobs], method)
        return training.results(jobs, self._at_once or len(jobs))

    def close(self) -> None:
        """Leave the cluster, which forgets all that it was sent."""
        if self._client is not None:
            self._client.close()

    def _connected(self) -> Any:
        try:
            from distributed import Client
        except ImportError as error:
            raise MIAUsageError(f"backend dask needs Dask's scheduler ({error}): pip install distributed") from None
        try:
            return _made(Client, self._scheduler, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise MIAUsageError(
                f"no Dask scheduler answers at {self._scheduler} within {CONNECT:g} s; "
                f"is it running, and can this machine reach it? ({error})"
            ) from None


def connect(settings: Settings) -> Dask:
    """The cluster that these settings name."""
    assert settings.scheduler is not None, "settings that contradict each other are refused earlier"
    return Dask(settings.scheduler, at_once=settings.jobs)


def _made(kind: Any, *given: Any, **named: Any) -> Any:
    """A client; one that can't connect is closed at once.

    Left to the garbage collector, it might be closed while another one starts, which holds the lock that closing takes:
    the process would wait for itself.
    """
    client = kind.__new__(kind)
    try:
        client.__init__(*given, **named)
    except BaseException:
        client.__del__()
        raise
    return client


class _Held:
    """A value that every worker holds: sent to each of them once, and again when all that held it are lost.

    Attributes
    ----------
    future
        Stands for it in tasks.
    """

    def __init__(self, client: Any, value: Any) -> None:
        self._client, self._value = client, value
        self.send()

    def send(self) -> None:
        """Send it to all workers, of which at least one comes soon.

        Raises
        ------
        ModelTrainingError
            When none does.
        """
        _check_running(self._client)
        try:
            self._client.wait_for_workers(1, timeout=WITHOUT_WORKERS)
            # Not by content: two audits on one cluster would take it away from each other.
            self.future = self._client.scatter(self._value, broadcast=True, hash=False)
        except (OSError, TimeoutError):
            _check_running(self._client)
            raise _deserted(self._client) from None


class _Training:
    """Models that are being trained on a cluster."""

    def __init__(self, client: Any, records: _Held, jobs: Sequence[Job], method: Method) -> None:
        self._client = client
        self._places, factories = _distinct(jobs)
        self._held = (records, _Held(client, _parcel(factories, method)))
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: dict[str, tuple[Any, list[Any], Job, Slot]] = {}
        self._sends: Counter[int] = Counter()

    def results(self, jobs: Sequence[tuple[Job, Slot]], at_once: int) -> Generator[Trained, None, None]:
        """The models in the order in which they are done."""
        left = deque(jobs)
        try:
            while left or self._waiting:
                while left and len(self._waiting) < at_once:
                    self._send(*left.popleft())
                future, held, job, slot = self._waiting.pop(self._next())
                answer = self._answer(future, job)
                if answer is None:
                    self._renew(held)
                    left.appendleft((job, slot))
                    continue
                yield _kept(answer, slot)
        finally:
            for future, *_ in self._waiting.values():
                future.release()

    def _send(self, job: Job, slot: Slot) -> None:
        self._sends[job.number] += 1
        if self._sends[job.number] > SENDS:
            raise ModelTrainingError(
                f"{_named(job)} was lost {SENDS} times together with all Dask workers; check whether their "
                "memory runs out"
            )
        held = [each.future for each in self._held]
        future = self._client.submit(
            dask_worker.train,
            *held,
            job.number,
            job.seed,
            self._places[job.number],
            job.members,
            pure=False,
        )
        self._waiting[future.key] = future, held, job, slot
        future.add_done_callback(self._done.put)

    def _next(self) -> str:
        """The key of the next task that is done, failed or lost."""
        alive = time.monotonic()
        while True:
            try:
                key: str = self._done.get(timeout=1.0).key
            except queue.Empty:
                _check_running(self._client)
                if self._client.nthreads():
                    alive = time.monotonic()
                elif time.monotonic() - alive > WITHOUT_WORKERS:
                    raise _deserted(self._client) from None
            else:
                return key

    def _answer(self, future: Any, job: Job) -> Answered | None:
        """What a worker answered; ``None`` when it was lost."""
        from distributed import KilledWorker

        try:
            answer: Answered = future.result()
        except CancelledError:
            return None
        except KilledWorker as error:
            raise ModelTrainingError(
                f"{_named(job)} could not be trained: each worker that tried died, most likely because its memory "
                f"ran out ({error})"
            ) from None
        except MIAError:
            raise
        except Exception as error:
            raise ModelTrainingError(
                f"{_named(job)} could not be trained by a Dask worker: {type(error).__name__}: {error}"
            ) from error
        return answer

    def _renew(self, held: list[Any]) -> None:
        """Send once more what a lost task needed, unless that was done since."""
        if held == [each.future for each in self._held]:
            for each in self._held:
                each.send()


def _check_running(client: Any) -> None:
    if client.status != "running":
        raise ModelTrainingError(f"the Dask scheduler at {_address(client)} was lost while models were trained")


def _deserted(client: Any) -> ModelTrainingError:
    return ModelTrainingError(
        f"the Dask scheduler at {_address(client)} has had no workers for {WITHOUT_WORKERS:g} s; are they running?"
    )


def _address(client: Any) -> str:
    return str(client.scheduler.address)


def _parcel(factories: Sequence[Callable[[], Any]], method: Method) -> WorkerTask:
    torch = ("torch",) if "torch" in sys.modules else ()
    # Here "auto" may be another device than there.
    device = str(device_named(method.device)) if torch else method.device
    sent = replace(method, device=device), tuple(factories)
    code = _pickled(sent, "the model factory and its functions")
    return WorkerTask(worker_check.here(device), torch, code, sent_code.hash_sent_content(sent))


def _pickled(value: Any, what: str) -> bytes:
    try:
        return pickling.dumps(value, pickling.test_modules())
    except Exception as error:
        # Pickling runs code of any kind, which may raise anything.
        raise MIAUsageError(
            f"{what} can't be sent to Dask workers ({type(error).__name__}: {error}); "
            "make what it refers to picklable, or train on this machine (--mia-backend=loky)"
        ) from None


def _distinct(jobs: Sequence[Job]) -> tuple[dict[int, int], list[Callable[[], Any]]]:
    """The place of each job's factory among the distinct ones, and those."""
    factories = list({id(job.factory): job.factory for job in jobs}.values())
    places = {id(factory): place for place, factory in enumerate(factories)}
    return {job.number: places[id(job.factory)] for job in jobs}, factories


def _problems(told: Any) -> tuple[str, ...]:
    """What a worker's answer says: its own words, or the error that kept it from answering."""
    if isinstance(told, tuple):
        return told
    return (f"could not be asked what it has installed: {type(told).__name__}: {told}",)


def _kept(answered: Answered, slot: Slot) -> Trained:
    """A worker's model, kept on this machine, where its slot is; or the one that another process kept before."""
    with slot.claim(wait=0.0) as held:
        if not held:
            return answered.trained
        before = slot.load()
        if before is None:
            with slot.watch() as watch:
                watch.elsewhere, watch.doubt = answered.trace, answered.doubt
            slot.save(answered.trained, watch)
    return before or answered.trained


def _named(job: Job) -> str:
    return f"model {job.number} (seed {job.seed})"
