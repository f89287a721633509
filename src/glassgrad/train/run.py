"""Where a training run stands, and how it is written down so that it can go on later."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput, MissingFile
from glassgrad.train.folder import (
    CONFIG,
    WEIGHTS,
    check_target,
    digest,
    read_config,
    read_weights,
    write_folder,
)
from glassgrad.train.history import Epoch
from glassgrad.train.strict_json import parse_json
from glassgrad.train.weights import pack, unpack
from glassgrad.transform.tree import Tree, flatten, unflatten

FORMAT = "glassgrad-checkpoint"
VERSION = 2
STOPS = ("epochs", "early", "diverged")


@dataclass
class Run:
    """Where a run stands; replaced piece by piece, each by one assignment.

    `leaves` are the arrays of (model, state of the optimiser, statistics, key): a compiled step
    takes a plain tuple fastest. `best` are the rank, the epoch and the leaves of the best
    model so far.
    """

    leaves: tuple[Any, ...]
    structure: Tree
    best: tuple[tuple[float, ...], int, tuple[Any, ...]]
    history: list[Epoch] = field(default_factory=list)
    stopped: Any = "epochs"
    ended: bool = False

    def parts(self, leaves: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        """Model, state of the optimiser and statistics."""
        model, state, statistics, *_ = unflatten(self.structure, list(leaves))
        return model, state, statistics


def start(model: Any, state: Any, statistics: Any, key: Any) -> Run:
    """A run that has not done anything."""
    leaves, structure = flatten((model, state, statistics, key))
    return Run(tuple(leaves), structure, ((math.inf, math.inf), 0, tuple(leaves)))


def checksum(arrays: Sequence[np.ndarray]) -> str:
    """A short checksum of arrays with their shapes and dtypes; a guard against slips, not malice.

    >>> checksum([np.zeros(2)]) == checksum([np.zeros(2)]), checksum([np.ones(2)])
    (True, '53e83ae7')
    """
    total = 0
    for a in arrays:
        total = zlib.crc32(f"{a.shape}{a.dtype}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(a).tobytes(), total)
    return f"{total:08x}"


def save_run(folder: Path, run: Run, generator: np.random.Generator, about: dict[str, Any]) -> None:
    """Write a checkpoint, completely or not at all; `about` is what a later run must agree with."""
    check_checkpoint_target(folder)
    rank, number, best = run.best
    now = {f"now.{i}": np.asarray(leaf) for i, leaf in enumerate(run.leaves)}
    kept = {f"best.{i}": np.asarray(leaf) for i, leaf in enumerate(best)}
    weights = pack(now | kept)
    config = {
        "format": FORMAT,
        "version": VERSION,
        "weights": {"file": WEIGHTS, "sha256": digest(weights)},
        "about": about,
        "best": [[_plain(v) for v in rank], number],
        "stopped": run.stopped,
        "ended": run.ended,
        "generator": generator.bit_generator.state,
        "history": [_row(e) for e in run.history],
    }
    text = json.dumps(config, indent=1, allow_nan=False, ensure_ascii=False)
    write_folder(folder, text.encode(), weights)


def check_checkpoint_target(folder: Path) -> None:
    """Raise BadInput unless a checkpoint may be written to `folder`, which never holds a model."""
    check_target(folder)
    if (folder / CONFIG).exists():
        _config(folder)


def load_run(
    folder: Path, fresh: Run, generator: np.random.Generator, about: dict[str, Any]
) -> Run:
    """The run of a checkpoint, in place of a fresh one of the same model, data and options.

    Sets `generator` to where it was. Raises BadInput that names what differs or is damaged.
    """
    if not folder.exists():
        raise MissingFile(
            f"{folder}: there is no checkpoint to resume from. Start without resuming first."
        )
    config, shown = _config(folder), str(folder / CONFIG)
    try:
        digest_, told, history = config["weights"]["sha256"], config["about"], config["history"]
        _compare(told, about, shown)
        tensors = unpack(read_weights(folder, digest_), str(folder / WEIGHTS))
        now, best = (_leaves(tensors, part, fresh, shown) for part in ("now", "best"))
        rank, number = config["best"]
        run = Run(
            now,
            fresh.structure,
            (tuple(_number(v, math.inf) for v in rank), int(number), best),
            [_epoch(row) for row in history],
            str(config["stopped"]),
            bool(config["ended"]),
        )
        generator.bit_generator.state = config["generator"]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{shown}: damaged: this is no whole checkpoint ({type(error).__name__}: {error}). "
            "Train again from the start."
        ) from None
    if tensors or run.stopped not in STOPS or not 0 <= number <= len(run.history):
        raise BadInput(f"{shown}: damaged: its parts do not agree. Train again from the start.")
    return run


def _compare(told: dict[str, Any], about: dict[str, Any], shown: str) -> None:
    """Refuse a run that is another one than that of the checkpoint; more epochs are no other."""
    for name in about | told:
        if name != "epochs" and about.get(name) != told.get(name):
            remedy = "Resume with the same data and options."
            if name == "optimiser" and about["epochs"] != told["epochs"]:
                first, now = told["epochs"], about["epochs"]
                remedy = (
                    f"The first run was to make {first} epochs and this one {now}, and where the "
                    "learning rate falls over the whole run it would not be the same run. Resume "
                    f"with {first} epochs, or train anew with {now}."
                )
            raise BadInput(
                f"{shown}: the checkpoint was made with {name} {told.get(name)!r}, not "
                f"{about.get(name)!r}. {remedy}"
            )


def _config(folder: Path) -> dict[str, Any]:
    shown = str(folder / CONFIG)
    config = parse_json(read_config(folder), shown)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise BadInput(f"{shown}: this is no checkpoint of a training run. Name another folder.")
    if config.get("version") != VERSION:
        raise BadInput(f"{shown}: this glassgrad reads checkpoints of version {VERSION} only.")
    return config


def _leaves(
    tensors: dict[str, np.ndarray], part: str, fresh: Run, shown: str
) -> tuple[np.ndarray, ...]:
    """The arrays of one part, each of the shape and dtype that the fresh run has."""
    found: list[np.ndarray] = []
    for i, leaf in enumerate(fresh.leaves):
        array, like = tensors.pop(f"{part}.{i}"), np.asarray(leaf)
        if array.shape != like.shape or array.dtype != like.dtype:
            raise BadInput(
                f"{shown}: array {i} is {array.dtype}{list(array.shape)} in the checkpoint and "
                f"{like.dtype}{list(like.shape)} in this model. Resume with the same model."
            )
        found.append(array)
    return tuple(found)


def _plain(value: float) -> float | None:
    """A number for JSON, which knows no infinities and no nan."""
    return float(value) if math.isfinite(value) else None


def _number(value: float | None, missing: float) -> float:
    """A number from JSON."""
    return missing if value is None else float(value)


def _row(e: Epoch) -> list[Any]:
    numbers = [_plain(v) for v in (e.loss, e.validation, e.metric, e.seconds, e.rate)]
    return [e.number, *numbers, [[name, _plain(v)] for name, v in e.figures]]


def _epoch(row: list[Any]) -> Epoch:
    number, *values, figures = row
    loss, validation, metric, seconds, rate = (_number(v, math.nan) for v in values)
    named = tuple((str(n), _number(v, math.nan)) for n, v in figures)
    return Epoch(int(number), loss, validation, metric, seconds, named, rate)
