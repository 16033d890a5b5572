"""The files that code reads, told by their content."""

import importlib
import os
import sqlite3
import subprocess
import sys

import pytest

from pytest_mia.cache import file_reads


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("depth: 3")
    return path


def aged(path):
    """The same file, written a while ago."""
    os.utime(path, (1e9, 1e9))
    return path


@pytest.mark.parametrize(
    "read",
    [
        lambda path: path.read_text(),
        lambda path: path.read_bytes(),
        lambda path: open(path).close(),
        lambda path: open(os.fsencode(path)).close(),
        lambda path: os.close(os.open(path, os.O_RDONLY)),
        lambda path: sqlite3.connect(path).close(),
    ],
)
def test_what_is_read_is_told_by_its_content(file, read):
    with file_reads.recording():
        read(file)
    first = file_reads.digest_files_read()
    file.write_text("depth: 4")

    assert first.keys() == {str(file)}
    assert file_reads.digest_file(str(file)) != first[str(file)]


@pytest.mark.parametrize("listed", [os.listdir, lambda path: [*path.glob("*.yaml")], lambda path: [*os.scandir(path)]])
def test_a_folder_is_told_by_its_names(file, listed):
    with file_reads.recording():
        listed(file.parent)
    os.utime(file.parent, (1e9, 1e9))
    first = file_reads.digest_files_read()
    file.write_text("depth: 4")
    same = file_reads.digest_file(str(file.parent))
    file.with_name("more.yaml").touch()

    assert first == {str(file.parent): same}
    assert file_reads.digest_file(str(file.parent)) != same


def test_the_names_in_the_caches_own_folder_do_not_count(file):
    with file_reads.recording():
        os.listdir(file.parent)

    assert file_reads.digest_files_read(without=str(file.parent)) == {}


def test_other_processes_may_read_what_is_not_heard():
    with file_reads.recording():
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    with pytest.raises(file_reads.UnknownReadsError, match="other processes"):
        file_reads.digest_files_read()
    with file_reads.recording():
        pass

    assert not file_reads.digest_files_read(), "each model is another matter"


def test_programs_that_packages_start_by_themselves(monkeypatch):
    """As joblib counts the cores; the package's version stands for it."""
    monkeypatch.setattr(file_reads, "is_user_file", lambda name: False)
    with file_reads.recording():
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)

    assert not file_reads.digest_files_read()


def test_what_was_started_inside_counts_after_the_others_of_a_company():
    with file_reads.recording():
        file_reads.mark_reads_unknown("elsewhere")
        with file_reads.not_recording(), file_reads.recording():
            pass

    assert file_reads.explain_unknown_reads() == "elsewhere"


def test_names_count_from_the_folder_they_were_read_in(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with file_reads.recording():
        open("settings.yaml").close()
    here = file_reads.digest_files_read()
    monkeypatch.chdir("/")

    assert here.keys() == {"settings.yaml"}
    assert file_reads.digest_file("settings.yaml") == file_reads.ABSENT, (
        "another run may read another file of this name"
    )
    assert file_reads.digest_files_read().keys() == set(file_reads.list_files_read()) == {str(file)}


def test_what_another_process_read(file):
    file_reads.add_files_read([str(file)])

    assert file_reads.digest_files_read() == {str(file): file_reads.digest_file(str(file))}


def test_large_files(tmp_path):
    path = tmp_path / "weights"
    digests = set()
    for content in (b"a", b"b", b"c"):
        path.write_bytes(content * (file_reads.LARGE + 1))
        os.utime(path, ns=(len(digests), len(digests)))
        digests |= {file_reads.digest_file(str(path)), file_reads.digest_file(str(path))}

    assert len(digests) == 3


def test_what_is_read_outside_does_not_count(file):
    file.read_text()
    with file_reads.recording():
        pass
    file.read_text()

    assert file_reads.digest_files_read() == {}


def test_a_file_that_was_looked_for_and_is_absent(tmp_path):
    with file_reads.recording(), pytest.raises(FileNotFoundError):
        (tmp_path / "override.yaml").read_text()

    assert file_reads.digest_files_read() == {str(tmp_path / "override.yaml"): file_reads.ABSENT}


def test_what_is_written_does_not_count(tmp_path):
    with file_reads.recording():
        (tmp_path / "checkpoint").write_text("1")
        (tmp_path / "checkpoint").read_text()

    assert file_reads.digest_files_read() == {}


def test_what_changes_after_it_was_read_is_an_error(file):
    with file_reads.recording():
        file.read_text()
    os.utime(file, (2e9, 2e9))

    with pytest.raises(file_reads.ChangedError, match="settings"):
        file_reads.digest_files_read()


def test_files_are_not_forgotten(file, tmp_path):
    """What an earlier model's training read and kept may serve a later one."""
    with file_reads.recording():
        file.read_text()
    with file_reads.recording():
        pass

    assert file_reads.digest_files_read().keys() == {str(file)}


def test_bytecode_counts_as_its_source(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    source = tmp_path / "mia_read_module.py"
    source.write_text("DEPTH = 3\n")
    for _ in range(2):
        with file_reads.recording():
            importlib.import_module("mia_read_module")
        del sys.modules["mia_read_module"]

    assert list(tmp_path.glob("__pycache__/*.pyc"))
    assert file_reads.digest_files_read() == {str(source): file_reads.digest_file(str(source))}


def test_installed_packages_and_the_system_do_not_count():
    with file_reads.recording():
        open(pytest.__file__).close()
        open(os.__file__).close()
        open(file_reads.__file__).close()
        open(os.devnull).close()

    assert file_reads.digest_files_read() == {}


def test_file_descriptors_and_folders_do_no_harm(tmp_path):
    with file_reads.recording():
        handle = os.open(tmp_path, os.O_RDONLY)
        os.close(handle)
        reader, writer = os.pipe()
        open(reader).close()
        os.close(writer)

    assert file_reads.digest_files_read().keys() <= {str(tmp_path)}, "to open a folder is to list it"


def test_recording_inside_recording(file, tmp_path):
    with file_reads.recording():
        with file_reads.recording():
            pass
        file.read_text()

    assert file_reads.digest_files_read().keys() == {str(file)}


def test_names_can_be_told_while_another_thread_reads_files(monkeypatch):
    def meanwhile(path):
        file_reads._heard["", f"/{len(file_reads._heard)}"] = 0.0
        return path

    file_reads._heard["", "/first"] = 0.0
    monkeypatch.setattr(file_reads.os.path, "abspath", meanwhile)
    assert file_reads.list_files_read() == ("/first",)
