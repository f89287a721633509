"""The training loop: shuffled batches, one compiled step, validation, early stopping."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glassgrad.data.arrays import as_arrays
from glassgrad.data.bad_input import BadInput
from glassgrad.data.batches import count_rows
from glassgrad.nn import evaluating
from glassgrad.optim import Optimiser
from glassgrad.optim.optimiser import rate_of
from glassgrad.train.history import Epoch, Fit, History, Several, Silent, Watcher
from glassgrad.train.metric import Figure, Metric, find_figure, rank
from glassgrad.train.run import (
    Run,
    check_checkpoint_target,
    checksum,
    load_run,
    save_run,
    start,
)
from glassgrad.train.sweep import Sweep
from glassgrad.transform import random
from glassgrad.transform.engine import present
from glassgrad.transform.gradient import value_and_grad
from glassgrad.transform.jit import jit
from glassgrad.transform.tree import Tree, flatten, unflatten

CHUNK = 8192
"""Rows that are evaluated at once."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What `fit` was asked for; `held` are the arrays of the validation."""

    data: tuple[np.ndarray, ...]
    held: tuple[np.ndarray, ...] | None
    epochs: int
    batch: int
    patience: int | None
    figures: tuple[Figure, ...]
    kept: Figure | None
    seed: int
    watch: Watcher

    @property
    def rows(self) -> int:
        """How many rows there are to train on; raises BadInput where the arrays differ."""
        return count_rows(self.data)


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains `model` to make `loss(model, *batch)` small with optimiser `opt`.

    A loss that takes `key=` is given a fresh key for every batch. One that takes `state=` is given
    the running statistics, at first `statistics`, and returns (loss, new statistics). Gathering a
    batch, forward pass, backward pass, update and the loop over batches are one function compiled
    by `engine`, "native" or "reference"; none is ever used in place of the other. It comes back
    about every 50 ms, for watchers and Ctrl-C. Gradients are clipped, and collected over several
    batches, by optimisers that do so: `optim.Clipped` and `optim.Accumulated`.
    """

    model: Any
    loss: Callable[..., Any]
    opt: Optimiser
    engine: str = "native"
    statistics: Any = None

    def fit(
        self,
        data: Any,
        epochs: int = 10,
        *,
        batch: int = 32,
        validation: Any = None,
        patience: int | None = None,
        metric: Figure | Sequence[Figure] | None = None,
        keep_best: str = "loss",
        seed: int = 0,
        watch: Watcher | Sequence[Watcher] | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
    ) -> Fit:
        """Train on arrays that share their first axis, for `epochs` passes.

        `data` is a tuple of arrays, or an iterable of examples (see `as_arrays`). With
        `validation` data the model of the best validation loss is kept, or of the best metric that
        `keep_best` names, and `patience` epochs without a better one end the run. Ctrl-C ends it
        too; what is best so far is returned. After every epoch the run is written to the folder
        `checkpoint`; with `resume` it goes on from there, and ends as it would have ended without
        the break, bit for bit on the same machine. Raises BadInput for arrays that do not fit
        together, and FloatingPointError when the loss is not finite before anything was learned.
        """
        if epochs < 1 or batch < 1:
            raise BadInput(f"epochs and batch must be at least 1, not {epochs} and {batch}.")
        if resume and checkpoint is None:
            raise BadInput("to resume, name the folder of the checkpoint.")
        arrays = as_arrays(data)
        held = None if validation is None else as_arrays(validation)
        figures = (metric,) if isinstance(metric, Figure) else tuple(metric or ())
        kept = find_figure(keep_best, figures, held is not None)
        task = _Task(arrays, held, epochs, batch, patience, figures, kept, seed, _one(watch))
        key = random.key(seed) if _asks(self.loss, "key") else ()
        run = start(self.model, self.opt.init(self.model), self.statistics, key)
        generator = np.random.default_rng(seed)
        if checkpoint is None:
            self._fit(run, task, generator, lambda: None)
            return _finish(run)
        folder, about = Path(checkpoint), self._about(task)
        check_checkpoint_target(folder)
        if resume:
            run = load_run(folder, run, generator, about)
        self._fit(run, task, generator, lambda: save_run(folder, run, generator, about))
        return _finish(run)

    def _about(self, task: _Task) -> dict[str, Any]:
        """What a run that goes on must have in common with the one before."""
        about = {"rows": task.rows, "batch": task.batch, "patience": task.patience}
        about |= {"epochs": task.epochs, "seed": task.seed, "engine": present(self.engine)}
        about["keep_best"] = task.kept.name if task.kept else "loss"
        shape = repr(flatten(self.model)[1])
        if " at 0x" not in shape:  # a function of one's own has no name that lasts
            about["model"] = f"{type(self.model).__name__} {checksum([np.array(shape)])}"
        if " at 0x" not in repr(self.opt):
            about["optimiser"] = repr(self.opt)
        return about | {"data": checksum((*task.data, *(task.held or ())))}

    def _fit(
        self, run: Run, task: _Task, generator: np.random.Generator, save: Callable[[], None]
    ) -> None:
        sweep = Sweep(self.step(run.structure), task.data, task.batch, self.engine)
        judge = self.compiled_judge(run.structure, task.figures, _short_last(task.held))
        watch = task.watch
        watch.begin(task.epochs, sweep.batches, task.figures[0].name if task.figures else "")
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # see `_keep_best`
                for number in range(len(run.history) + 1, task.epochs + 1):
                    if run.ended:
                        break
                    started = time.perf_counter()
                    loss, rate = _one_pass(sweep, run, generator, number, watch)
                    record = _measure(judge, run, task, Epoch(number, loss, rate=rate))
                    record = replace(record, seconds=time.perf_counter() - started)
                    run.history.append(record)
                    watch.epoch(record)
                    run.ended = not _keep_best(run, record, task)
                    save()
        except KeyboardInterrupt:
            run.stopped = "interrupted"
        finally:
            watch.close()

    def step(self, structure: Tree) -> Callable[..., tuple[tuple[Any, ...], Any, Any]]:
        """The function (leaves, *batch) -> (new leaves, loss, learning rate): one step."""
        remembers = self.statistics is not None

        def step(leaves: tuple[Any, ...], *batch: Any) -> tuple[Any, Any, Any]:
            model, state, statistics, key = unflatten(structure, list(leaves))
            rate = rate_of(self.opt, state)
            extra: dict[str, Any] = {"state": statistics} if remembers else {}
            if not isinstance(key, tuple):
                pair = random.split(key)
                key, extra["key"] = pair[0], pair[1]
            slope = value_and_grad(partial(self.loss, **extra), has_aux=remembers)
            value, gradient = slope(model, *batch)
            if remembers:
                value, statistics = value
            model, state = self.opt.step(model, gradient, state)
            new, _ = flatten((model, state, statistics, key))
            return tuple(new), value, rate

        return step

    def compiled_judge(
        self, structure: Tree, figures: Sequence[Figure], batch: Sequence[int] = ()
    ) -> Callable[..., Any]:
        """The loss and what the metrics measure, of (leaves, *arrays), to be compiled.

        The model is used as after training: dropout off, running statistics in place. `batch` are
        the arguments that come in several sizes.
        """

        def judge(leaves: tuple[Any, ...], *arrays: Any) -> tuple[Any, ...]:
            model, _, statistics, _ = unflatten(structure, list(leaves))
            model = evaluating(model)
            known = {"key": random.key(0), "state": statistics}

            def ask(f: Callable[..., Any]) -> Any:
                found = f(model, *arrays, **{k: v for k, v in known.items() if _asks(f, k)})
                return found[0] if isinstance(found, tuple) else found

            measures = [m.measure for m in figures if isinstance(m, Metric)]
            return tuple(ask(f) for f in (self.loss, *measures))

        return jit(judge, engine=self.engine, batch=batch)


def _asks(f: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of this name."""
    return name in inspect.signature(f).parameters


