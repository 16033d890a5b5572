"""What is noticed though Python has no audit events for it, and that nothing else changes."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from pytest_mia.cache import callers, noticing, traces
from pytest_mia.cache.record import Record


@pytest.fixture
def noted(monkeypatch):
    found = []
    monkeypatch.setenv("MIA_THERE", "1")
    monkeypatch.setattr(Record, "note", lambda _record, part, what: found.append((part, what)))
    with noticing.noticing(Record()):
        yield found


@pytest.mark.parametrize(
    "ask",
    [
        lambda: os.environ["MIA_THERE"],
        lambda: os.environ.get("MIA_THERE"),
        lambda: os.getenvb(b"MIA_THERE"),
        lambda: "MIA_THERE" in os.environ,
        lambda: os.path.expandvars("$MIA_THERE"),
    ],
)
def test_variables(noted, ask):
    ask()

    assert noted == [("variables", "MIA_THERE")]


@pytest.mark.parametrize("ask", [len, list, dict, lambda content: content.copy(), lambda content: {**content}])
def test_all_variables(noted, ask):
    ask(os.environ)

    assert ("variables", traces.ALL_NAMES) in noted


def test_a_variable_that_is_set(noted):
    os.environ["MIA_SET"] = "1"

    assert noted == [("assigned", "MIA_SET")]
    del os.environ["MIA_SET"]


def test_a_variable_that_a_package_sets_by_itself(noted, monkeypatch):
    """As torch does on the way: a later run finds what was there before, and so does what comes after."""
    monkeypatch.setattr(callers, "is_user_file", lambda name: False)
    monkeypatch.setattr(traces, "_set_by_packages", {})
    before = [traces.digest_variable(name) for name in ("MIA_THERE", "MIA_SET", traces.ALL_NAMES)]
    for value in "23":
        os.environ["MIA_THERE"] = os.environ["MIA_SET"] = value
    names = ("MIA_THERE", "MIA_SET", traces.ALL_NAMES)

    assert [traces.digest_variable(name) for name in names] == before
    monkeypatch.setenv("MIA_SET", "4")
    monkeypatch.setattr(callers, "is_user_file", lambda name: True)
    os.environ["MIA_SET"] = "5"
    assert traces.digest_variable("MIA_SET") != before[1]
    del os.environ["MIA_SET"]


@pytest.mark.parametrize("ask", [os.path.exists, os.path.isfile, os.path.getsize, lambda path: Path(path).stat()])
def test_paths(noted, ask):
    ask(__file__)

    assert noted == [("paths", __file__)]


def test_where_a_link_leads(noted, tmp_path):
    (tmp_path / "link").symlink_to("target")
    noted.clear()

    assert os.readlink(tmp_path / "link") == "target"
    assert noted == [("paths", str(tmp_path / "link"))]


def test_the_working_folder_where_it_is_asked_for_itself(noted):
    os.path.abspath("file")
    assert not noted
    os.getcwd()
    Path.cwd()

    assert noted == [("paths", traces.HERE)] * 2


def test_descriptors_are_no_names(noted, tmp_path):
    with open(tmp_path / "file", "w") as file:
        noted.clear()
        os.stat(file.fileno())
        found = [*noted]

    assert found == []


def test_functions_do_as_ever(noted, tmp_path):
    """shutil looks for them in sets of functions."""
    (tmp_path / "link").symlink_to(__file__)
    shutil.copy2(tmp_path / "link", tmp_path / "copy", follow_symlinks=False)

    assert os.stat in os.supports_dir_fd
    assert os.stat.__name__ == "stat"
    with pytest.raises(FileNotFoundError):
        os.stat(path="/nowhere")


def test_everything_is_put_back():
    before = [getattr(os, name) for name in (*noticing.ASKING, "getcwd")]
    with pytest.raises(ValueError, match="any"), noticing.noticing(Record()):
        raise ValueError("any")

    assert [getattr(os, name) for name in (*noticing.ASKING, "getcwd")] == before
    assert not any(isinstance(getattr(os, name), noticing._Noting) for name in noticing.ASKING)


def test_what_the_code_puts_in_its_place_stays(monkeypatch):
    monkeypatch.setattr(os, "stat", os.stat)
    other = threading.Event
    with noticing.noticing(Record()):
        os.stat = other

    assert os.stat is other
