"""Reads labelled images: IDX files as MNIST's, NPZ files, or a folder that holds them."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput, MissingFile, listing
from glassgrad.data.idx import read_idx
from glassgrad.data.stage import stage

TEST_NAMES = ("t10k", "test", "heldout", "eval")
IMAGE_KEYS = {"train": ("x_train", "train_images", "images", "x", "X"), "test": ("x_test",)}
LABEL_KEYS = {"train": ("y_train", "train_labels", "labels", "y"), "test": ("y_test",)}
IMAGE_KEYS["test"] += ("test_images",)
LABEL_KEYS["test"] += ("test_labels",)
HOW_TO_WRITE = "Write one with numpy.savez(path, images=..., labels=...)."


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images (n, height, width) or (n, height, width, colours), and their labels, if known."""

    path: str
    pixels: np.ndarray
    labels: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.pixels)

    def place(self, i: int) -> str:
        """Where image i stands."""
        return f"{self.path}, image {i}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return self.pixels.shape[1:]

    def rows(self, chosen: np.ndarray) -> ImageSet:
        """The set with these images only, in this order."""
        labels = None if self.labels is None else tuple(self.labels[i] for i in chosen)
        return replace(self, pixels=self.pixels[chosen], labels=labels)


def image_set(path: str, pixels: Any, labels: Any = None) -> ImageSet:
    """Arrays, or what NumPy makes one of, as a set of images; checks that they fit together.

    >>> image_set("two", np.zeros((2, 4, 4), np.uint8), [0, 1]).labels
    ('0', '1')
    """
    pixels = np.asarray(pixels)
    if pixels.dtype.kind not in "buif" or pixels.ndim not in (3, 4):
        raise BadInput(
            f"{path}: images are an array of numbers of shape (n, height, width) or (n, height, "
            f"width, colours), not {pixels.dtype} of shape {pixels.shape}."
        )
    if not pixels.size:
        raise BadInput(f"{path}: there are no images: the shape is {pixels.shape}.")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int(np.argwhere(~np.isfinite(pixels))[0, 0])
        raise BadInput(f"{path}, image {bad}: a pixel is not a finite number.")
    return ImageSet(path, pixels, None if labels is None else _labels(path, pixels, labels))


def _labels(path: str, pixels: np.ndarray, labels: Any) -> tuple[str, ...]:
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "buiUS":
        raise BadInput(
            f"{path}: labels are whole numbers or words of shape (n,), not {labels.dtype} of "
            f"shape {labels.shape}."
        )
    if len(labels) != len(pixels):
        raise BadInput(
            f"{path}: {len(pixels):,} images but {len(labels):,} labels: each image needs one."
        )
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    return tuple(str(v) for v in labels.tolist())


def read_images(
    path: str | Path, labels: str | Path | None = None
) -> tuple[ImageSet, ImageSet | None]:
    """The images at a path, and the test images that lie beside them, if there are any.

    `path` is an IDX file of images (its labels are looked for beside it, or named by `labels`),
    an NPZ file (arrays such as `x_train`, `y_train`, or `images`, `labels`), or a folder with IDX
    files, of which those called `t10k-...` or `test-...` are the test images.
    """
    place = Path(path)
    if not place.exists():
        raise MissingFile(f"{path}: there is no such file or folder. Check the path.")
    if place.is_dir() or place.suffix == ".npz":
        if labels is not None:
            raise BadInput(
                f"{labels}: labels are named for an IDX file of images; {path} brings its own. "
                "Leave them out."
            )
        return _read_folder(place) if place.is_dir() else _read_npz(place)
    if labels is None and (beside := _labels_beside(place)).exists() and beside != place:
        labels = beside
    return _read_pair(place, labels), None


def _read_pair(images: Path, labels: str | Path | None) -> ImageSet:
    pixels = read_idx(images)
    if pixels.ndim == 1:
        raise BadInput(f"{images}: these are labels, not images. Name the file of the images.")
    return image_set(str(images), pixels, None if labels is None else read_idx(labels))


def _labels_beside(images: Path) -> Path:
    """Where the labels of an IDX file of images usually lie."""
    name = images.name.replace("images", "labels")
    for rank in "34":
        name = name.replace(f"idx{rank}", "idx1")
    return images.with_name(name)


def _read_folder(folder: Path) -> tuple[ImageSet, ImageSet | None]:
    found = sorted(p for p in folder.iterdir() if "images" in p.name and "idx" in p.name)
    test = [p for p in found if p.name.startswith(TEST_NAMES)]
    train = [p for p in found if p not in test]
    if not found or len(train) > 1 or len(test) > 1:
        raise BadInput(
            f"{folder}: a folder of images holds train-images-idx3-ubyte and "
            "train-labels-idx1-ubyte (.gz or plain), and perhaps a t10k- pair; found "
            f"{listing([p.name for p in found]) if found else 'none of them'}. Name one file."
        )
    for path in found:
        if not _labels_beside(path).exists():
            raise MissingFile(
                f"{_labels_beside(path)}: the labels of {path.name} are missing. Lay them there."
            )
    sets = [_read_pair(p, _labels_beside(p)) for p in (*train, *test)]
    return sets[0], sets[1] if len(sets) == 2 else None


def _read_npz(path: Path) -> tuple[ImageSet, ImageSet | None]:
    if not zipfile.is_zipfile(path):
        raise BadInput(f"{path}: this is no NPZ file, or one that is cut off. {HOW_TO_WRITE}")
    try:
        with (
            stage(f"reading {path.name}"),
            path.open("rb") as opened,
            np.load(opened, allow_pickle=False) as file,
        ):
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            f"{path}: this cannot be read as an NPZ file of plain arrays ({error}). {HOW_TO_WRITE}"
        ) from None
    train = _pick(path, arrays, "train")
    test = _pick(path, arrays, "test")
    if train is None and test is None:
        raise BadInput(
            f"{path}: no array is called {listing(IMAGE_KEYS['train'])}; there are "
            f"{listing(arrays)}. {HOW_TO_WRITE}"
        )
    return (test, None) if train is None and test is not None else (train, test)  # pyright: ignore[reportReturnType]


def _pick(path: Path, arrays: dict[str, np.ndarray], part: str) -> ImageSet | None:
    pixels = next((arrays[k] for k in IMAGE_KEYS[part] if k in arrays), None)
    labels = next((arrays[k] for k in LABEL_KEYS[part] if k in arrays), None)
    return None if pixels is None else image_set(f"{path} ({part})", pixels, labels)
