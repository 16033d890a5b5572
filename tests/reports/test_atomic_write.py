"""A report is written whole or not at all, for the user alone, and over nothing else."""

import os

import pytest

from pytest_mia.reports import atomic_write


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("words", "mode"), [({}, 0o600), ({"mode": atomic_write.SHARED}, 0o644)])
def test_who_may_see_it(tmp_path, words, mode):
    path = tmp_path / "mia.json"
    path.write_text("before")
    atomic_write.write(path, "é\ud800", **words)
    assert path.read_bytes() == "é?".encode()
    assert path.stat().st_mode & 0o777 == mode
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "theirs").write_text("before")
    (tmp_path / "mia.json").symlink_to(tmp_path / "theirs")
    atomic_write.write(tmp_path / "mia.json", "report")
    assert (tmp_path / "theirs").read_text() == "before"
    assert (tmp_path / "mia.json").read_text() == "report"
    assert not (tmp_path / "mia.json").is_symlink()


def test_what_is_there_already_is_not_written_through(tmp_path, monkeypatch):
    """Somebody else who guesses the name of the unfinished file gains nothing by putting a link there."""
    monkeypatch.setattr(atomic_write.secrets, "token_hex", lambda _: "0")
    (tmp_path / "theirs").write_text("before")
    (tmp_path / ".mia.json.0").symlink_to(tmp_path / "theirs")
    with pytest.raises(FileExistsError):
        atomic_write.write(tmp_path / "mia.json", "report")
    assert (tmp_path / "theirs").read_text() == "before"


def test_a_full_disk_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "mia.json"
    path.write_text("before")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write.Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write.write(path, "report")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]
