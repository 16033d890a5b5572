"""Traces: everything that was read, by its digest."""

import os
import types

import pytest

from pytest_mia.cache import traces
from pytest_mia.cache.traces import ABSENT, Trace


def test_a_trace_holds_until_one_thing_changes(tmp_path, monkeypatch):
    file = tmp_path / "settings.yaml"
    file.write_text("1")
    monkeypatch.setenv("MIA_DEPTH", "1")
    found = traces.trace(files=[str(file), str(tmp_path / "none")], variables=["MIA_DEPTH", "MIA_NONE"])

    assert found.holds()
    assert found.variables["MIA_NONE"] == found.files[str(tmp_path / "none")] == ABSENT
    monkeypatch.setenv("MIA_NONE", "")
    assert not found.holds(), "an empty value is one"
    monkeypatch.delenv("MIA_NONE")
    assert found.holds()
    file.write_text("2")
    assert not found.holds()


def test_it_names_things_and_never_shows_them(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("secret")
    monkeypatch.setenv("MIA_TOKEN", "secret")
    words = traces.trace(files=[str(tmp_path / "file")], variables=["MIA_TOKEN"]).words

    assert "secret" not in str(words)
    assert Trace.read(words).holds()


@pytest.mark.parametrize(
    "words", [{"files": {"a": 1}}, {"files": ["a"]}, {"files": {}, "others": {}}, {"variables": {1: "a"}}, []]
)
def test_words_of_something_else(words):
    with pytest.raises((TypeError, ValueError, AttributeError)):
        Trace.read(words)


def test_what_another_trace_says_is_added():
    found = Trace(files={"a": "1"}).with_earlier(Trace(files={"a": "0", "b": "2"}, variables={"c": "3"}))

    assert found == Trace(files={"a": "1", "b": "2"}, variables={"c": "3"})


def test_a_file_is_read_once_as_long_as_it_stays(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"a")
    digest = traces.digest_file(str(path))
    monkeypatch.setattr(traces.hashlib, "file_digest", lambda *_: pytest.fail("it is read again"))
    assert traces.digest_file(str(path)) == digest


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path):
    path, digests = tmp_path / "weights", set()
    for content in (b"a", b"b", b"c"):
        path.write_bytes(content)
        os.utime(path, ns=(1, 1))
        digests.add(traces.digest_file(str(path)))

    assert len(digests) == 3


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package with these files, or take it away."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def install(version, **files):
        for path in folder.glob("net-*.dist-info/*"):
            path.unlink()
        for path in folder.glob("net-*"):
            path.rmdir()
        info = folder / f"net-{version}.dist-info"
        info.mkdir()
        for name, text in files.items():
            (info / name.replace("_txt", ".txt")).write_text(text)
        traces._modules_of_packages.cache_clear()
        traces._digest_package.cache_clear()
        return info.name

    yield install
    traces._modules_of_packages.cache_clear()
    traces._digest_package.cache_clear()


@pytest.mark.parametrize("files", [{"RECORD": "mia_net.py,sha256=a,1\n"}, {"top_level_txt": "mia_net\n"}])
def test_a_package_counts_once_a_module_of_it_is_loaded(package, monkeypatch, files):
    name = package("1.0", **files)
    assert name not in traces.list_loaded_packages()
    monkeypatch.setitem(traces.sys.modules, "mia_net", os)

    assert name in traces.list_loaded_packages()


def test_a_plugin_of_pytest_does_not_count(package, monkeypatch):
    name = package("1.0", RECORD="mia_net/__init__.py,,\n", entry_points_txt="[pytest11]\nnet = mia_net\n")
    monkeypatch.setitem(traces.sys.modules, "mia_net", os)

    assert name not in traces.list_loaded_packages()


def test_another_version_and_the_same_one_installed_anew(package):
    found = traces.trace(packages=[package("1.0", RECORD="mia_net.py,sha256=a,1\n")])
    assert found.holds()
    package("1.0", RECORD="mia_net.py,sha256=b,1\n")
    assert not found.holds()
    package("1.1", RECORD="mia_net.py,sha256=a,1\n")
    assert not found.holds()


def test_the_packages_that_are_loaded_here():
    assert {name.partition("-")[0] for name in traces.list_loaded_packages()} >= {"numpy", "pluggy"}
    assert not [name for name in traces.list_loaded_packages() if name.startswith("pytest")]


def test_what_is_told_of_a_path_that_nobody_opens(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("1")
    found = traces.trace(paths=[str(path), str(tmp_path)])
    path.write_text("2")
    (tmp_path / "more").touch()
    os.utime(path, (1e9, 1e9))

    assert found.holds(), "it is there still, and as large"
    path.write_text("22")
    assert not found.holds()
    path.unlink()
    assert traces.digest_path(str(path)) == ABSENT
    path.symlink_to("more")
    first = traces.digest_path(str(path))
    (tmp_path / "other").touch()
    path.unlink()
    path.symlink_to("other")
    assert traces.digest_path(str(path)) != first


def test_the_name_of_the_working_folder(tmp_path, monkeypatch):
    found = traces.trace(paths=[traces.HERE])

    assert found.holds()
    monkeypatch.chdir(tmp_path)
    assert not found.holds()


def test_plain_values_of_a_module(monkeypatch):
    module = types.ModuleType("mia_values")
    monkeypatch.setitem(traces.sys.modules, "mia_values", module)
    module.DEPTH, module.function = 3, lambda: 3
    found = traces.trace(values=["mia_values"])
    module.function = lambda: 4

    assert found.holds(), "code is told by its file"
    module.DEPTH = 4
    assert not found.holds()
    monkeypatch.delitem(traces.sys.modules, "mia_values")
    assert traces.digest_values("mia_values") == ABSENT
