"""Images: IDX and NPZ files and folders of them, and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from glassgrad.data.bad_input import BadInput
from glassgrad.data.idx import read_idx
from glassgrad.data.images import image_set, read_images


def idx(array, code=0x08):
    head = bytes([0, 0, code, array.ndim])
    return head + b"".join(int(n).to_bytes(4, "big") for n in array.shape) + array.tobytes()


PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([7, 1], np.uint8)


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, ">u1"), (9, ">i1"), (0xB, ">i2"), (0xC, ">i4"), (0xD, ">f4"), (0xE, ">f8")],
)
def test_idx_of_every_type(tmp_path, code, dtype):
    array = (np.arange(6).reshape(2, 3) - 2 * (dtype[1] != "u")).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array, code))
    (tmp_path / "b.gz").write_bytes(gzip.compress(idx(array, code)))
    for name in ("a", "b.gz"):
        found = read_idx(tmp_path / name)
        assert found.dtype.isnative and found.tolist() == array.tolist()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"P5 28 28 255", "this is no IDX file: it begins with 50 35 20 32"),
        (idx(PIXELS)[:-1], "needs 40 bytes and the file has 39"),
        (idx(PIXELS) + b"x", "needs 40 bytes and the file has 41"),
        (b"\0\0\x08\x03\xff\xff\xff\xff" * 4, "damaged"),
        (b"\0\0\x08\x03\0\0", "damaged"),
        (b"\x1f\x8b\x08\0broken", "damaged gzip"),
    ],
)
def test_damaged_idx(tmp_path, data, said):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(BadInput, match=said):
        read_idx(tmp_path / "a")


def test_a_folder_with_train_and_test(tmp_path):
    for part, pixels in (("train", PIXELS), ("t10k", PIXELS[:1])):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
        labels = gzip.compress(idx(LABELS[: len(pixels)]))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(labels)
    train, test = read_images(tmp_path)
    assert train.shape == (3, 4) and train.labels == ("7", "1")
    assert test is not None and len(test) == 1 and test.labels == ("7",)
    alone, none = read_images(tmp_path / "train-images-idx3-ubyte.gz")
    assert alone.labels == ("7", "1") and none is None
    with pytest.raises(BadInput, match="these are labels, not images"):
        read_images(tmp_path / "t10k-labels-idx1-ubyte.gz")
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(BadInput, match="labels of train-images-idx3-ubyte"):
        read_images(tmp_path)
    assert read_images(tmp_path / "train-images-idx3-ubyte.gz")[0].labels is None


def test_labels_may_be_named(tmp_path):
    (tmp_path / "pictures").write_bytes(idx(PIXELS))
    (tmp_path / "answers").write_bytes(idx(LABELS))
    assert read_images(tmp_path / "pictures", tmp_path / "answers")[0].labels == ("7", "1")
    (tmp_path / "answers").write_bytes(idx(LABELS[:1]))
    with pytest.raises(BadInput, match="2 images but 1 labels"):
        read_images(tmp_path / "pictures", tmp_path / "answers")


def test_npz_in_both_spellings(tmp_path):
    np.savez(tmp_path / "a.npz", images=PIXELS, labels=np.array(["cat", "dog"]))
    images, test = read_images(tmp_path / "a.npz")
    assert images.labels == ("cat", "dog") and test is None
    np.savez(
        tmp_path / "b.npz", x_train=PIXELS, y_train=LABELS[:, None], x_test=PIXELS, y_test=LABELS
    )
    images, test = read_images(tmp_path / "b.npz")
    assert images.labels == ("7", "1") and test is not None and test.labels == ("7", "1")
    assert read_images(tmp_path / "b.npz")[0].place(1).endswith("image 1")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": PIXELS}, "no array is called"),
        ({"images": PIXELS[0]}, "images are an array of numbers of shape"),
        ({"images": PIXELS[:0]}, "there are no images"),
        ({"images": PIXELS, "labels": LABELS[:1]}, "2 images but 1 labels"),
        ({"images": PIXELS, "labels": np.eye(2)}, "labels are whole numbers or words"),
        ({"images": np.where(PIXELS == 13, np.inf, PIXELS)}, "image 1: a pixel is not a finite"),
    ],
)
def test_npz_that_does_not_fit(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BadInput, match=said):
        read_images(tmp_path / "a.npz")


def test_npz_runs_no_code(tmp_path):
    objects = np.array([print], dtype=object)
    np.savez(tmp_path / "a.npz", images=objects, allow_pickle=True)
    with pytest.raises(BadInput, match="cannot be read as an NPZ file of plain arrays"):
        read_images(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(BadInput, match="this is no NPZ file, or one that is cut off") as raised:
        read_images(tmp_path / "b.npz")
    assert "pickle" not in str(raised.value)
    with (tmp_path / "b.npz").open("wb") as file:
        np.save(file, np.zeros((2, 4, 4)))
    with pytest.raises(BadInput, match="this is no NPZ file"):
        read_images(tmp_path / "b.npz")


def test_what_is_not_there(tmp_path):
    with pytest.raises(BadInput, match="no such file or folder"):
        read_images(tmp_path / "none")
    with pytest.raises(BadInput, match="found none of them"):
        read_images(tmp_path)


def test_anything_with_an_array():
    class Pictures:
        def __array__(self, dtype=None, copy=None):
            return PIXELS

    assert image_set("pictures", Pictures(), LABELS).labels == ("7", "1")
