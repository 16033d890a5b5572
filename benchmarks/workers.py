"""How training scales over the cores of this machine: forests on Location-30, in 1 process and in several.

    python benchmarks/workers.py [--data ../shared/data/location30.npz] [--workers 2] [--models 8] [--rounds 3]

Each round trains the same models once with each number of processes, in turn, so that all of them meet the same load;
processes are started, and have imported what they need, before the clock runs. Prints the medians of the time by the
clock and of the processor time of all processes, with the efficiency by each (1 is linear; the clock can tell it only
if the machine does nothing else), and which kinds of records the workers share.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import psutil
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier

from pytest_mia.core.seeding import seed_for
from pytest_mia.data.containers import is_sparse
from pytest_mia.data.memberships import draw_halves
from pytest_mia.data.records import Data
from pytest_mia.models.signals import Signals
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.jobs import UNCACHED, Job, Method, Trained

METHOD = Method(None, None, None, "cpu", 1)
FIRST = Trained(0, Signals(), 1, "cpu", "")


def jobs(factory: Callable[[], Any], labels: np.ndarray, models: int) -> list[Job]:
    """Models on random halves, as an audit trains them."""
    halves = draw_halves(labels, models=models, seed=0)
    return [Job(number, seed_for(0, "model", number), factory, half) for number, half in enumerate(halves)]


def seconds(data: Data, models: int, workers: int) -> float:
    """What it takes to train in so many processes, one process included."""
    work = jobs(RandomForestClassifier, data.labels, models)
    start = time.perf_counter()
    done = Loky(workers).train([[(job, UNCACHED)] for job in work], data, METHOD, FIRST)
    assert done is not None
    assert len(list(done)) == models
    return time.perf_counter() - start


def processor() -> float:
    """Seconds of processor time that this process and its workers have used so far."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def is_mapped(array: Any) -> bool:
    """Whether an array lies in a file that processes share."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def is_shared(X: Any) -> bool:
    """Whether records as a worker has them lie in memory that all workers share."""
    if isinstance(X, pd.DataFrame):
        return is_mapped(X.to_numpy())
    return is_mapped(X.data if is_sparse(X) else X)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data/location30.npz")
    parser.add_argument("--workers", type=int, default=joblib.cpu_count())
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with np.load(given.data) as file:
        X, y = file["X"], file["y"]
    classes, labels = np.unique(y, return_inverse=True)
    data, counts = Data(X, labels, np.arange(len(classes)), labels), [1, given.workers]
    for workers in counts:
        seconds(data, workers, workers)
    taken: dict[int, list[float]] = {workers: [] for workers in counts}
    used: dict[int, list[float]] = {workers: [] for workers in counts}
    for _ in range(given.rounds):
        for workers in counts:
            seconds(data, workers, workers)
            before = processor()
            taken[workers].append(seconds(data, given.models, workers))
            used[workers].append(processor() - before)
    print("| processes | s for all models | efficiency | processor s for all models | efficiency by these |")
    print("|---|---|---|---|---|")
    for workers in counts:
        by_clock, by_processor = (statistics.median(each[workers]) for each in (taken, used))
        efficiency = statistics.median(taken[1]) / by_clock / workers, statistics.median(used[1]) / by_processor
        print(f"| {workers} | {by_clock:.1f} | {efficiency[0]:.2f} | {by_processor:.1f} | {efficiency[1]:.2f} |")
    print("\n| records | shared by the workers |\n|---|---|")
    many = np.tile(X, (10, 1))
    for name, records in (("array", many), ("sparse", sparse.csr_array(many)), ("DataFrame", pd.DataFrame(many))):
        (shared,) = joblib.Parallel(n_jobs=2)([joblib.delayed(is_shared)(records)])
        print(f"| {name} | {'yes' if shared else 'no: a copy for each model'} |")


if __name__ == "__main__":
    main()
