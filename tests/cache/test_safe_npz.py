"""Archives that somebody else may have written: no code is run, and a small file never takes much memory."""

import io
import pickle
import resource
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mia.cache import safe_npz

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"]), "c": np.array(True), "d": np.zeros((0, 3))}


def packed(write=np.savez, **arrays):
    file = io.BytesIO()
    write(file, **arrays)
    return file.getvalue()


def zipped(entries, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return file.getvalue()


def npy(header, content=b"", version=b"\x01\x00"):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


def header(shape, descr="<f8"):
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"


def read(content, most=10_000):
    return safe_npz.read_arrays(io.BytesIO(content), most=most)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_of_every_plain_kind(write):
    found = read(packed(write, **ARRAYS, f=np.asfortranarray(ARRAYS["a"])))
    assert list(found) == [*ARRAYS, "f"]
    for name, array in (ARRAYS | {"f": ARRAYS["a"]}).items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)


class Bomb:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("shape", ["entry", "file", "object array"])
def test_nothing_is_unpickled(tmp_path, shape):
    bomb = pickle.dumps(Bomb(str(tmp_path / "run")))
    content = {
        "entry": zipped({"a.npy": bomb, "a": bomb}),
        "file": bomb,
        "object array": packed(a=np.array([Bomb(str(tmp_path / "run"))], dtype=object)),
    }[shape]
    with pytest.raises(ValueError):
        read(content)
    assert not (tmp_path / "run").exists()


HUGE = 10**13
EIGHT = b"\0" * 8
ONE = zipped({"a.npy": npy(header((1,)), EIGHT)})
RECORD = "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1,), }"
BOMBS = {
    "packed zeros": zipped({"a.npy": npy(header((10**6,)), EIGHT * 10**6)}),
    "a header that claims more than there is": zipped({"a.npy": npy(header((HUGE,)), EIGHT)}),
    "a header of numbers without end": zipped({"a.npy": npy(header((10**4000,)), EIGHT)}),
    "a header below zero": zipped({"a.npy": npy(header((-8, -1)), EIGHT)}),
    "entries without size": zipped({"a.npy": npy(header((HUGE,), "<U0"))}),
    "nested shapes": zipped({"a.npy": npy(header("(" * 3000 + ")" * 3000), EIGHT)}),
    "a record type": zipped({"a.npy": npy(RECORD, EIGHT)}),
    "another format": zipped({"a.npy": npy(header((1,)), EIGHT, version=b"\x09\x00")}),
    "another compression": ONE.replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"),
    "a code in the header": zipped({"a.npy": npy("__import__('os').abort()")}),
    "nothing": b"",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_take_no_memory(bomb):
    """They are small, and reading them raises the largest memory that this process ever had by little."""
    assert len(BOMBS[bomb]) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError):
        read(BOMBS[bomb])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"


def test_what_a_file_declares_is_the_most_that_is_unpacked():
    """A file that lies about the size of an entry is cut off there."""
    content = BOMBS["packed zeros"]
    real, told = (struct.pack("<L", size) for size in (len(npy(header((10**6,)))) + 8 * 10**6, 200))
    assert content.count(real) == 2, "once where the entry stands, once in the directory"
    with pytest.raises(ValueError):
        read(content.replace(real, told))


def test_the_limit_is_of_all_arrays_together():
    content = packed(a=np.zeros(500), b=np.zeros(500))
    assert read(content, most=9000).keys() == {"a", "b"}
    with pytest.raises(ValueError, match=r"its arrays would take 8,\d{3} bytes, and no more than 8,000 are read"):
        read(content, most=8000)


WHOLE = {write.__name__: packed(write, **ARRAYS) for write in (np.savez, np.savez_compressed)}


flips = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255))


@given(st.sampled_from(sorted(WHOLE)), st.lists(flips, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_refused_or_read_in_part(kind, flips):
    content = bytearray(WHOLE[kind])
    for place, by in flips:
        content[int(place * len(content))] ^= by
    try:
        found = read(bytes(content))
    except ValueError:
        return
    for name in set(found) & set(ARRAYS):
        assert found[name].size <= ARRAYS[name].size


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_anything_else_is_refused(content):
    with pytest.raises(ValueError):
        read(content)


def test_the_size_of_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    with (tmp_path / "file").open("rb") as file:
        assert safe_npz.size_of(file) == 5
        assert file.read() == b"12345"
