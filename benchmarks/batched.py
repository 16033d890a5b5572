"""Many torch networks trained as one against the one-by-one loop, side by side in one process.

    python benchmarks/batched.py [--models N] [--threads 1] [--runs 5] [--epochs 20] [--cases 5]
    python benchmarks/batched.py --device cpu|cuda [...]
    python benchmarks/batched.py --workers 2 [--models 64] [--runs 5] [--epochs 20]

Each run trains the same networks both ways, in turns, on halves of generated records whose sizes differ a little, as
stratified halves do: 16 of them on the CPU, and 64 on a GPU where there is one. Prints medians of seconds, and the
median of the runs' ratios. On a machine with other work the ratio of processor time says more than that of the clock.
Where there are several GPUs, the last table is of audits whose models are trained one by one, on one GPU and on all.
With `--workers`, the models are those of an audit of the first network, trained by that many processes of the CPU.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

from pytest_mia.data.records import Data
from pytest_mia.models.torch.batch_schedule import Learner
from pytest_mia.models.torch.batched import train_many
from pytest_mia.models.torch.loop import train
from pytest_mia.models.torch.module import TorchTraining
from pytest_mia.training import batching
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import train_all

MEMBERS, SPREAD = 2505, 3
MODELS_ON_CPU, MODELS_ON_GPU = 16, 64
HEAD = "| network | models | one by one | as one | ratio | ratio of processor time |\n|---|---|---|---|---|---|"


class Case(NamedTuple):
    """A network, by the widths of its layers, and its batches."""

    widths: tuple[int, ...]
    batch_size: int = 64
    optimizer: str = "adam"


CASES = (
    Case((446, 128, 30)),
    Case((446, 128, 30), optimizer="sgd"),
    Case((30, 64, 2)),
    Case((784, 128, 10)),
    Case((100, 100, 100, 100, 10)),
)


def network(widths: tuple[int, ...]) -> torch.nn.Module:
    """Dense layers with ReLU between them."""
    layers: list[torch.nn.Module] = []
    for before, after in pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def learners(case: Case, models: int, records: int) -> list[Learner]:
    """Fresh networks, each with its own half."""
    rng = np.random.default_rng(0)
    sizes = MEMBERS + rng.integers(-SPREAD, SPREAD + 1, models)
    halves = [np.sort(rng.choice(records, size, replace=False)) for size in sizes]
    return [Learner(network(case.widths), half, seed) for seed, half in enumerate(halves)]


def normalised_network() -> torch.nn.Module:
    """The first network with batch normalisation, so that it is trained one by one."""
    before, within, after = CASES[0].widths
    norm = torch.nn.BatchNorm1d(within)
    return torch.nn.Sequential(torch.nn.Linear(before, within), norm, torch.nn.ReLU(), torch.nn.Linear(within, after))


def timed(work: Callable[[], object]) -> np.ndarray:
    """Seconds by the clock and of the processor."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    clock, processor = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return np.array([time.perf_counter() - clock, time.process_time() - processor])


def measure(case: Case, models: int, epochs: int, runs: int, device: torch.device) -> str:
    """One row of the table."""
    X = torch.randn(2 * MEMBERS + 2 * SPREAD, case.widths[0])
    y = torch.randint(case.widths[-1], (len(X),))
    settings = TorchTraining(epochs=epochs, batch_size=case.batch_size, optimizer=case.optimizer)

    def one_by_one() -> None:
        for one in learners(case, models, len(X)):
            module = one.module.to(device)
            train(module, X[one.members], y[one.members], settings, seed=one.seed, device=device)

    def batched() -> None:
        train_many(learners(case, models, len(X)), X, y, settings, device=device)

    pairs = [(timed(one_by_one), timed(batched)) for _ in range(runs + 1)][1:]
    seconds = [median(pair[way][0] for pair in pairs) for way in (0, 1)]
    ratios = [median(one[kind] / other[kind] for one, other in pairs) for kind in (0, 1)]
    name = f"{'-'.join(map(str, case.widths))}, batch {case.batch_size}, {case.optimizer}"
    return f"| {name} | {models} | {seconds[0]:.2f} s | {seconds[1]:.2f} s | {ratios[0]:.2f} | {ratios[1]:.2f} |"


