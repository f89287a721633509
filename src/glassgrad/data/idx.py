"""Reads IDX files, the format of MNIST: a magic number, the extents, and the raw numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.text_file import read_bytes

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte of the file says how each number is written; all are big-endian."""


def is_idx(data: bytes) -> bool:
    """Whether bytes begin as an IDX file does: two zeros, a known type, one to eight axes."""
    return len(data) >= 4 and data[:2] == b"\0\0" and data[2] in DTYPES and 1 <= data[3] <= 8


def read_idx(path: str | Path) -> np.ndarray[Any, Any]:
    """The array of an IDX file, plain or gzip, in the machine's byte order.

    Raises BadInput for another format and for a file that is cut off or too long.
    """
    shown = str(path)
    data = read_bytes(Path(path), shown, "IDX file")
    if not data:
        raise BadInput(f"{shown}: the file is empty. Fetch it again.")
    if not is_idx(data):
        raise BadInput(
            f"{shown}: this is no IDX file: it begins with {data[:4].hex(' ')}, where 00 00 08 03 "
            "would begin images and 00 00 08 01 labels. Images come as IDX or as .npz files."
        )
    dtype, axes = np.dtype(DTYPES[data[2]]), data[3]
    start = 4 + 4 * axes
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    size = dtype.itemsize
    for extent in shape:
        size *= extent  # Python's integers: no product can wrap around
    needed = start + size
    if len(data) != needed:
        raise BadInput(
            f"{shown}: damaged: an array of shape {tuple(shape)} needs {needed:,} bytes and the "
            f"file has {len(data):,}. Fetch it again."
        )
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))
