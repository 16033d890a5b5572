"""Several GPUs that share the models of an audit: here two that are the CPU, called cpu:0 and cpu:1."""

import contextlib
import dataclasses
import functools
import os
import time
from pathlib import Path

import numpy as np
import pytest
from torches import needs_torch, torch

from pytest_mia import ModelTrainingError, TorchTraining
from pytest_mia.data.records import Data
from pytest_mia.models.functions import FunctionTrainer, LossAsker
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.torch import tensors
from pytest_mia.training.backends import loky
from pytest_mia.training.backends.gpu_locks import Gpus, shared
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.batching import batch_jobs
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.training.train import train_all

nn = torch and torch.nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = np.arange(120) % 3
DATA = Data(X, Y, np.arange(3), Y)
METHOD = Method(TorchTraining(epochs=2, batch_size=16), None, None, "auto", 1)
BOTH = ("cpu:0", "cpu:1")
MEMBERS = [np.arange(120) % 60 < 20 + number for number in range(16)]


def network(*, audit, folder, alone):
    """Each worker trains its first model once the other one trains one too, and so both have to."""
    if os.getpid() != audit:
        Path(folder, str(os.getpid())).touch()
        end = time.monotonic() + 60
        while len(list(Path(folder).iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.01)
    layers = [nn.BatchNorm1d(8)] if alone else [nn.Dropout(0.2)]
    return nn.Sequential(nn.Linear(4, 8), *layers, nn.Linear(8, 3))


def failing(model, X, y):
    if len(X) == MEMBERS[2].sum():
        raise ZeroDivisionError("not this one")


def all_jobs(folder, *, alone):
    factory = functools.partial(network, audit=os.getpid(), folder=str(folder), alone=alone)
    jobs = [Job(number, 100 + number, factory, members) for number, members in enumerate(MEMBERS)]
    return batch_jobs(jobs, [FactoryProbe("", factory, (factory(), factory()))], DATA, METHOD)[0]


@pytest.fixture
def gpus(monkeypatch):
    there = tensors.devices_named

    def named(name):
        return [torch.device(gpu) for gpu in BOTH] if name == "auto" else there(name)

    monkeypatch.setattr(loky, "WORTH_A_GPU", 0.0)
    for module in (loky, tensors):
        monkeypatch.setattr(module, "devices_named", named)


@needs_torch
@pytest.mark.usefixtures("gpus")
def test_they_share_blocks_that_are_the_same_however_many_they_are():
    factory = functools.partial(nn.Linear, 4, 3)
    jobs = [Job(number, number, factory, MEMBERS[0]) for number in range(200)]
    jobs, _ = batch_jobs(jobs, [FactoryProbe("", factory, (factory(), factory()))], DATA, METHOD)
    blocks = [1, *[7] * 7, *[8] * 8, *[16] * 16, *[32] * 32, *[64] * 128, *[8] * 8]
    assert [len(job.batch) or 1 for job in jobs] == blocks


@needs_torch
@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize("alone", [False, True])
def test_both_train_and_figures_are_those_of_one(tmp_path, alone):
    jobs = all_jobs(tmp_path, alone=alone)
    assert any(job.batch for job in jobs) is not alone
    one, two = (train_all(jobs, DATA, METHOD, backend=backend) for backend in (None, Loky(8)))
    assert {model.device for model in one} == {"cpu:0"}
    assert {model.device for model in two} == set(BOTH)
    assert len(list(tmp_path.iterdir())) == 2
    for model, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(model.signals.confidence, other.signals.confidence)
    assert len({model.signals.confidence.tobytes() for model in one}) == len(jobs)


@needs_torch
@pytest.mark.usefixtures("gpus")
def test_an_error_on_one_of_them_names_the_model(tmp_path):
    method = dataclasses.replace(METHOD, training=failing)
    with pytest.raises(
        ModelTrainingError, match=r"model 2 \(seed 102\) could not be trained: .*not this one"
    ) as caught:
        train_all(all_jobs(tmp_path, alone=True), DATA, method, backend=Loky(8))
    assert caught.value.__notes__ in [[f"on {gpu}"] for gpu in BOTH]


@needs_torch
@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(("device", "workers", "suits"), [("auto", 2, True), ("auto", 1, False), ("cpu:1", 2, False)])
def test_all_of_them_only_where_they_are_meant_and_may_work_at_once(device, workers, suits):
    first = Trained(0, None, 1, "cpu:0", "", seconds=1.0)
    method = dataclasses.replace(METHOD, device=device)
    assert Loky(workers).suits([[(None, None)]] * 3, method, first) is suits


@needs_torch
def test_cuda_means_the_gpu_of_the_model_in_the_users_training(monkeypatch):
    meant = []

    @contextlib.contextmanager
    def device(name):
        meant.append(name)
        yield
        meant.pop()

    def train(model, X, y):
        seen.extend(meant)

    seen = []
    monkeypatch.setattr(torch.cuda, "device", device)
    adapter = Adapter(FunctionTrainer(train), LossAsker(lambda model, X, y: np.zeros(len(X))), "cuda:1")
    monkeypatch.setattr(Method, "adapter", lambda self, model, data: adapter)
    data = Data(X, Y, np.array([]), Y)
    train_all([Job(0, 0, functools.partial(nn.Linear, 4, 3), MEMBERS[0])], data, METHOD)
    assert (seen, meant) == (["cuda:1"], [])


class TestGpus:
    def test_each_is_used_by_one_at_a_time(self):
        with shared(BOTH) as gpus, contextlib.ExitStack() as held:
            first = held.enter_context(gpus.one())
            with gpus.one() as second:
                assert {first, second} == set(BOTH)
            with gpus.one() as again:
                assert again == second

    def test_a_worker_stays_with_its_own(self, monkeypatch):
        monkeypatch.setattr("pytest_mia.training.backends.gpu_locks._started", set())
        with shared(("a", "b", "c")) as gpus:
            with gpus.one(), gpus.one() as mine:
                pass
            monkeypatch.setattr("pytest_mia.training.backends.gpu_locks._started", {mine})
            with gpus.one() as again:
                assert again == mine == "b"

    def test_there_need_be_none(self):
        with shared(()) as gpus:
            assert gpus is None

    def test_nothing_is_left_behind(self):
        with shared(BOTH) as gpus, gpus.one():
            assert isinstance(gpus, Gpus)
            assert Path(gpus.folder).is_dir()
        assert not Path(gpus.folder).exists()
