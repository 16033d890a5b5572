"""What a record says was read, by which names, and what of it counts."""

import importlib
import os
import sys

import pytest

from pytest_mia.cache import record as record_module
from pytest_mia.cache import recorder
from pytest_mia.cache.record import Record, UnknownReadsError
from pytest_mia.cache.recorder import recording
from pytest_mia.cache.traces import ABSENT, digest_file


def test_the_names_in_the_caches_own_folder_do_not_count(file):
    with recording("code") as record:
        os.listdir(file.parent)

    assert record.trace(without=str(file.parent)).files == {}


def test_names_count_from_the_folder_they_were_read_in(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with recording("code") as record:
        open("settings.yaml").close()
    here = record.trace().files
    monkeypatch.chdir("/")

    assert here.keys() == {"settings.yaml"}
    assert digest_file("settings.yaml") == ABSENT, "another run may read another file of this name"
    assert record.trace().files.keys() == {str(file)}


def test_what_another_machine_must_have_too(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with recording("there") as record:
        open("settings.yaml").close()
        os.environ.get("MIA_ELSEWHERE")
    found = record.trace_for_others()
    monkeypatch.chdir("/")

    assert (found.files.keys(), found.variables.keys()) == ({str(file)}, {"MIA_ELSEWHERE"})
    assert found.packages == {}
    assert found.holds()


def test_what_is_written_does_not_count(tmp_path):
    with recording("code") as record:
        (tmp_path / "checkpoint").write_text("1")
        (tmp_path / "checkpoint").read_text()
        os.close(os.open(tmp_path / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL))
        with open(tmp_path / "log", "a") as log:
            log.write("1")

    assert record.trace().files == {}


def test_what_changes_after_it_was_read_is_an_error(file):
    with recording("code") as record:
        file.read_text()
    os.utime(file, (2e9, 2e9))

    with pytest.raises(UnknownReadsError, match="was changed while"):
        record.trace()


def test_bytecode_counts_as_its_source(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    source = tmp_path / "mia_read_module.py"
    source.write_text("DEPTH = 3\n")
    for _ in range(2):
        with recording("code") as record:
            importlib.import_module("mia_read_module")
        del sys.modules["mia_read_module"]

    assert list(tmp_path.glob("__pycache__/*.pyc"))
    assert record.trace().files == {str(source): digest_file(str(source))}


def test_installed_packages_and_the_system_do_not_count():
    with recording("code") as record:
        open(pytest.__file__).close()
        open(os.__file__).close()
        open(recorder.__file__).close()
        open(os.devnull).close()

    assert record.trace().files == {}


def test_variables_that_say_where_a_run_is_do_not_count():
    with recording("code") as record:
        for name in ("PYTEST_CURRENT_TEST", "PWD", "TMPDIR", "COLUMNS", "OMP_NUM_THREADS"):
            os.environ.get(name)

    assert record.variables == {}


def test_a_record_can_be_read_while_another_thread_adds_to_it(monkeypatch):
    record = Record({("", "/first"): 0.0})

    def meanwhile(path):
        record.files["", f"/{len(record.files)}"] = 0.0
        return path

    monkeypatch.setattr(record_module.os.path, "abspath", meanwhile)
    assert [path for path, _ in record._counting(record.files)] == ["/first"]


def test_a_file_and_a_folder_that_are_made_do_not_count(tmp_path):
    with recording("code") as record:
        (tmp_path / "models").mkdir()
        (tmp_path / "part").write_text("1")
        (tmp_path / "part").rename(tmp_path / "models" / "whole")
        (tmp_path / "models" / "whole").read_text()
        (tmp_path / "models").exists()
    found = record.trace()

    assert (found.files, found.paths) == ({}, {})


def test_the_folders_above_do_not_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with recording("code") as record:
        tmp_path.exists()
        tmp_path.parent.exists()

    assert record.trace().paths == {}


def test_a_variable_that_the_code_has_set_does_not_count(monkeypatch):
    monkeypatch.setenv("MIA_OWN", "1")
    for _ in range(2):
        with recording("code") as record:
            os.environ["MIA_OWN"] = "2"
            os.environ["MIA_OWN"]
    assert record.trace().variables == {}
    monkeypatch.setenv("MIA_OWN", "3")
    with recording("code") as record:
        os.environ["MIA_OWN"]

    assert record.trace().variables.keys() == {"MIA_OWN"}


def test_variables_are_those_that_were_read(monkeypatch):
    monkeypatch.setenv("MIA_DEPTH", "1")
    with recording("code") as record:
        os.environ["MIA_DEPTH"]
        os.environ["MIA_DEPTH"] = "2"
    found = record.trace()

    assert not found.holds()
    monkeypatch.setenv("MIA_DEPTH", "1")
    assert found.holds()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_what_a_fork_reads(file):
    with recording("code") as record:
        child = os.fork()
        if child == 0:
            file.read_text()
            os.environ.get("MIA_FORKED")
            os._exit(0)
        os.waitpid(child, 0)
    found = record.trace()

    assert str(file) in found.files
    assert "MIA_FORKED" in found.variables


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_programs_that_a_fork_starts():
    with recording("code") as record:
        child = os.fork()
        if child == 0:
            os.execv(sys.executable, [sys.executable, "-S", "-c", ""])
        os.waitpid(child, 0)

    with pytest.raises(UnknownReadsError, match="other processes"):
        record.trace()