class Audit(NamedTuple):
    """The models of an audit."""

    jobs: Sequence[Job]
    data: Data
    method: Method

    @classmethod
    def of(cls, factory: Callable[[], torch.nn.Module], models: int, epochs: int, device: str) -> Audit:
        """Models of this factory, each alone."""
        rng = np.random.default_rng(0)
        X, labels = rng.normal(size=(2 * MEMBERS, CASES[0].widths[0])).astype(np.float32), np.arange(2 * MEMBERS) % 30
        jobs = [Job(number, number, factory, rng.random(len(X)) < 0.5) for number in range(models)]
        return cls(
            jobs,
            Data(X, labels, np.arange(30), labels),
            Method(TorchTraining(epochs=epochs), None, None, device, 1),
        )

    def in_company(self) -> Audit:
        """The same models, trained as one where that is faster."""
        factory = self.jobs[0].factory
        tried = [FactoryProbe("", factory, (factory(), factory()))]
        return self._replace(jobs=batching.batch_jobs(self.jobs, tried, self.data, self.method)[0])

    def seconds(self, workers: int) -> float:
        """What it takes to train them all, by the clock."""
        return float(timed(lambda: train_all(self.jobs, self.data, self.method, backend=Loky(workers)))[0])


def measure_audit(models: int, workers: int, epochs: int, runs: int) -> str:
    """One row of the table of whole audits' training."""
    alone = Audit.of(functools.partial(network, CASES[0].widths), models, epochs, "cpu")
    joined = alone.in_company()
    pairs = [(alone.seconds(workers), joined.seconds(workers)) for _ in range(runs + 1)][1:]
    return f"| 446-128-30, {workers} workers | {models} | {_times_and_ratio(pairs)} | |"


def measure_gpus(models: int, gpus: int, epochs: int, runs: int) -> str:
    """One row of the table of several GPUs; the run that isn't counted starts CUDA in each process."""
    audit = Audit.of(normalised_network, models, epochs, "cuda")
    pairs = [(audit.seconds(1), audit.seconds(gpus)) for _ in range(runs + 1)][1:]
    return f"| 446-128-30, batch normalisation, {gpus} GPUs | {models} | {_times_and_ratio(pairs)} |"


def _times_and_ratio(pairs: Sequence[tuple[float, float]]) -> str:
    one, other = (median(pair[way] for pair in pairs) for way in (0, 1))
    return f"{one:.2f} s | {other:.2f} s | {median(one / other for one, other in pairs):.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), help="that one alone")
    parser.add_argument("--models", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many, the first ones")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.workers:
        print(HEAD)
        print(measure_audit(given.models or MODELS_ON_GPU, given.workers, given.epochs, given.runs))
        return
    if given.device != "cuda":
        _print_cases(torch.device("cpu"), given.models or MODELS_ON_CPU, given)
    if given.device != "cpu":
        _print_gpus(given.models or MODELS_ON_GPU, given)


def _print_cases(device: torch.device, models: int, given: argparse.Namespace) -> None:
    print(HEAD)
    for case in CASES[: given.cases]:
        print(measure(case, models, given.epochs, given.runs, device), flush=True)


def _print_gpus(models: int, given: argparse.Namespace) -> None:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not gpus:
        print("\nno GPU here: left out")
        return
    print(f"\non {torch.cuda.get_device_name(0)}:\n")
    _print_cases(torch.device("cuda:0"), models, given)
    if gpus == 1:
        print("\none GPU here: several are left out")
        return
    print("\n| network | models | one GPU | all GPUs | ratio |\n|---|---|---|---|---|", flush=True)
    print(measure_gpus(models, gpus, given.epochs, given.runs))


if __name__ == "__main__":
    main()
