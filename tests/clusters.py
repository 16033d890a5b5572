"""A real Dask cluster on this machine, each of its processes started by itself so that a test can kill it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import warm

PATIENCE = 30.0
QUIET = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
"""Nobody reads profiles of these workers, which take as much time as all else that an idle one does."""


@dataclass
class Cluster:
    """A scheduler and its workers, whose files lie in `folder`."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return json.loads((self.folder / "scheduler.json").read_text())["address"]

    def start_scheduler(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start the scheduler, and wait until it listens."""
        process = self._start("scheduler", "--port=0", "--no-dashboard", **environment)
        waited_for(lambda: (self.folder / "scheduler.json").exists() and self.address)
        return process

    def start_worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny: a worker that is killed stays away. Its folder is empty."""
        self.folder.joinpath("work").mkdir(exist_ok=True)
        return self._start("worker", "--no-nanny", "--no-dashboard", "--nthreads=2", *options, **environment)

    def start_workers(self, number: int, **environment: str) -> list[subprocess.Popen[bytes]]:
        """Start so many workers, and wait until they are there."""
        workers = [self.start_worker(**environment) for _ in range(number)]
        self.wait_for_workers(number)
        return workers

    def wait_for_workers(self, number: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=PATIENCE)

    def dismiss_workers(self) -> None:
        """End all workers, and wait until the scheduler knows of none."""
        from distributed import Client

        _end(self.processes[1:])
        del self.processes[1:]
        with Client(self.address, set_as_default=False) as client:
            waited_for(lambda: not client.nthreads())

    def stop(self) -> None:
        """End what is left of it."""
        _end(self.processes)

    def _start(self, kind: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [warm.executable(), "-m", f"distributed.cli.dask_{kind}", "--host=127.0.0.1"]
        log = (self.folder / f"{kind}{len(self.processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [*command, f"--scheduler-file={self.folder / 'scheduler.json'}", *options],
                cwd=self.folder / "work" if kind == "worker" else self.folder,
                env=os.environ | QUIET | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running(folder: Path, **environment: str) -> Iterator[Cluster]:
    """A cluster that has a scheduler and no workers yet; all of it ends with the block."""
    cluster = Cluster(folder)
    try:
        cluster.start_scheduler(**environment)
        yield cluster
    finally:
        cluster.stop()


def waited_for(condition):
    """The first true answer of `condition`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            if found := condition():
                return found
        time.sleep(0.05)
    raise TimeoutError("the cluster did not start")
