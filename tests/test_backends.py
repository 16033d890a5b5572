"""Training elsewhere: on a real Dask cluster of this machine, whose processes are killed, late or misfitting."""

import contextlib
import dataclasses
import importlib
import os
import platform
import signal
import socket
import sys
import threading
import time

import clusters
import distributed
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import MIAUsageError, ModelTrainingError
from pytest_mia.backends import chosen, dask, home, loky
from pytest_mia.backends.dask import Dask
from pytest_mia.backends.loky import Loky
from pytest_mia.jobs import Data, Job, Method, Trained
from pytest_mia.settings import Settings
from pytest_mia.shadows import train_all
from pytest_mia.slots import UNCACHED

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 4)), np.arange(120) % 2
METHOD = Method(None, None, None, "cpu", 1)


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


FIRST = Trained(0, None, 1, "cpu", "")


def trained(factory=Noisy, models=5, *, records=X, backend=None, **others):
    data = Data(records, Y, np.arange(2), Y)
    return train_all(jobs(factory, models), data, METHOD, backend=backend, **others)


def confidences(models):
    return [one.signals.confidence for one in models]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers that live as long as these tests."""
    with clusters.running(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.start_workers(2, MIA_TEST_WORKER="1")
        yield cluster


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A scheduler whose workers are still to be started."""
    # What other tests loaded, every worker would load too, which takes seconds.
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with clusters.running(tmp_path) as cluster:
        yield cluster


@contextlib.contextmanager
def on(cluster, at_once=None):
    with contextlib.closing(Dask(cluster.address, at_once=at_once)) as backend:
        yield backend


@pytest.fixture
def backend(cluster):
    with on(cluster) as backend:
        yield backend


def free_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{taken.getsockname()[1]}"


class TestTheSameFigures:
    @pytest.mark.parametrize(
        "kind", [np.asarray, scipy.sparse.csr_array, pd.DataFrame, np.ndarray.tolist], ids=lambda kind: kind.__name__
    )
    def test_for_records_of_every_kind(self, backend, kind):
        def factory():
            return DecisionTreeClassifier(max_features=1, min_samples_leaf=5)

        here, there = trained(factory, records=kind(X)), trained(factory, records=kind(X), backend=backend)
        np.testing.assert_array_equal(confidences(there), confidences(here))
        assert [one.number for one in there] == [0, 1, 2, 3, 4]

    def test_for_torch(self, backend):
        torch = pytest.importorskip("torch")
        data = Data(X.astype(np.float32), Y, np.arange(2), Y)
        method = Method(pytest_mia.TorchTraining(epochs=2), None, None, "auto", 1)

        def factory():
            return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 2))

        here, there = (train_all(jobs(factory, 3), data, method, backend=each) for each in (None, backend))
        np.testing.assert_array_equal(confidences(there), confidences(here))

    def test_of_a_whole_audit_by_any_backend(self, cluster):
        def audit(**others):
            seen = []
            result = pytest_mia.audit(Noisy, (X, Y), progress=lambda *told: seen.append(told[:2]), **others)
            return dataclasses.replace(result, seconds=None, replay=""), seen

        alone, progress = audit(jobs=1)
        assert audit(backend="dask", scheduler=cluster.address) == (alone, progress)
        assert progress == [(done, 8) for done in range(9)]

    def test_looks_share_what_was_sent(self, backend):
        first = trained(models=3, backend=backend)
        data = Data(X, Y, np.arange(2), Y)
        train_all(jobs(models=3), data, METHOD, backend=backend)
        held = backend._records
        train_all(jobs(models=5)[3:], data, METHOD, backend=backend)
        assert backend._records is held
        assert len(first) == 3

    def test_of_models_from_the_cache_without_a_cluster(self, cluster, tmp_path):
        there = pytest_mia.audit(Noisy, (X, Y), backend="dask", scheduler=cluster.address, cache_dir=tmp_path)
        again = pytest_mia.audit(Noisy, (X, Y), backend="dask", scheduler=free_address(), cache_dir=tmp_path)
        assert there.notes == again.notes == ("16 queries averaged per record, since answers vary",)
        assert (there.cache.misses, again.cache.hits, again.cache.misses) == (8, 8, 0)
        assert again.advantage == there.advantage


class TestAWorker:
    @pytest.mark.parametrize(("workers", "at_once"), [(1, None), (2, 1)])
    def test_trains_one_model_at_a_time(self, empty, tmp_path, workers, at_once):
        empty.start_workers(workers)
        told = tmp_path / "told"
        with on(empty, at_once) as backend:
            trained(lambda: Noisy(str(told), pause=0.05), backend=backend)
        assert told.read_text().split() == ["begin", "end"] * 5

    def test_is_left_at_the_deadline(self, backend, deadline_passes):
        def told(done, _models, _seconds):
            if done == 3:
                deadline_passes()

        models = trained(
            lambda: Noisy(pause=0.1), 30, backend=backend, deadline=time.perf_counter() + 1e6, progress=told
        )
        assert len(models) == 3

    def test_shows_an_error_of_the_users_code(self, backend):
        with pytest.raises(ModelTrainingError, match=r"model \d .* ValueError: only here(.|\n)*test_backends.py"):
            trained(lambda: Noisy(there="raise"), backend=backend)


