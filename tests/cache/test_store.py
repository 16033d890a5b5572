"""The store: what is written is read, whole or not at all, and nothing that goes wrong with it is an error."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from pytest_mia.cache import store
from pytest_mia.cache.store import Entry, Store
from pytest_mia.core.errors import CacheWarning

KEY, OTHER = "a" * 64, "b" * 64
ENTRY = Entry({"queries": 1, "seconds": 0.1, "text": "é"}, {"correct": np.arange(3.0), "shown": np.ones((3, 2), "f4")})


@pytest.fixture
def kept(tmp_path):
    return Store(tmp_path / "new" / "folder")


def files(kept):
    return sorted(path.name for path in kept.folder.iterdir())


def test_what_is_saved_is_loaded(kept):
    kept.save(KEY, ENTRY)
    found = kept.load(KEY)

    assert found.words.items() >= ENTRY.words.items()
    assert found.arrays.keys() == ENTRY.arrays.keys()
    for name, array in ENTRY.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype
    assert not kept.remarks


def test_a_key_without_an_entry(kept):
    assert kept.load(KEY) is None
    assert not kept.remarks


def test_a_later_entry_takes_the_place_of_an_earlier_one(kept):
    kept.save(KEY, ENTRY)
    kept.save(KEY, Entry({"queries": 2}))

    assert kept.load(KEY).words["queries"] == 2
    assert len(files(kept)) == 1


def test_entries_from_before_a_refresh_do_not_count(kept):
    kept.save(KEY, ENTRY)
    renewed = Store(kept.folder, since=time.time() + 60)

    assert renewed.load(KEY) is None
    assert Store(kept.folder, since=time.time() - 60).load(KEY) is not None


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: flipped(content, 3),
        lambda content: flipped(content, 30),
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, len(content) - 1),
        lambda content: np.random.default_rng(0).bytes(1000),
    ],
)
def test_a_damaged_entry_is_left_out_with_a_warning(kept, damage):
    kept.save(KEY, ENTRY)
    path = kept.folder / f"mia-{KEY}.entry"
    path.write_bytes(damage(path.read_bytes()))

    with pytest.warns(CacheWarning, match="is damaged"):
        assert kept.load(KEY) is None
    assert "is damaged" in next(iter(kept.remarks))
    kept.save(KEY, ENTRY)
    assert kept.load(KEY) is not None


def test_an_entry_of_another_key_is_left_out(kept):
    kept.save(KEY, ENTRY)
    os.rename(kept.folder / f"mia-{KEY}.entry", kept.folder / f"mia-{OTHER}.entry")

    with pytest.warns(CacheWarning, match="another key"):
        assert kept.load(OTHER) is None


def test_a_warning_that_is_made_an_error_remains_a_remark(kept):
    kept.save(KEY, ENTRY)
    (kept.folder / f"mia-{KEY}.entry").write_bytes(b"")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kept.load(KEY) is None
    assert len(kept.remarks) == 1


def test_objects_are_never_unpickled(kept):
    class Evil:
        def __reduce__(self):
            return os.abort, ()

    kept.save(KEY, Entry({}, {"correct": np.array([Evil()], dtype=object)}))

    with pytest.warns(CacheWarning, match="is damaged"):
        assert kept.load(KEY) is None


def test_nobody_else_can_read_what_is_kept(kept):
    before = os.umask(0)
    try:
        kept.save(KEY, ENTRY)
        with kept.locked(KEY, wait=0):
            modes = {path.suffix: path.stat().st_mode & 0o777 for path in kept.folder.iterdir()}
    finally:
        os.umask(before)
    assert modes == {".entry": 0o600, ".lock": 0o600}
    assert kept.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("limit", "told"), [("MOST_BYTES", "larger than 100 bytes"), ("MOST_WORDS", "words are larger than 100 bytes")]
)
def test_an_entry_that_is_too_large_is_not_read(kept, monkeypatch, limit, told):
    kept.save(KEY, Entry({"text": "x" * 200}))
    monkeypatch.setattr(store, limit, 100)

    with pytest.warns(CacheWarning, match=told):
        assert kept.load(KEY) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_opened(kept):
    kept.folder.mkdir(parents=True)
    os.mkfifo(kept.folder / f"mia-{KEY}.entry")

    with pytest.warns(CacheWarning, match="it is no file"):
        assert kept.load(KEY) is None


@pytest.mark.parametrize(
    "words",
    [
        '{"a": ' * 10_000,
        "[" * 100_000,
        "9" * 5000,
        '"text"',
        "[]",
        "{}",
        f'{{"key": "{KEY}", "written": 1{400 * "0"}}}',
        "\0",
        "",
    ],
)
def test_words_that_are_none_are_left_out(kept, monkeypatch, words):
    """Their digest is right, so whoever wrote them meant it."""
    monkeypatch.setattr(store.json, "dumps", lambda _: words)
    kept.save(KEY, Entry({}))

    with pytest.warns(CacheWarning, match="is damaged"):
        assert kept.load(KEY) is None


@pytest.mark.parametrize("operation", ["mkstemp", "fsync", "replace"])
def test_a_full_disk_is_remarked_on_and_leaves_nothing_behind(kept, monkeypatch, operation):
    def full(*_args, **_keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.tempfile if operation == "mkstemp" else os, operation, full)
    kept.save(KEY, ENTRY)
    monkeypatch.undo()

    assert "No space left on device" in next(iter(kept.remarks))
    assert files(kept) == []
    assert kept.load(KEY) is None


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_writing_to_a_device_that_is_full(kept, monkeypatch):
    kept.folder.mkdir(parents=True)
    monkeypatch.setattr(store.tempfile, "mkstemp", lambda **_: (os.open("/dev/full", os.O_WRONLY), "nowhere"))
    kept.save(KEY, ENTRY)

    assert "No space left on device" in next(iter(kept.remarks))


@pytest.fixture
def unusable(tmp_path):
    """A store in a folder that can't be made, even by an administrator: a file stands in its place."""
    tmp_path.joinpath("file").write_text("")
    return Store(tmp_path / "file" / "folder")


