"""Entries of the cache: refreshed, left alone, damaged, or never written; and what they must not hold."""

import dataclasses
import os

import numpy as np
import pytest
from whole import NOISE, entries, figures, uses

import pytest_mia
from pytest_mia.cache.store import Entry, Store

X, Y = NOISE


def test_refreshing_trains_all_again_and_keeps_them(cached_audit, tmp_path):
    cached_audit()
    for path in entries(tmp_path):
        os.utime(path, (1e9, 1e9))
    refreshed = cached_audit(cache="refresh")

    assert uses(refreshed) == (0, 4)
    assert all(path.stat().st_mtime > 1e9 for path in entries(tmp_path))
    assert uses(cached_audit()) == (4, 0)


def test_off_neither_finds_nor_keeps(cached_audit, tmp_path):
    cached_audit(cache="off")

    assert not (tmp_path / "cache").exists()
    cached_audit()
    assert uses(cached_audit(cache="off")) == (0, 0)


def test_damaged_entries_are_trained_again_with_a_warning(cached_audit, tmp_path):
    whole = cached_audit()
    for path in entries(tmp_path):
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.warns(pytest_mia.CacheWarning, match="is damaged"):
        again = cached_audit()

    assert uses(again) == (0, 4)
    assert sum("is damaged" in note for note in again.notes) == 5
    assert figures(again)["advantage"] == figures(whole)["advantage"]
    assert uses(cached_audit()) == (4, 0)


@pytest.mark.parametrize(
    "arrays",
    [
        {"confidence": np.zeros(3)},
        {"weights": np.zeros(120)},
        {"confidence": np.zeros(120), "correct": np.zeros(119)},
        {"confidence": np.zeros(120), "shown": np.full((120, 3), "0.5")},
        {"confidence": np.full(120, np.nan)},
    ],
)
def test_entries_that_hold_something_else_are_trained_again(cached_audit, tmp_path, arrays):
    whole = cached_audit()
    kept = Store(tmp_path / "cache")
    for path in entries(tmp_path)[:4]:
        key = path.stem.removeprefix("mia-")
        kept.save(key, dataclasses.replace(Entry({**kept.load(key).words}), arrays=arrays))
    with pytest.warns(pytest_mia.CacheWarning, match="holds something else"):
        again = cached_audit()

    assert uses(again) == (0, 4)
    assert again.advantage == whole.advantage


@pytest.mark.parametrize(("word", "value"), [("alone", {}), ("probes", [3]), ("seconds", "long"), ("queries", None)])
def test_entries_whose_words_are_of_another_kind_are_trained_again(cached_audit, tmp_path, word, value):
    cached_audit()
    kept = Store(tmp_path / "cache")
    for path in entries(tmp_path)[:4]:
        key = path.stem.removeprefix("mia-")
        entry = kept.load(key)
        kept.save(key, Entry({**entry.words, word: value}, entry.arrays))
    with pytest.warns(pytest_mia.CacheWarning, match="holds something else"):
        assert uses(cached_audit()) == (0, 4)


def test_a_folder_that_cannot_be_written_is_noted(cached_audit, tmp_path):
    (tmp_path / "file").write_text("")
    result = cached_audit(cache_dir=tmp_path / "file" / "cache")

    assert uses(result) == (0, 4)
    (note,) = result.notes
    assert "could not be cached" in note
    assert "Not a directory" in note
    assert result.advantage == cached_audit(cache_dir=None).advantage


def test_no_entry_holds_a_feature_value(cached_audit, tmp_path):
    records = pytest_mia.Dataset(
        np.where(X > 1, 1234.5678, X),
        np.array(["grün", "blau", "rot"])[Y],
        slices={"town": ["Wolkenkuckucksheim"] * 120},
    )
    cached_audit(dataset=records)
    content = b"".join(path.read_bytes() for path in entries(tmp_path))

    assert len(content) > 10_000
    for value in (1234.5678, *X[:5].ravel()):
        assert np.float64(value).tobytes() not in content
    for text in ("1234.5678", "Wolkenkuckucksheim", "grün", "blau"):
        assert text.encode() not in content
        assert text.encode("utf-32-le") not in content
