"""The safetensors format, read with suspicion and written plainly.

A file is eight bytes with the length of the header, a JSON header that gives dtype, shape and
offsets of every tensor, and the bytes of the tensors. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.train.strict_json import parse_json

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
MAX_HEADER = 100_000_000
MAX_RANK = 32
LARGEST = 2**63


def pack(tensors: dict[str, np.ndarray]) -> bytes:
    """The bytes of a safetensors file with these arrays."""
    from safetensors.numpy import save  # imported late: only saving needs it

    return save({name: np.asarray(a, order="C") for name, a in tensors.items()})


def unpack(data: bytes, shown: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file; anything irregular raises BadInput.

    Refused are truncated files, duplicate names, unknown dtypes, shapes that do not fill their
    bytes, and bytes that overlap, leave holes or lie outside the file.
    """
    header, start = _header(data, shown)
    body = memoryview(data)[start:]
    spans: list[tuple[int, int, str]] = []
    tensors: dict[str, np.ndarray] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, begin, end = _entry(name, entry, len(body), shown)
        tensors[name] = np.frombuffer(body[begin:end], dtype).reshape(shape).copy()
        spans.append((begin, end, name))
    _check_cover(sorted(spans), len(body), shown)
    return tensors


def _header(data: bytes, shown: str) -> tuple[dict[str, Any], int]:
    if len(data) < 8:
        raise _damaged(shown, f"it has {len(data)} bytes, fewer than the 8 of an empty one")
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER, len(data) - 8):
        raise _damaged(
            shown, f"its header claims {length} bytes where the file has {len(data) - 8}"
        )
    try:
        text = data[8 : 8 + length].decode("utf-8")
    except UnicodeDecodeError:
        raise _damaged(shown, "its header is not UTF-8 text") from None
    header = parse_json(text, f"{shown}: the header")
    if not isinstance(header, dict):
        raise _damaged(shown, "its header is not a JSON object")
    return header, 8 + length


def _entry(
    name: str, entry: object, available: int, shown: str
) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(shown, f"tensor {name!r} needs exactly dtype, shape and data_offsets")
    spelled, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(spelled, str) or spelled not in DTYPES:
        raise BadInput(
            f"{shown}: tensor {name!r} has dtype {spelled!r}; glassgrad reads {', '.join(DTYPES)}."
        )
    if not _naturals(shape) or len(shape) > MAX_RANK:
        raise _damaged(shown, f"tensor {name!r} has shape {json.dumps(shape)[:80]}")
    if not _naturals(offsets) or len(offsets) != 2:
        raise _damaged(shown, f"tensor {name!r} has offsets {json.dumps(offsets)[:80]}")
    begin, end = offsets
    if not begin <= end <= available:
        raise _damaged(shown, f"tensor {name!r} lies at bytes {begin} to {end} of {available}")
    dtype = np.dtype(DTYPES[spelled])
    size = dtype.itemsize
    for extent in shape:
        size *= extent  # Python's integers: no product can wrap around
    if size != end - begin:
        raise _damaged(
            shown, f"tensor {name!r} of shape {shape} needs {size} bytes but has {end - begin}"
        )
    return dtype, tuple(shape), begin, end


def _naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < LARGEST for v in value)


def _check_cover(spans: list[tuple[int, int, str]], available: int, shown: str) -> None:
    reached = 0
    for begin, end, name in spans:
        if begin < reached:
            raise _damaged(shown, f"tensor {name!r} overlaps another one")
        if begin > reached:
            raise _damaged(shown, f"{begin - reached} bytes before tensor {name!r} are unused")
        reached = end
    if reached != available:
        raise _damaged(shown, f"{available - reached} bytes at its end belong to no tensor")


def _damaged(shown: str, what: str) -> BadInput:
    return BadInput(f"{shown}: damaged weights file: {what}. Copy or train the model again.")
