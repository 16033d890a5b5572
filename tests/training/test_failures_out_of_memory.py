"""Models that don't fit into a GPU: here a GPU that is the CPU, called cpu:0, whose memory is said to have run out."""

import functools
import weakref
from dataclasses import replace

import joblib
import numpy as np
import pytest
from torches import needs_torch, torch

import pytest_mia
from pytest_mia import ModelTrainingError, TorchTraining
from pytest_mia.cache import patches
from pytest_mia.data.records import Data
from pytest_mia.models.torch import batched, module, tensors
from pytest_mia.models.torch.cuda import memory_ran_out
from pytest_mia.training.batching import batch_jobs
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.failures import attempts
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import train_all

nn = torch and torch.nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = np.arange(120) % 3
DATA = Data(X, Y, np.arange(3), Y)
TRAINING = TorchTraining(epochs=4, batch_size=16, lr=0.01)
METHOD = Method(TRAINING, None, None, "auto", 1)
RAN_OUT = "CUDA out of memory. Tried to allocate 2.00 GiB"


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()


def picture_network():
    return nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3)).double()


class Tensor:
    """It can be seen whether somebody still holds it."""


@pytest.fixture
def gpu(monkeypatch):
    there = tensors.devices_named
    monkeypatch.setattr(
        tensors, "devices_named", lambda name: [torch.device("cpu:0")] if name == "auto" else there(name)
    )


@pytest.fixture
def full(gpu, monkeypatch):
    """Have a function of a module find no memory where it is told to work on the GPU."""
    # A function of a test in the place of one of torch's, or of ours, would be another recipe.
    monkeypatch.setattr(patches, "find_patches", dict)

    def fill(place, name):
        function, held = getattr(place, name), []

        @functools.wraps(function)
        def filled(*given, **named):
            assert not any(each() for each in held), "what was on the GPU stays there"
            if any(isinstance(value, torch.device) and value.index == 0 for value in (*given, *named.values())):
                tensor = Tensor()
                held.append(weakref.ref(tensor))
                raise torch.cuda.OutOfMemoryError(f"{RAN_OUT}. GPU 0 has a total capacity of 2 GiB.\nSee documentation")
            return function(*given, **named)

        monkeypatch.setattr(place, name, filled)
        return held

    return fill


@needs_torch
@pytest.mark.parametrize("name", ["train", "forward"])
def test_an_audit_goes_on_on_the_cpu_from_the_first_model_on(full, name, tmp_path):
    def audited(device):
        how = {"training": TRAINING, "attacks": ["loss"], "jobs": 1, "device": device, "cache_dir": tmp_path}
        return pytest_mia.audit(picture_network, (X, Y), **how)

    expected = audited("cpu")
    tries = full(module, name)
    found = audited("auto")
    assert f"models that the GPU has no room for were run on the CPU: {RAN_OUT}" in found.notes
    assert (found.device, found.advantage) == ("cpu", expected.advantage)
    assert (found.cache.hits, audited("auto").cache.hits) == (7, 8), "the others are those of the CPU; and all are kept"
    # Before all training, where a model is only looked at, and with the first one.
    assert len(tries) == (3 if name == "forward" else 1)


@needs_torch
def test_a_released_model_is_asked_on_the_cpu(full):
    training, other = np.arange(0, 60), np.arange(60, 120)
    target = pytest_mia.Target(
        picture_network().eval(), members=(X[training], Y[training]), nonmembers=(X[other], Y[other])
    )
    full(module, "forward")
    found = pytest_mia.audit(None, (X, Y), target=target, shadows=0, attacks=["gap"], device="auto")
    assert found.notes[0] == f"models that the GPU has no room for were run on the CPU: {RAN_OUT}"


@needs_torch
@pytest.mark.usefixtures("gpu")
def test_half_as_many_are_trained_as_one_until_they_fit(monkeypatch):
    tries, held, train_many = [], [], batched.train_many

    def small(learners, *given, **named):
        assert not any(each() for each in held), "what was on the GPU stays there"
        tries.append(len(learners))
        if len(learners) > 2:
            tensor = Tensor()
            held.append(weakref.ref(tensor))
            raise torch.cuda.OutOfMemoryError(RAN_OUT)
        train_many(learners, *given, **named)

    monkeypatch.setattr(batched, "train_many", small)
    alone = [Job(number, number, network, RNG.random(120) < 0.5) for number in range(8)]
    jobs, _ = batch_jobs(alone, [FactoryProbe("", network, (network(), network()))], DATA, METHOD)
    found, expected = train_all(jobs, DATA, METHOD), train_all(alone, DATA, METHOD)
    assert tries == [7, 4, 2, 2, 3, 2]
    assert {one.alone for one in found[1:]} == {
        "no more than 2 models are trained as one: the GPU has no room for more"
    }
    for one, other in zip(found, expected, strict=True):
        assert one.signals.confidence == pytest.approx(other.signals.confidence, abs=1e-8)


@needs_torch
def test_what_fails_on_the_cpu_too_is_an_error_that_names_the_model(monkeypatch):
    def train(model, X, y):
        raise torch.cuda.OutOfMemoryError(RAN_OUT)

    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    with pytest.raises(ModelTrainingError, match=r"model 0 \(seed \d+\) could not be trained: OutOfMemoryError: CUDA"):
        pytest_mia.audit(network, (X, Y), training=train, device="cpu")


def attempted(work, method):
    for attempt in attempts(method):
        with attempt:
            work(attempt.method)


def test_other_errors_are_no_reason_to_try_again():
    tries = []

    def work(method):
        tries.append(method.device)
        raise ValueError("out of memory")

    with pytest.raises(ValueError, match="out of memory"):
        attempted(work, METHOD)
    assert tries == ["auto"]


def test_whoever_fits_stays():
    tries = []
    for attempt in attempts(METHOD):
        with attempt:
            tries.append((attempt.method, attempt.moved))
    assert tries == [(METHOD, "")]


@needs_torch
def test_a_second_attempt_is_made_on_the_cpu_and_says_why():
    tries = []
    for attempt in attempts(METHOD):
        with attempt:
            tries.append((attempt.method.device, attempt.moved))
            if attempt.method.device != "cpu":
                raise torch.cuda.OutOfMemoryError(f"{RAN_OUT}. GPU 0 is full. See documentation")
    assert tries == [("auto", ""), ("cpu", RAN_OUT)]


def test_memory_that_runs_out_on_the_cpu_is_an_error():
    def work(method):
        raise RuntimeError("CUDA error: out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        attempted(work, replace(METHOD, device="cpu"))


@pytest.mark.parametrize(
    ("words", "ran_out"),
    [
        (RAN_OUT, True),
        ("CUDA error: out of memory", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: device-side assert triggered", False),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_how_memory_runs_out(words, ran_out):
    assert memory_ran_out(RuntimeError(words)) is ran_out
    assert not memory_ran_out(ModelTrainingError(words))