def test_a_folder_that_cannot_be_written_is_remarked_on(unusable):
    unusable.save(KEY, ENTRY)
    with unusable.locked(KEY, wait=0) as held:
        assert held

    assert unusable.load(KEY) is None
    (remark,) = unusable.remarks
    assert "Not a directory" in remark
    unusable.prune()


def test_a_folder_that_vanishes_is_made_again(kept):
    kept.save(KEY, ENTRY)
    for path in kept.folder.iterdir():
        path.unlink()
    kept.folder.rmdir()
    kept.save(KEY, ENTRY)

    assert kept.load(KEY) is not None


def test_a_lock_keeps_others_out(kept):
    with kept.locked(KEY, wait=0) as first:
        with kept.locked(KEY, wait=0) as second, kept.locked(OTHER, wait=0) as other:
            assert (first, second, other) == (True, False, True)
        with kept.locked(KEY, wait=0.1) as third:
            assert not third
    with kept.locked(KEY, wait=0) as again:
        assert again


def test_an_error_inside_lets_go_of_the_lock(kept):
    with pytest.raises(ZeroDivisionError), kept.locked(KEY, wait=0):
        raise ZeroDivisionError
    with kept.locked(KEY, wait=0) as held:
        assert held


HOLD = """
with kept.locked("a" * 64, wait=0) as held:
    print(held, flush=True)
    time.sleep(60)
"""
WRITE = """
for number in itertools.count():
    kept.save("a" * 64, Entry({"number": number}, {"values": np.full(200_000, number)}))
    print(number, flush=True)
"""
BEFORE = """
import itertools, pathlib, sys, time
import numpy as np
from pytest_mia.cache.store import Entry, Store
kept = Store(pathlib.Path(sys.argv[1]))
"""


@contextlib.contextmanager
def another_process(kept, lines):
    """Run lines in another process until its first line of output; it is killed at the end."""
    kept.folder.mkdir(parents=True, exist_ok=True)
    script = [sys.executable, "-c", BEFORE + lines, kept.folder]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield process
        process.send_signal(signal.SIGKILL)


def test_a_killed_process_lets_go_of_its_lock(kept):
    with another_process(kept, HOLD), kept.locked(KEY, wait=0) as held:
        assert not held
    with kept.locked(KEY, wait=10) as held:
        assert held


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011])
def test_a_process_that_is_killed_while_it_writes_leaves_whole_entries_only(kept, delay):
    with another_process(kept, WRITE):
        time.sleep(delay)
    found = kept.load(KEY)

    assert (found.arrays["values"] == found.words["number"]).all()
    assert not kept.remarks


def aged(kept, key, days):
    moment = time.time() - days * 86400
    os.utime(kept.folder / f"mia-{key}.entry", (moment, moment))


def test_what_was_not_used_for_long_is_removed(kept):
    for key in (KEY, OTHER):
        kept.save(key, ENTRY)
        aged(kept, key, 31)
    kept.load(OTHER)
    kept.prune()

    assert files(kept) == [f"mia-{OTHER}.entry"]


def test_what_was_used_least_recently_is_removed_where_there_is_too_much(kept, monkeypatch):
    for days, key in enumerate((KEY, OTHER, "c" * 64)):
        kept.save(key, ENTRY)
        aged(kept, key, days)
    size = (kept.folder / f"mia-{KEY}.entry").stat().st_size
    monkeypatch.setattr(store, "MOST_BYTES", 2.5 * size)
    kept.prune()

    assert files(kept) == [f"mia-{KEY}.entry", f"mia-{OTHER}.entry"]


def test_files_of_others_are_never_removed(kept):
    kept.folder.mkdir(parents=True)
    names = ["thesis.tex", "mia-notes.txt", "mia-1.entry", f"x{KEY}.entry"]
    for name in names:
        (kept.folder / name).write_text("")
        os.utime(kept.folder / name, (0, 0))
    kept.prune()

    assert files(kept) == sorted(names)


def test_what_a_killed_process_left_half_written_is_removed_in_time(kept):
    kept.folder.mkdir(parents=True)
    (kept.folder / "mia-1_abc.part").write_text("")
    kept.prune()
    assert files(kept) == ["mia-1_abc.part"]
    os.utime(kept.folder / "mia-1_abc.part", (0, 0))
    kept.prune()

    assert files(kept) == []
