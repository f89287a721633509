"""Model folders: weights files read with suspicion, and saves that are whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from glassgrad.data.bad_input import BadInput
from glassgrad.train import folder as store
from glassgrad.train.folder import digest, read_config, read_weights, write_folder
from glassgrad.train.strict_json import parse_json
from glassgrad.train.weights import pack, unpack


def raw(header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_weights_go_there_and_back():
    dtypes = ("f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")
    tensors = {d: np.arange(6).reshape(2, 3).astype(d) for d in dtypes}
    tensors |= {"empty": np.zeros((0, 3)), "scalar": np.array(2.5)}
    found = unpack(pack(tensors), "f")
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert (found[name] == array).all()


HOSTILE = {
    "nothing": b"",
    "short": b"\x01\0\0",
    "header past the end": raw({}, length=2**63),
    "header is no JSON": raw(b"{"),
    "header is no UTF-8": raw(b"\xff\xfe"),
    "header is a list": raw([]),
    "duplicate": raw(b'{"a":%b,"a":%b}' % ((json.dumps(tensor()).encode(),) * 2), b"\0" * 4),
    "deep": raw(b"[" * 100_000),
    "huge number": raw(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b"]}}"),
    "unknown dtype": raw({"a": tensor("BF16", (2,))}, b"\0" * 4),
    "dtype is a list": raw({"a": tensor(["F32"])}, b"\0" * 4),
    "past the end": raw({"a": tensor(offsets=(0, 8), shape=(2,))}, b"\0" * 4),
    "backwards": raw({"a": tensor(offsets=(4, 0))}, b"\0" * 4),
    "negative": raw({"a": tensor(shape=(-1,), offsets=(-4, 0))}, b"\0" * 4),
    "overflow": raw({"a": tensor(shape=(2**32, 2**32), offsets=(0, 0))}),
    "wrong size": raw({"a": tensor(shape=(3,))}, b"\0" * 4),
    "too many axes": raw({"a": tensor(shape=(1,) * 100)}, b"\0" * 4),
    "boolean extent": raw({"a": tensor(shape=(True,))}, b"\0" * 4),
    "fractional extent": raw({"a": tensor(shape=(1.0,))}, b"\0" * 4),
    "three offsets": raw({"a": tensor(offsets=(0, 4, 4))}, b"\0" * 4),
    "missing key": raw({"a": {"dtype": "F32"}}, b"\0" * 4),
    "entry is no object": raw({"a": 5}),
    "overlap": raw({"a": tensor(), "b": tensor()}, b"\0" * 4),
    "hole": raw({"a": tensor(offsets=(4, 8))}, b"\0" * 8),
    "tail": raw({"a": tensor()}, b"\0" * 8),
    "truncated": pack({"a": np.ones(4)})[:-3],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights_are_refused(name):
    with pytest.raises(BadInput, match=r"^the file"):
        unpack(HOSTILE[name], "the file")


def test_every_flipped_header_byte_is_refused_or_harmless():
    data = pack({"a": np.ones(3, np.float32), "b": np.zeros((2, 2))})
    size = int.from_bytes(data[:8], "little") + 8
    for i in range(size):
        for bit in (1, 0x20, 0x80):
            damaged = bytearray(data)
            damaged[i] ^= bit
            with contextlib.suppress(BadInput):
                unpack(bytes(damaged), "f")


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', "NaN", "[Infinity]", "1e999", "{", "[" * 10**5, "9" * 5000, ""]
)
def test_irregular_json_is_refused(text):
    with pytest.raises(BadInput, match="config"):
        parse_json(text, "config")


def versions(mark):
    weights = mark * 1000
    return json.dumps({"mark": mark.decode(), "sha256": digest(weights)}).encode(), weights


def stored(path):
    config = json.loads(read_config(path))
    weights = read_weights(path, config["sha256"])
    assert weights == config["mark"].encode() * 1000
    return config["mark"]


def test_write_and_overwrite(tmp_path):
    path = tmp_path / "model"
    for mark in (b"a", b"b", b"c"):
        write_folder(path, *versions(mark))
        assert stored(path) == mark.decode()
        assert sorted(p.name for p in path.iterdir()) == ["config.json", "model.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


OPERATIONS = ((os, "fsync"), (os, "open"), (Path, "replace"), (Path, "rename"), (Path, "unlink"))


def count_down(patch, operations, act):
    """Let `act` strike at the operation on which the counter runs out."""
    for owner, name in OPERATIONS:
        real = getattr(owner, name)

        def wrapped(*args, _real=real, **kwargs):
            operations[0] -= 1
            if operations[0] == 0:
                act()
            return _real(*args, **kwargs)

        patch.setattr(owner, name, wrapped)


def fail():
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("existing", [True, False])
def test_a_save_that_fails_keeps_the_old_model(tmp_path, existing):
    path = tmp_path / "model"
    if existing:
        write_folder(path, *versions(b"a"))
    for when in range(1, 40):
        with pytest.MonkeyPatch.context() as patch:
            count_down(patch, [when], fail)
            try:
                write_folder(path, *versions(b"b"))
                break
            except OSError:
                pass
        if path.exists():
            assert stored(path) in "ab"
        else:
            assert not list(tmp_path.iterdir())
    assert when > 5 and stored(path) == "b"


def test_a_process_killed_while_saving_leaves_a_whole_model(tmp_path):
    path = tmp_path / "model"
    write_folder(path, *versions(b"a"))
    kept = "a"
    for when in range(1, 40):
        mark = b"b" if when % 2 else b"c"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child = os.fork()
        if not child:
            with pytest.MonkeyPatch.context() as patch:
                count_down(patch, [when], lambda: os._exit(9))
                write_folder(path, *versions(mark))
                os._exit(0)
        _, status = os.waitpid(child, 0)
        found = stored(path)
        assert found in (kept, mark.decode())
        kept = found
        if status == 0:
            break
    assert when > 8 and kept == mark.decode()
    assert sorted(p.name for p in path.iterdir()) == ["config.json", "model.safetensors"]


def test_folders_that_hold_other_things_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="holds other things and no model"):
        write_folder(tmp_path, *versions(b"a"))
    with pytest.raises(BadInput, match="this is a file"):
        write_folder(tmp_path / "thesis.txt", *versions(b"a"))
    with pytest.raises(BadInput, match="does not exist"):
        write_folder(tmp_path / "no" / "model", *versions(b"a"))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_links_devices_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_config(path)
    config, weights = versions(b"a")
    write_folder(path, config, weights)
    (path / "model.safetensors").rename(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="is missing"):
        read_weights(path, digest(weights))
    (path / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="a symbolic link"):
        read_weights(path, digest(weights))
    (path / "config.json").unlink()
    os.mkfifo(path / "config.json")
    with pytest.raises(BadInput, match="not a plain file"):
        read_config(path)
    (path / "config.json").unlink()
    (path / "config.json").mkdir()
    with pytest.raises(BadInput, match=r"config\.json"):
        read_config(path)


def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "model"
    write_folder(path, *versions(b"a"))
    (path / store.WEIGHTS).write_bytes(b"x")
    with pytest.raises(BadInput, match="SHA-256 differs"):
        stored(path)


def test_a_huge_config_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_folder(path, *versions(b"a"))
    monkeypatch.setattr(store, "MAX_CONFIG", 10)
    with pytest.raises(BadInput, match="too many"):
        read_config(path)
