import dataclasses
import platform

from pytest_mia.training.backends import worker_check


class TestHome:
    def test_this_process_is_at_home(self):
        assert worker_check.here("cpu").strange() == []

    def test_another_python(self, monkeypatch):
        here = worker_check.here("cpu")
        monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "1", "4"))
        assert here.strange() == [
            f"has Python 3.1, and the audit has {here.python}: start the worker with the same version"
        ]

    def test_another_gpu(self):
        here = dataclasses.replace(worker_check.here("cpu"), gpu="Abacus 9000")
        assert here.strange()[0].endswith(
            "the audit has Abacus 9000: figures would differ, use workers with the same GPU"
        )

    def test_a_package_that_is_missing_may_not_be_needed(self):
        assert dataclasses.replace(worker_check.here("cpu"), packages={"no-such-package": "1.0"}).strange() == []
