"""What code reads while it is recorded: files, variables, modules; and what can't be known."""

import importlib
import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys

import pytest

from pytest_mia.cache import callers, recorder
from pytest_mia.cache.recorder import Record, recording
from pytest_mia.cache.traces import ABSENT, ALL_NAMES, digest_file


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("depth: 3")
    return path


def files_of(record, **where):
    return record.trace(**where).files


def keep_open(path, mode):
    with open(path, mode) as file:
        file.read()


@pytest.mark.parametrize(
    "read",
    [
        lambda path: path.read_text(),
        lambda path: path.read_bytes(),
        lambda path: open(path).close(),
        lambda path: open(os.fsencode(path)).close(),
        lambda path: os.close(os.open(path, os.O_RDONLY)),
        lambda path: os.close(os.open(path, os.O_RDWR)),
        lambda path: sqlite3.connect(path).close(),
        lambda path: keep_open(path, "r+"),
        lambda path: keep_open(path, "a+"),
    ],
)
def test_what_is_read_is_told_by_its_content(file, read):
    with recording("code") as record:
        read(file)
    before = files_of(record)
    file.write_text("depth: 4")

    assert before.keys() == {str(file)}
    assert digest_file(str(file)) != before[str(file)]


@pytest.mark.parametrize("listed", [os.listdir, lambda path: [*path.glob("*.yaml")], lambda path: [*os.scandir(path)]])
def test_a_folder_is_told_by_its_names(file, listed):
    with recording("code") as record:
        listed(file.parent)
    os.utime(file.parent, (1e9, 1e9))
    before = files_of(record)
    file.write_text("depth: 4")
    same = digest_file(str(file.parent))
    file.with_name("more.yaml").touch()

    assert before == {str(file.parent): same}
    assert digest_file(str(file.parent)) != same


def test_the_names_in_the_caches_own_folder_do_not_count(file):
    with recording("code") as record:
        os.listdir(file.parent)

    assert files_of(record, without=str(file.parent)) == {}


def test_other_processes_may_read_what_is_not_heard():
    with recording("code") as record:
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    with pytest.raises(recorder.UnknownReadsError, match="other processes"):
        record.trace()
    with recording("code") as record:
        pass

    assert not files_of(record), "each model is another matter"


def test_programs_that_packages_start_by_themselves(monkeypatch):
    """As joblib counts the cores; the package's version stands for it."""
    monkeypatch.setattr(callers, "is_user_file", lambda name: False)
    with recording("code") as record:
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)

    assert not files_of(record)