class TestALostWorker:
    def test_has_its_models_trained_elsewhere(self, empty):
        victim, _ = empty.start_workers(2)

        def strike(done, _models, _seconds):
            if done == 3:
                victim.send_signal(signal.SIGKILL)

        with on(empty) as backend:
            there = trained(lambda: Noisy(pause=0.3), 8, backend=backend, progress=strike)
        assert victim.wait() == -signal.SIGKILL
        np.testing.assert_array_equal(confidences(there), confidences(trained(models=8)))

    @pytest.mark.slow
    def test_may_be_the_last_one_when_another_comes(self, empty):
        victims = empty.start_workers(1)

        def strike(done, _models, _seconds):
            if done == 3:
                victims.pop().send_signal(signal.SIGKILL)
                empty.start_worker()

        with on(empty) as backend:
            there = trained(lambda: Noisy(pause=0.3), backend=backend, progress=strike)
        assert not victims
        np.testing.assert_array_equal(confidences(there), confidences(trained()))

    @pytest.mark.slow
    def test_is_an_error_when_no_other_comes(self, empty, monkeypatch):
        monkeypatch.setattr(dask, "WITHOUT_WORKERS", 1.0)
        (victim,) = empty.start_workers(1)
        with on(empty) as backend, pytest.raises(ModelTrainingError, match="has had no workers for 1 s"):
            trained(lambda: Noisy(pause=0.3), backend=backend, progress=lambda *_: victim.kill())

    @pytest.mark.slow
    def test_is_an_error_when_it_comes_and_goes(self, empty, monkeypatch):
        monkeypatch.setattr(dask, "SENDS", 1)
        victims = empty.start_workers(1)

        def strike(done, _models, _seconds):
            if done == 2:
                victims.pop().send_signal(signal.SIGKILL)
                empty.start_worker()

        with on(empty) as backend, pytest.raises(ModelTrainingError, match=r"model \d .* was lost 1 times"):
            trained(lambda: Noisy(pause=0.3), backend=backend, progress=strike)

    @pytest.mark.slow
    def test_names_the_model_that_takes_workers_along(self, tmp_path):
        failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        with clusters.running(tmp_path, **failures) as cluster:
            cluster.start_workers(2, MIA_TEST_WORKER="1")
            with on(cluster) as backend, pytest.raises(ModelTrainingError, match=r"model \d .* each worker .* died"):
                trained(lambda: Noisy(there="die"), backend=backend)

    @pytest.mark.slow
    def test_scheduler_is_an_error(self, empty):
        empty.start_workers(1)

        def strike(done, _models, _seconds):
            if done == 2:
                empty.processes[0].kill()

        with on(empty) as backend, pytest.raises(ModelTrainingError, match=r"scheduler at tcp.* was lost"):
            trained(lambda: Noisy(pause=0.3), backend=backend, progress=strike)

    def test_process_of_joblib_is_an_error(self, monkeypatch):
        monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
        here = os.getpid()

        class Deadly(Noisy):
            def fit(self, X, y):
                if os.getpid() != here:
                    os._exit(1)
                return super().fit(X, y)

        with pytest.raises(ModelTrainingError, match=r"a worker process was ended .* .--mia-jobs=1"):
            trained(Deadly, backend=Loky(2))


