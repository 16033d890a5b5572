# ruff: noqa: NPY002 - these tests are about the legacy generators
import random
import subprocess
import sys

import numpy as np
import pytest
import threadpoolctl
from threadpoolctl import threadpool_info, threadpool_limits
from torches import generator_state, needs_torch, torch

from pytest_mia.core.seeding import generator_for, seed_for, seeded, single_threaded


def draws():
    return random.random(), np.random.random(), *([torch.rand(1).item()] if torch else [])


def states():
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), (kind, keys.tolist(), *rest), generator_state()


def test_seeds_are_stable_over_versions_and_machines():
    assert [seed_for(0, "model", number) for number in range(3)] == [1951678919, 2394051191, 1311513986]


def test_seeds_differ_by_seed_purpose_and_number():
    seeds = {
        seed_for(seed, purpose, number) for seed in (0, 1) for purpose in ("model", "half") for number in range(50)
    }
    assert len(seeds) == 200
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_generators_follow_the_seed():
    first, again, other = (generator_for(0, "half", number).random(4).tolist() for number in (5, 5, 6))
    assert first == again
    assert first != other


def test_seeded_repeats_itself_and_restores_every_generator():
    before = states()
    with seeded(7):
        first = draws()
    with seeded(7):
        again = draws()
    with seeded(8):
        other = draws()
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))
    assert states() == before


def test_seeded_restores_after_an_exception():
    before = states()
    with pytest.raises(ZeroDivisionError), seeded(7):
        raise ZeroDivisionError(draws())
    assert states() == before


def test_seeded_within_seeded_goes_on_where_it_was():
    with seeded(7):
        with seeded(8):
            draws()
        inner = draws()
    with seeded(7):
        assert draws() == inner


def test_restores_a_pending_gaussian():
    np.random.normal()
    with seeded(7):
        np.random.normal()
        np.random.normal()
    after = np.random.get_state()
    assert after[3] == 1


def test_torch_is_not_imported_for_its_own_sake():
    code = (
        "import sys; from pytest_mia.core.seeding import *; "
        "exec('with seeded(1), single_threaded(): pass'); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_single_threaded_limits_and_restores():
    with threadpool_limits(2):
        before = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
        with single_threaded():
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()] == before


@needs_torch
def test_single_threaded_limits_and_restores_torch():
    torch.set_num_threads(2)
    with single_threaded():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_libraries_that_are_loaded_later_are_limited_too(monkeypatch):
    """They come with a module; to look for them at every call would take longer than to train a small model."""
    looked, look = [], threadpoolctl.ThreadpoolController
    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", lambda: looked.append("once") or look())
    monkeypatch.setitem(sys.modules, "a_library_with_threads", threadpoolctl)
    for _ in range(2):
        with single_threaded():
            assert looked == ["once"]


class Device:
    """A stand-in for torch.cuda on a machine with a GPU."""

    def __init__(self, started):
        self.started, self.state = started, "user's"

    def is_available(self):
        return True

    def is_initialized(self):
        return self.started

    def get_rng_state_all(self):
        assert self.started, "reading the state starts CUDA"
        return self.state

    def set_rng_state_all(self, state):
        self.state = state

    def manual_seed_all(self, seed):
        self.state = f"seed {seed}"


@needs_torch
@pytest.mark.parametrize("other", [True, False])
def test_torch_draws_as_after_its_own_seed_whatever_devices_there_are(monkeypatch, other):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: other)
    with seeded(7):
        found = torch.rand(3)
        assert torch.initial_seed() == 7
    assert (found == torch.rand(3, generator=torch.Generator().manual_seed(7))).all()


@needs_torch
@pytest.mark.parametrize(("started", "after"), [(True, "user's"), (False, "seed 5")])
def test_the_gpus_generators_are_put_back(monkeypatch, started, after):
    gpu = Device(started)
    monkeypatch.setattr(torch, "cuda", gpu)
    monkeypatch.setattr(torch, "manual_seed", gpu.manual_seed_all)
    monkeypatch.setattr(torch, "initial_seed", lambda: 5)
    with seeded(7):
        assert gpu.state == "seed 7"
    assert gpu.state == after