def test_names_count_from_the_folder_they_were_read_in(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with recording("code") as record:
        open("settings.yaml").close()
    here = files_of(record)
    monkeypatch.chdir("/")

    assert here.keys() == {"settings.yaml"}
    assert digest_file("settings.yaml") == ABSENT, "another run may read another file of this name"
    assert files_of(record).keys() == {str(file)}


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


def test_what_is_read_outside_does_not_count(file):
    file.read_text()
    with recording("code") as record:
        pass
    file.read_text()
    os.environ.get("MIA_OUTSIDE")

    assert files_of(record) == {}
    assert record.variables == {}


def test_a_file_that_was_looked_for_and_is_absent(tmp_path):
    with recording("code") as record, pytest.raises(FileNotFoundError):
        (tmp_path / "override.yaml").read_text()

    assert files_of(record) == {str(tmp_path / "override.yaml"): ABSENT}


def test_what_is_written_does_not_count(tmp_path):
    with recording("code") as record:
        (tmp_path / "checkpoint").write_text("1")
        (tmp_path / "checkpoint").read_text()
        os.close(os.open(tmp_path / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL))
        with open(tmp_path / "log", "a") as log:
            log.write("1")

    assert files_of(record) == {}


def test_what_changes_after_it_was_read_is_an_error(file):
    with recording("code") as record:
        file.read_text()
    os.utime(file, (2e9, 2e9))

    with pytest.raises(recorder.UnknownReadsError, match="was changed while"):
        record.trace()


def test_what_the_same_code_read_is_not_forgotten(file):
    """What an earlier model's training read and kept may serve a later one; another's code is another matter."""
    with recording("code"):
        file.read_text()
    with recording("other code") as other:
        pass
    with recording("code") as again:
        pass

    assert files_of(again).keys() == {str(file)}
    assert files_of(other) == {}


def test_records_of_long_ago_are_forgotten(file, monkeypatch):
    monkeypatch.setattr(recorder, "KEPT", 2)
    for code in "abcd":
        with recording(code):
            pass

    assert [*recorder._records] == ["c", "d"]


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
    assert files_of(record) == {str(source): digest_file(str(source))}


def test_installed_packages_and_the_system_do_not_count():
    with recording("code") as record:
        open(pytest.__file__).close()
        open(os.__file__).close()
        open(recorder.__file__).close()
        open(os.devnull).close()

    assert files_of(record) == {}


def test_file_descriptors_and_folders_do_no_harm(tmp_path):
    with recording("code") as record:
        handle = os.open(tmp_path, os.O_RDONLY)
        os.close(handle)
        reader, writer = os.pipe()
        open(reader).close()
        os.close(writer)

    assert files_of(record).keys() <= {str(tmp_path)}, "to open a folder is to list it"


def test_recording_inside_recording(file):
    with recording("code") as record:
        with recording("other code"):
            os.environ.get("MIA_INSIDE")
        file.read_text()
        os.environ.get("MIA_AFTER")

    assert files_of(record).keys() == {str(file)}
    assert "MIA_AFTER" in record.variables


@pytest.mark.parametrize(
    "read",
    [
        lambda: os.environ["MIA_DEPTH"],
        lambda: os.environ.get("MIA_DEPTH"),
        lambda: os.getenv("MIA_" + "DEPTH"),
        lambda: "MIA_DEPTH" in os.environ,
        lambda: os.environb[b"MIA_DEPTH"],
        lambda: os.path.expandvars("$MIA_DEPTH"),
        lambda: os.environ.copy(),
        lambda: dict(os.environ),
        lambda: os.environ.pop("MIA_DEPTH"),
        lambda: os.environ.setdefault("MIA_DEPTH", "4"),
    ],
)
def test_variables_by_whatever_function(monkeypatch, read):
    monkeypatch.setenv("MIA_DEPTH", "3")
    with recording("code") as record:
        read()
    monkeypatch.setenv("MIA_DEPTH", "3")
    before = record.trace()
    monkeypatch.setenv("MIA_DEPTH", "4")

    assert "MIA_DEPTH" in before.variables
    assert not before.holds()


def test_a_variable_that_is_new_counts_where_all_are_listed(monkeypatch):
    with recording("code") as record:
        names = [*os.environ]
    before = record.trace()
    monkeypatch.setenv("MIA_NEW", "3")

    assert names
    assert before.variables.keys() == {ALL_NAMES}
    assert not before.holds()


def test_variables_that_say_where_a_run_is_do_not_count():
    with recording("code") as record:
        for name in ("PYTEST_CURRENT_TEST", "PWD", "TMPDIR", "COLUMNS", "OMP_NUM_THREADS"):
            os.environ.get(name)

    assert record.variables == {}


def test_the_environment_is_changed_and_left_as_ever(monkeypatch):
    monkeypatch.setenv("MIA_GONE", "1")
    content = os.environ._data
    with recording("code"):
        os.environ["MIA_SET"] = "1"
        del os.environ["MIA_GONE"]

    assert os.environ.pop("MIA_SET") == "1"
    assert "MIA_GONE" not in os.environ
    assert os.environ._data is content


def test_a_module_that_is_looked_for_and_absent(tmp_path, monkeypatch):
    with recording("code") as record, pytest.raises(ImportError):
        exec("import mia_absent")
    before = record.trace()
    monkeypatch.syspath_prepend(tmp_path)
    held = before.holds()
    (tmp_path / "mia_absent.py").touch()
    importlib.invalidate_caches()

    assert before.modules == {"mia_absent": ABSENT}
    assert held
    assert not before.holds()


def test_a_record_can_be_read_while_another_thread_adds_to_it(monkeypatch):
    record = Record({("", "/first"): 0.0})

    def meanwhile(path):
        record.files["", f"/{len(record.files)}"] = 0.0
        return path

    monkeypatch.setattr(recorder.os.path, "abspath", meanwhile)
    assert [path for path, _ in record._counting(record.files)] == ["/first"]


def test_a_database_by_its_address(file):
    with recording("code") as record:
        sqlite3.connect(f"file:{file}?mode=ro", uri=True).close()

    assert files_of(record).keys() == {str(file)}


def test_a_file_and_a_folder_that_are_made_do_not_count(tmp_path):
    with recording("code") as record:
        (tmp_path / "models").mkdir()
        (tmp_path / "part").write_text("1")
        (tmp_path / "part").rename(tmp_path / "models" / "whole")
        (tmp_path / "models" / "whole").read_text()
        (tmp_path / "models").exists()
    found = record.trace()

    assert (found.files, found.paths) == ({}, {})


def test_a_compiled_module_is_a_file(file, monkeypatch):
    with recording("code") as record:
        sys.audit("import", "mia_compiled", str(file), None, None, None)

    assert files_of(record).keys() == {str(file)}


@pytest.mark.parametrize(
    "ask", [os.path.exists, os.path.getsize, lambda path: os.lstat(path), lambda path: os.access(path, os.R_OK)]
)
def test_what_is_only_asked_about(file, ask):
    with recording("code") as record:
        ask(file)
    found = record.trace()
    file.unlink()

    assert (found.files, found.paths.keys()) == ({}, {str(file)})
    assert not found.holds()


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

    with pytest.raises(recorder.UnknownReadsError, match="other processes"):
        record.trace()


def test_processes_of_which_python_says_nothing():
    with recording("code") as record:
        process = multiprocessing.get_context("spawn").Process(target=print)
        process.start()
        process.join()

    with pytest.raises(recorder.UnknownReadsError, match="other processes"):
        record.trace()


@pytest.mark.parametrize("by_user", [False, True])
@pytest.mark.parametrize(
    ("address", "far"), [("/nowhere", False), (("127.0.0.1", 1), False), (("203.0.113.1", 1), True)]
)
def test_sockets(monkeypatch, address, far, by_user):
    """What another machine says can't be told; nor what another process says, unless a package asks it."""
    monkeypatch.setattr(callers, "is_user_file", lambda name: by_user)
    with recording("code") as record:
        sys.audit("socket.connect", socket, address)

    assert bool(record.doubts) is (by_user or far)