class TestRefused:
    """Before anything is trained, with the place and the remedy."""

    @pytest.fixture(autouse=True)
    def nothing_is_trained(self, tmp_path):
        self.told = tmp_path / "told"
        yield
        assert not self.told.exists()

    def refused(self, address, factory=None):
        with contextlib.closing(Dask(address, at_once=None)) as backend, pytest.raises(MIAUsageError) as refusal:
            trained(factory or (lambda: Noisy(str(self.told))), backend=backend)
        return refusal.value.problems

    def test_a_scheduler_that_cant_be_reached(self, monkeypatch):
        monkeypatch.setattr(dask, "CONNECT", 0.5)
        address = free_address()
        (problem,) = self.refused(address)
        assert problem.startswith(f"no Dask scheduler answers at {address} within 0.5 s; is it running")

    @pytest.mark.parametrize("kind", ["tcp", "carrier-pigeon"])
    def test_a_client_that_cant_connect_is_closed(self, kind, monkeypatch):
        """By whom it was made: the garbage collector would close it at a time of its own, while another one starts."""
        made = []

        class Client(distributed.Client):
            def __init__(self, *given, **named):
                made.append(self)
                super().__init__(*given, **named)

        monkeypatch.setattr(dask, "CONNECT", 0.5)
        monkeypatch.setattr(distributed, "Client", Client)
        self.refused(free_address().replace("tcp", kind))
        assert [client.status for client in made] == ["closed"]

    def test_an_address_of_an_unknown_kind(self):
        (problem,) = self.refused("carrier-pigeon://127.0.0.1:1")
        assert "carrier-pigeon" in problem

    def test_dask_that_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        (problem,) = self.refused("tcp://127.0.0.1:1")
        assert problem.endswith("pip install 'pytest-mia[dask]'")

    def test_a_factory_that_cant_be_sent(self, cluster):
        lock = threading.Lock()
        (problem,) = self.refused(cluster.address, lambda: Noisy(str(self.told)) if lock else None)
        assert "can't be sent to Dask workers (TypeError: cannot pickle" in problem
        assert "--mia-backend=loky" in problem

    def test_a_cluster_without_workers(self, empty):
        (problem,) = self.refused(empty.address)
        assert f"has no workers; start some: dask worker {empty.address}" in problem

    def test_workers_that_are_not_as_they_should_be(self, empty, tmp_path):
        """All at once: without pytest-mia, and with another numpy."""
        (tmp_path / "without.py").write_text("import sys\nsys.modules['pytest_mia'] = None\n")
        (tmp_path / "older.py").write_text(
            "from importlib import metadata\n"
            "metadata.version = lambda name, true=metadata.version: '1.0' if name == 'numpy' else true(name)\n"
        )
        for name in ("without", "older"):
            empty.start_worker(f"--preload={tmp_path / name}.py", f"--name={name}")
        empty.wait_for_workers(2)
        problems = sorted(self.refused(empty.address), key=lambda problem: "numpy" in problem)
        assert [problem.startswith("worker tcp://127.0.0.1:") for problem in problems] == [True, True]
        assert problems[0].endswith("has no pytest-mia: install the same version as here")
        assert f"has numpy 1.0, here is {np.__version__}: figures would differ" in problems[1]

    def test_a_worker_that_comes_later_and_differs(self, cluster, monkeypatch):
        with on(cluster) as backend:
            backend.check(jobs(), METHOD)
            monkeypatch.setattr(home, "OURS", "another")
            with pytest.raises(MIAUsageError, match="has another version of pytest-mia"):
                list(backend.train([[(job, UNCACHED)] for job in jobs()], Data(X, Y, np.arange(2), Y), METHOD, FIRST))

    def test_a_worker_without_the_users_module_or_with_another(self, empty, tmp_path, monkeypatch):
        def written(folder, code):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / "clinic.py").write_text(code)
            return str(tmp_path / folder)

        code = f"from sklearn.dummy import DummyClassifier\n\ndef made():\n    open({str(self.told)!r}, 'w')\n"
        monkeypatch.syspath_prepend(written("here", code))
        clinic = importlib.import_module("clinic")
        monkeypatch.setitem(sys.modules, "clinic", clinic)
        empty.start_workers(1)
        (problem,) = self.refused(empty.address, clinic.made)
        assert "has no module 'clinic', which your model needs: install it there" in problem
        assert problem.startswith("worker tcp://127.0.0.1:")

        old = empty.processes.pop()
        old.kill()
        old.wait()
        empty.start_worker(PYTHONPATH=written("there", code + "    # older\n"))
        empty.wait_for_workers(1)
        (problem,) = self.refused(empty.address, clinic.made)
        assert "has other code in your module clinic: bring it up to date and restart the worker" in problem
        # A worker that has loaded it keeps what it has loaded.
        written("there", code)
        assert self.refused(empty.address, clinic.made) == (problem,)


class TestHome:
    def test_this_process_is_at_home(self):
        assert home.here("cpu").strange() == []

    def test_another_python(self, monkeypatch):
        here = home.here("cpu")
        monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "1", "4"))
        assert here.strange() == [f"has Python 3.1, here is {here.python}: start it with the same version"]

    def test_another_gpu(self):
        here = dataclasses.replace(home.here("cpu"), gpu="Abacus 9000")
        assert here.strange()[0].endswith("here is Abacus 9000: figures would differ")

    def test_a_package_that_is_missing_may_not_be_needed(self):
        assert dataclasses.replace(home.here("cpu"), packages={"no-such-package": "1.0"}).strange() == []


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({}, Loky), ({"backend": "dask", "scheduler": "tcp://127.0.0.1:8786"}, Dask)],
)
def test_the_settings_choose(settings, kind):
    assert isinstance(chosen(Settings(**settings)), kind)


@pytest.mark.parametrize("backend", ["threading", "ray", "slurm"])
def test_what_is_not_supported_says_why(backend):
    with pytest.raises(MIAUsageError, match=r"backend must be loky or dask; threading is not supported because .* ray"):
        pytest_mia.audit(Noisy, (X, Y), backend=backend)


def test_dask_without_a_scheduler_and_the_reverse():
    with pytest.raises(MIAUsageError, match=r"backend dask needs scheduler.*--mia-scheduler=tcp://"):
        pytest_mia.audit(Noisy, (X, Y), backend="dask")
    with pytest.raises(MIAUsageError, match=r"scheduler h:1 is for backend dask, got loky"):
        pytest_mia.audit(Noisy, (X, Y), scheduler="h:1")
