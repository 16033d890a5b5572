"""Arrays from npz files that anybody may have written.

No code is run, whatever a file holds, and its size is known before memory is spent on it: neither what it packs nor
what its headers claim can take more than the reader allows.
"""

from __future__ import annotations

import math
import os
import zipfile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

SUFFIX = ".npy"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def size_of(file: IO[bytes]) -> int:
    """Bytes of an open file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def read_arrays(file: IO[bytes], *, most: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an npz file by their names.

    Parameters
    ----------
    file
        The file, open and seekable.
    most
        Bytes that they may take together in memory.

    Raises
    ------
    ValueError
        For anything but whole arrays of plain types that fit; the message says why.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = {each.filename.removesuffix(SUFFIX): each for each in archive.infolist()}
            total = sum(each.file_size for each in found.values())
            if total > most:
                raise ValueError(f"its arrays would take {total:,} bytes, and no more than {most:,} are read")
            return {name: _array(archive, each) for name, each in found.items()}
    except Exception as error:
        # The formats of zip, its compressions and npy headers have many ways to be damaged, and MemoryError is one.
        raise ValueError(str(error) or type(error).__name__) from None


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """An array whose header claims just the bytes that are there."""
    with archive.open(entry) as content:
        version = np.lib.format.read_magic(content)
        if version not in HEADERS:
            raise ValueError(f"{entry.filename} has the npy format {version}, which is not read")
        shape, _, dtype = HEADERS[version](content)
        if dtype.kind not in "biufSU" or not dtype.itemsize:
            raise ValueError(f"{entry.filename} holds {dtype}, and only numbers and texts are read")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != entry.file_size - content.tell():
            raise ValueError(f"{entry.filename} doesn't hold what its header says")
    with archive.open(entry) as content:
        return np.asarray(np.lib.format.read_array(content, allow_pickle=False))
