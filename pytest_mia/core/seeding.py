"""One audit seed, from which every random choice derives; the user's own generators and threads stay as they were."""

from __future__ import annotations

import functools
import random
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np


def _sequence(seed: int, purpose: str, number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(zlib.crc32(purpose.encode()), number))


def seed_for(seed: int, purpose: str, number: int = 0) -> int:
    """Derive a 32-bit seed that depends on nothing but its arguments.

    Parameters
    ----------
    seed
        The audit's one seed, or a seed derived from it.
    purpose
        What the seed is for, such as ``"model"``; different purposes are independent of each other.
    number
        Which one of them, such as the model's number: model 3 has the same seed among 4 models and among 64.

    Returns
    -------
    int
        From 0 to 2**32 - 1.
    """
    return int(_sequence(seed, purpose, number).generate_state(1)[0])


def generator_for(seed: int, purpose: str, number: int = 0) -> np.random.Generator:
    """Derive a generator of random numbers; the arguments are those of `seed_for`."""
    return np.random.default_rng(_sequence(seed, purpose, number))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set the global generators of Python, numpy and torch to `seed`, and put them back afterwards.

    Torch's are set on every device, when torch has been imported. Global generators belong to the whole process: two
    threads can't hold different seeds at the same time.

    Parameters
    ----------
    seed
        From 0 to 2**32 - 1.
    """
    with ExitStack() as restored:
        restored.callback(random.setstate, random.getstate())
        random.seed(seed)
        restored.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
        np.random.seed(seed)  # noqa: NPY002
        if "torch" in sys.modules:
            _seed_torch(sys.modules["torch"], seed, restored)
        yield


def _seed_torch(torch: Any, seed: int, restored: ExitStack) -> None:
    restored.callback(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_available():
        if torch.cuda.is_initialized():
            restored.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        else:
            # Reading the state would start CUDA in this process. Until it starts, its generators are due to begin with
            # the seed of the CPU's.
            restored.callback(torch.cuda.manual_seed_all, torch.initial_seed())
    if torch.backends.mps.is_available():
        restored.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
    # For each kind of device that isn't there, `manual_seed` notes all calls that led to it, which takes milliseconds.
    (torch if _has_devices(torch) else torch.default_generator).manual_seed(seed)


def _has_devices(torch: Any) -> bool:
    """Whether there is any device beside the CPU, or too old a torch to tell."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return True
    return not hasattr(torch, "accelerator") or bool(torch.accelerator.is_available())


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit BLAS, OpenMP and torch to one thread each, and put the limits back afterwards.

    Sums are rounded differently on another number of threads: with one thread, figures are the same bit for bit however
    many models are trained beside each other. Like `seeded`, it is meant for one thread of a process at a time.
    """
    with ExitStack() as restored:
        if "torch" in sys.modules:
            torch = sys.modules["torch"]
            restored.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        restored.enter_context(_loaded_pools(len(sys.modules), next(reversed(sys.modules))).limit(limits=1))
        yield


@functools.lru_cache(maxsize=1)
def _loaded_pools(_modules: int, _latest: str) -> Any:
    """The loaded libraries that have threads; to look for them takes milliseconds, and only imports load others."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
