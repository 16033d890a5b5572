"""Training on a real Dask cluster of this machine: the same figures as here, one model at a time on each worker."""

import dataclasses
import os
import threading
import time

import clusters
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from elsewhere import METHOD, Noisy, X, Y, confidences, free_address, jobs, on, trained
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import MIAUsageError, ModelTrainingError
from pytest_mia.data.records import Data
from pytest_mia.training.backends import worker_check
from pytest_mia.training.jobs import UNCACHED, Method, Trained
from pytest_mia.training.train import train_all

FIRST = Trained(0, None, 1, "cpu", "")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers that live as long as these tests."""
    with clusters.running(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.start_workers(2, MIA_TEST_WORKER="1")
        yield cluster


@pytest.fixture
def backend(cluster):
    with on(cluster) as backend:
        yield backend


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
        def audit(address):
            options = {"backend": "dask", "scheduler": address, "cache_dir": tmp_path}
            return pytest_mia.audit(DecisionTreeClassifier, (X, Y), **options)

        there, again = audit(cluster.address), audit(free_address())
        assert there.notes == again.notes
        assert (there.cache.misses, again.cache.hits, again.cache.misses) == (8, 8, 0)
        assert again.advantage == there.advantage

    def test_of_code_that_reads_other_values_there_are_not_kept(self, cluster, tmp_path):
        """The cache's key names the environment of this process, in which other models may be trained."""

        def factory():
            return DecisionTreeClassifier(max_depth=9 if "MIA_TEST_WORKER" in os.environ else 1)

        def audit():
            options = {"backend": "dask", "scheduler": cluster.address, "cache_dir": tmp_path, "shadows": 3}
            return pytest_mia.audit(factory, (X, Y), attacks=["gap"], **options)

        assert any("not cached: their code reads a value that differs" in note for note in audit().notes)
        again = audit().cache
        assert (again.hits, again.misses) == (1, 3), "the first model is trained here"


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
        with pytest.raises(ModelTrainingError, match=r"model \d .* ValueError: only here(.|\n)*elsewhere.py"):
            trained(lambda: Noisy(there="raise"), backend=backend)

    def test_a_worker_that_comes_later_and_differs(self, cluster, monkeypatch):
        with on(cluster) as backend:
            backend.check(jobs(), METHOD)
            monkeypatch.setattr(worker_check, "OURS", "another")
            with pytest.raises(MIAUsageError, match="has another version of pytest-mia"):
                list(backend.train([[(job, UNCACHED)] for job in jobs()], Data(X, Y, np.arange(2), Y), METHOD, FIRST))


def test_a_factory_that_cant_be_sent_is_refused(cluster, tmp_path):
    lock, told = threading.Lock(), tmp_path / "told"
    with on(cluster) as backend, pytest.raises(MIAUsageError) as refusal:
        trained(lambda: Noisy(str(told)) if lock else None, backend=backend)
    (problem,) = refusal.value.problems
    assert "can't be sent to Dask workers (TypeError: cannot pickle" in problem
    assert "--mia-backend=loky" in problem
    assert not told.exists()
