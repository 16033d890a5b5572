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
from pytest_mia.cache.record import UnknownReadsError
from pytest_mia.cache.recorder import recording
from pytest_mia.cache.traces import ABSENT, ALL_NAMES, digest_file


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
    before = record.trace().files
    file.write_text("depth: 4")

    assert before.keys() == {str(file)}
    assert digest_file(str(file)) != before[str(file)]


@pytest.mark.parametrize("listed", [os.listdir, lambda path: [*path.glob("*.yaml")], lambda path: [*os.scandir(path)]])
def test_a_folder_is_told_by_its_names(file, listed):
    with recording("code") as record:
        listed(file.parent)
    os.utime(file.parent, (1e9, 1e9))
    before = record.trace().files
    file.write_text("depth: 4")
    same = digest_file(str(file.parent))
    file.with_name("more.yaml").touch()

    assert before == {str(file.parent): same}
    assert digest_file(str(file.parent)) != same


def test_other_processes_may_read_what_is_not_heard():
    with recording("code") as record:
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    with pytest.raises(UnknownReadsError, match="other processes"):
        record.trace()
    with recording("code") as record:
        pass

    assert not record.trace().files, "each model is another matter"


def test_programs_that_packages_start_by_themselves(monkeypatch):
    """As joblib counts the cores; the package's version stands for it."""
    monkeypatch.setattr(callers, "is_user_file", lambda name: False)
    with recording("code") as record:
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)

    assert not record.trace().files


def test_what_is_read_outside_does_not_count(file):
    file.read_text()
    with recording("code") as record:
        pass
    file.read_text()
    os.environ.get("MIA_OUTSIDE")

    assert record.trace().files == {}
    assert record.variables == {}


def test_a_file_that_was_looked_for_and_is_absent(tmp_path):
    with recording("code") as record, pytest.raises(FileNotFoundError):
        (tmp_path / "override.yaml").read_text()

    assert record.trace().files == {str(tmp_path / "override.yaml"): ABSENT}


def test_what_the_same_code_read_is_not_forgotten(file):
    """What an earlier model's training read and kept may serve a later one; another's code is another matter."""
    with recording("code"):
        file.read_text()
    with recording("other code") as other:
        pass
    with recording("code") as again:
        pass

    assert again.trace().files.keys() == {str(file)}
    assert other.trace().files == {}


def test_records_of_long_ago_are_forgotten(file, monkeypatch):
    monkeypatch.setattr(recorder, "KEPT", 2)
    for code in "abcd":
        with recording(code):
            pass

    assert [*recorder._records] == ["c", "d"]


def test_file_descriptors_and_folders_do_no_harm(tmp_path):
    with recording("code") as record:
        handle = os.open(tmp_path, os.O_RDONLY)
        os.close(handle)
        reader, writer = os.pipe()
        open(reader).close()
        os.close(writer)

    assert record.trace().files.keys() <= {str(tmp_path)}, "to open a folder is to list it"


def test_recording_inside_recording(file):
    with recording("code") as record:
        with recording("other code"):
            os.environ.get("MIA_INSIDE")
        file.read_text()
        os.environ.get("MIA_AFTER")

    assert record.trace().files.keys() == {str(file)}
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


def test_a_database_by_its_address(file):
    with recording("code") as record:
        sqlite3.connect(f"file:{file}?mode=ro", uri=True).close()

    assert record.trace().files.keys() == {str(file)}


def test_a_compiled_module_is_a_file(file, monkeypatch):
    with recording("code") as record:
        sys.audit("import", "mia_compiled", str(file), None, None, None)

    assert record.trace().files.keys() == {str(file)}


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


def test_processes_of_which_python_says_nothing():
    with recording("code") as record:
        process = multiprocessing.get_context("spawn").Process(target=print)
        process.start()
        process.join()

    with pytest.raises(UnknownReadsError, match="other processes"):
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
