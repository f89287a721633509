"""`glassgrad train images`: from labelled images to a model folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from glassgrad.cli.parser import widths
from glassgrad.cli.training import add_out, add_training, common_options, finish, model_folder

if TYPE_CHECKING:
    from glassgrad.train.image_job import ImageOptions, ImageTask

EXAMPLES = """\
DATA is a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte (.gz or plain; a t10k-
pair beside them is the test), an IDX file of images, or an .npz file with the arrays images and
labels, or x_train, y_train, x_test, y_test.

examples:
  glassgrad train images mnist/ --out mnist-model
  glassgrad train images pictures.npz --hidden 256,128
"""


def add_options(p: argparse.ArgumentParser) -> None:
    """The options of `glassgrad train images`."""
    p.add_argument("data", metavar="DATA", help="folder, IDX file or NPZ file; see below")
    p.add_argument(
        "--labels", metavar="FILE", help="IDX file of the labels (default: found beside DATA)"
    )
    add_out(p)
    learn = add_training(p, lr=2e-3, batch=128, epochs="by size", patience="no limit")
    learn.add_argument(
        "--hidden", type=widths, default=(128,), metavar="N,N", help="layer widths (128)"
    )


def run(given: argparse.Namespace) -> int:
    """Read, train, save, and say how well it went."""
    from glassgrad.data.images import read_images
    from glassgrad.train.image_job import ImageOptions, prepare_images, train_images
    from glassgrad.train.progress import progress

    out = model_folder(given, given.data)
    options = ImageOptions(hidden=given.hidden, **common_options(given))
    images, test = read_images(given.data, given.labels)
    task = prepare_images(images, test, options)
    say_task(task, options)
    return finish(train_images(task, options, progress()), given, out, given.data, "images")


def say_task(task: ImageTask, options: ImageOptions) -> None:
    """Say what was found, before the training."""
    from math import prod

    shape = " x ".join(map(str, task.images.shape))
    print(f"{task.images.path}: {len(task.images):,} images of {shape} pixels")
    sizes = [prod(task.images.shape), *options.hidden, len(task.classes)]
    print(
        f"{len(task.classes)} classes; images: {len(task.parts.train):,} to train, "
        f"{len(task.parts.validation):,} to validate, {len(task.test):,} to test; "
        f"network {' -> '.join(map(str, sizes))}; engine {options.engine}",
        flush=True,
    )