def _one(watch: Watcher | Sequence[Watcher] | None) -> Watcher:
    if watch is None:
        return Silent()
    return Several(watch) if isinstance(watch, Sequence) else watch


def _finish(run: Run) -> Fit:
    _, best, leaves = run.best
    if run.stopped == "diverged" and not best:
        raise Diverged(
            "the loss is not a finite number in the first epoch. Use a smaller learning rate, "
            "or look for wild values in the data and for labels that are no class."
        )
    model, _, statistics = run.parts(leaves)
    return Fit(model, run.parts(run.leaves)[1], History(run.history), best, run.stopped, statistics)


class Diverged(BadInput, FloatingPointError):
    """Training whose loss became infinite or not a number."""


def _short_last(arrays: Sequence[np.ndarray] | None) -> range:
    """The arguments of a judge for arrays that are taken in chunks, of which the last is short."""
    rows = 0 if arrays is None else count_rows(arrays)
    short = rows > CHUNK and rows % CHUNK
    return range(1, 1 + len(arrays)) if arrays is not None and short else range(0)


def means(
    judge: Callable[..., Any], leaves: tuple[Any, ...], arrays: Sequence[np.ndarray]
) -> list[float]:
    """The means over all rows of the figures of a judge, a chunk at a time."""
    rows = count_rows(arrays)
    total: np.ndarray | float = 0.0
    for begin in range(0, rows, CHUNK):
        piece = [a[begin : begin + CHUNK] for a in arrays]
        total = total + np.array([float(v) for v in judge(leaves, *piece)]) * len(piece[0])
    return (np.asarray(total) / rows).tolist()


def _measure(judge: Callable[..., Any], run: Run, task: _Task, record: Epoch) -> Epoch:
    """The record of an epoch with what the validation data say."""
    if task.held is None:
        return record
    validation, *measured = means(judge, run.leaves, task.held)
    model, values = evaluating(run.parts(run.leaves)[0]), iter(measured)
    with np.errstate(divide="ignore"):
        figures = tuple(
            (f.name, f.finish(next(values)) if isinstance(f, Metric) else float(f.of(model)))
            for f in task.figures
        )
    first = figures[0][1] if figures else math.nan
    return replace(record, validation=validation, metric=first, figures=figures)


def _one_pass(
    sweep: Sweep, run: Run, generator: np.random.Generator, number: int, watch: Watcher
) -> tuple[float, float]:
    """The mean loss of a pass over the batches, and the learning rate of its last step."""
    loss = rate = math.nan
    for reached in sweep.run(run.leaves, generator):
        run.leaves, done, loss, rate = reached
        watch.batch(number, done, loss)
    return loss, rate


def _keep_best(run: Run, record: Epoch, task: _Task) -> bool:
    """Note the best model so far; whether training should go on."""
    validated = task.held is not None
    judged = record.validation if validated else record.loss
    if not (math.isfinite(judged) and math.isfinite(record.loss)):
        run.stopped = "diverged"
        return False
    best, at, _ = run.best
    found = dict(record.figures)[task.kept.name] if task.kept else math.nan
    now = rank(judged, task.kept, found)
    if now < best or not validated:
        run.best = (now, record.number, run.leaves)
    elif task.patience is not None and record.number - at >= task.patience:
        run.stopped = "early"
        return False
    return True
