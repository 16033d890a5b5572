"""A unit is claimed, loaded, trained and saved in this order; nothing is trained that another process trains."""

import contextlib

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from pytest_mia.cache.traces import Trace
from pytest_mia.data.records import Data
from pytest_mia.training.jobs import Job, Method, Trained, Watch
from pytest_mia.training.train import Training, train_unit

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), np.arange(40) % 2
TRAINING = Training(Data(X, Y, np.arange(2), Y), Method(None, None, None, "cpu", 1))


class Place:
    """A slot that notes what is done with it."""

    def __init__(self, done, number, *, free=True, kept=None):
        self.done, self.number, self.free, self.kept = done, number, free, kept

    @contextlib.contextmanager
    def claim(self, *, wait):
        self.done.append(f"claim {self.number}")
        yield self.free
        self.done.append(f"release {self.number}")

    def load(self):
        return self.kept

    @contextlib.contextmanager
    def watch(self):
        self.done.append(f"train {self.number}")
        yield Watch(Trace())

    def save(self, trained, watch):
        assert watch.trace == Trace()
        self.done.append(f"save {trained.number}")


def unit(done, *, free=(True, True), kept=(None, None)):
    members = RNG.random((2, 40)) < 0.5
    jobs = [Job(number, number, GaussianNB, row) for number, row in enumerate(members)]
    return [(job, Place(done, job.number, free=free[job.number], kept=kept[job.number])) for job in jobs]


def test_the_first_slot_is_claimed_first_and_released_last():
    done = []
    one = unit(done)[:1]
    assert [each.number for each in train_unit(one, TRAINING, wait=0.0)] == [0]
    assert done == ["claim 0", "train 0", "save 0", "release 0"]


def test_what_is_there_is_not_trained():
    done = []
    there = Trained(0, None, 1, "cpu", "", cached=True)
    assert train_unit(unit(done, kept=(there, None))[:1], TRAINING, wait=0.0) == [there]
    assert done == ["claim 0", "release 0"]


@pytest.mark.parametrize(("free", "claimed"), [((False, True), ["claim 0", "release 0"])])
def test_a_unit_whose_first_model_another_process_trains_is_left_to_it(free, claimed):
    done = []
    assert train_unit(unit(done, free=free), TRAINING, wait=0.0) == []
    assert done == claimed


def test_an_empty_unit():
    assert train_unit([], TRAINING, wait=0.0) == []
