"""Training in other processes than the audit's own: models that vary from seed to seed, and jobs that train them."""

import contextlib
import os
import socket
import sys
import time

import cloudpickle
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from pytest_mia.data.records import Data
from pytest_mia.training.backends.dask import Dask
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import Training, train_all, train_steps

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 4)), np.arange(120) % 2
METHOD = Method(None, None, None, "cpu", 1)

# As code in test files is: no worker has this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Noisy(ClassifierMixin, BaseEstimator):
    """Trains by the global generator, and tells in a file when; on a cluster's worker it may do as it is told."""

    def __init__(self, told="", pause=0.0, there=""):
        self.told, self.pause, self.there = told, pause, there

    def fit(self, X, y):
        self._tell("begin")
        if self.there and "MIA_TEST_WORKER" in os.environ:
            os._exit(1) if self.there == "die" else self.fail()
        time.sleep(self.pause)
        self.classes_, self.answer_ = np.unique(y), np.random.normal(size=(1, 2)) + X.mean()  # noqa: NPY002
        self._tell("end")
        return self

    def predict_proba(self, X):
        odds = np.exp(self.answer_ + np.random.normal(size=(len(X), 2)))  # noqa: NPY002
        return odds / odds.sum(axis=1, keepdims=True)

    def fail(self):
        raise ValueError("only here")

    def _tell(self, what):
        if self.told:
            with open(self.told, "a") as file:
                file.write(f"{what}\n")


def jobs(factory=Noisy, models=5):
    draws = np.random.default_rng(1)
    return [Job(number, 100 + number, factory, draws.random(120) < 0.5) for number in range(models)]


def trained(factory=Noisy, models=5, *, records=X, backend=None, **others):
    data = Data(records, Y, np.arange(2), Y)
    return train_telling(jobs(factory, models), data, METHOD, backend=backend, **others)


def train_telling(jobs, data, method, progress=None, **how):
    """As `train_all` does; `progress` is called with (models done, models in all, seconds) at each step."""
    if progress is None:
        return train_all(jobs, data, method, **how)
    trained = []
    with contextlib.closing(train_steps(jobs, Training(data, method, **how))) as steps:
        for step in steps:
            trained += step.models
            progress(step.done, step.total, step.seconds)
    return sorted(trained, key=lambda one: one.number)


def confidences(models):
    return [one.signals.confidence for one in models]


@contextlib.contextmanager
def on(cluster, at_once=None):
    with contextlib.closing(Dask(cluster.address, at_once=at_once)) as backend:
        yield backend


def free_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{taken.getsockname()[1]}"
