"""What a Dask cluster is refused for, before anything is trained, with the place and the remedy."""

import contextlib
import importlib
import sys

import distributed
import numpy as np
import pytest
from elsewhere import Noisy, free_address, trained

from pytest_mia import MIAUsageError
from pytest_mia.training.backends import dask
from pytest_mia.training.backends.dask import Dask


class TestRefused:
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
        assert problem.endswith("pip install distributed")

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
        assert f"has numpy 1.0, and the audit has {np.__version__}, so figures would differ" in problems[1]

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

        empty.dismiss_workers()
        empty.start_worker(PYTHONPATH=written("there", code + "    # older\n"))
        empty.wait_for_workers(1)
        (problem,) = self.refused(empty.address, clinic.made)
        assert "has other code in your module clinic: copy the current file to it and restart the worker" in problem
        # A worker that has loaded it keeps what it has loaded.
        written("there", code)
        assert self.refused(empty.address, clinic.made) == (problem,)
