"""Workers of a Dask cluster that are killed, or its scheduler: models are trained elsewhere, or that is an error."""

import signal

import clusters
import numpy as np
import pytest
from elsewhere import Noisy, confidences, on, trained

from pytest_mia import ModelTrainingError
from pytest_mia.training.backends import dask


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
    def test_scheduler_is_an_error(self, tmp_path):
        def strike(done, _models, _seconds):
            if done == 2:
                cluster.processes[0].kill()

        with clusters.running(tmp_path) as cluster:
            cluster.start_workers(1)
            with on(cluster) as backend, pytest.raises(ModelTrainingError, match=r"scheduler at tcp.* was lost"):
                trained(lambda: Noisy(pause=0.3), backend=backend, progress=strike)
