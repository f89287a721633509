"""The training loop: shuffled batches, one compiled step, validation, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.batches import batches, count_rows
from glassgrad.optim import Optimiser
from glassgrad.train.history import Epoch, Fit, Silent, Watcher
from glassgrad.transform.gradient import value_and_grad
from glassgrad.transform.jit import jit
from glassgrad.transform.tree import Tree, flatten, unflatten

CHUNK = 8192
"""Rows that are evaluated at once."""


@dataclass(frozen=True)
class Metric:
    """A figure for people: `finish` of the mean over the validation rows of `measure`.

    `measure(model, *arrays)` is compiled, like the loss; `finish` sees one number.
    """

    name: str
    measure: Callable[..., Any]
    finish: Callable[[float], float] = float


@dataclass
class _Run:
    """Where a run stands; replaced piece by piece, each by one assignment.

    `leaves` are the arrays of (model, state): a compiled step takes a plain tuple fastest.
    """

    leaves: tuple[Any, ...]
    structure: Tree
    best: tuple[float, int, Any]
    history: list[Epoch]
    stopped: Any = "epochs"

    @property
    def model(self) -> Any:
        """The model as it is now."""
        return unflatten(self.structure, list(self.leaves))[0]

    @property
    def state(self) -> Any:
        """The state of the optimiser as it is now."""
        return unflatten(self.structure, list(self.leaves))[1]


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains `model` to make `loss(model, *batch)` small with optimiser `opt`.

    Forward pass, backward pass and update are one function compiled by `engine`, "native" or
    "reference"; none is ever used in place of the other.
    """

    model: Any
    loss: Callable[..., Any]
    opt: Optimiser
    engine: str = "native"

    def fit(
        self,
        data: Sequence[np.ndarray],
        epochs: int = 10,
        *,
        batch: int = 32,
        validation: Sequence[np.ndarray] | None = None,
        patience: int | None = None,
        metric: Metric | None = None,
        seed: int = 0,
        watch: Watcher | None = None,
    ) -> Fit:
        """Train on arrays that share their first axis, for `epochs` passes.

        With `validation` arrays the model of the best validation loss is kept, and `patience`
        epochs without a better one end the run. Ctrl-C ends it too; what is best so far is
        returned. Raises BadInput for arrays that do not fit together, and FloatingPointError when
        the loss is not finite before anything was learned.
        """
        if epochs < 1 or batch < 1:
            raise BadInput(f"epochs and batch must be at least 1, not {epochs} and {batch}.")
        rows = count_rows(data)
        watch = watch or Silent()
        leaves, structure = flatten((self.model, self.opt.init(self.model)))
        run = _Run(tuple(leaves), structure, (math.inf, 0, self.model), [])
        step = self.compiled_step(structure)
        judge = self.compiled_judge(structure, metric)
        generator = np.random.default_rng(seed)
        watch.begin(epochs, max(1, rows // batch), metric.name if metric else "")
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # see `_keep_best`
                for number in range(1, epochs + 1):
                    started = time.perf_counter()
                    loss = _one_pass(step, run, batches(data, batch, generator), number, watch)
                    record = _measure(judge, run, (number, loss, started), validation, metric)
                    watch.epoch(record)
                    if not _keep_best(run, record, validation is not None, patience):
                        break
        except KeyboardInterrupt:
            run.stopped = "interrupted"
        finally:
            watch.close()
        _, best, model = run.best
        if run.stopped == "diverged" and not best:
            raise Diverged(
                "the loss is not a finite number in the first epoch. Use a smaller learning rate, "
                "or look for wild values in the data."
            )
        return Fit(model, run.state, tuple(run.history), best, run.stopped)

    def compiled_step(self, structure: Tree) -> Callable[..., tuple[Any, Any]]:
        """The step (leaves of model and state, *batch) -> (new leaves, loss), to be compiled."""

        def step(leaves: tuple[Any, ...], *batch: Any) -> tuple[Any, Any]:
            model, state = unflatten(structure, list(leaves))
            value, gradient = value_and_grad(self.loss)(model, *batch)
            new, _ = flatten(self.opt.step(model, gradient, state))
            return tuple(new), value

        return jit(step, engine=self.engine)

    def compiled_judge(self, structure: Tree, metric: Metric | None) -> Callable[..., Any]:
        """The pair (loss, what the metric measures) of (leaves, *arrays), to be compiled."""

        def judge(leaves: tuple[Any, ...], *arrays: Any) -> tuple[Any, Any]:
            model, _ = unflatten(structure, list(leaves))
            loss = self.loss(model, *arrays)
            return loss, metric.measure(model, *arrays) if metric else loss

        return jit(judge, engine=self.engine)


class Diverged(BadInput, FloatingPointError):
    """Training whose loss became infinite or not a number."""


def means(
    judge: Callable[..., Any], leaves: tuple[Any, ...], arrays: Sequence[np.ndarray]
) -> tuple[float, float]:
    """The means over all rows of the two figures of a judge, a chunk at a time."""
    rows = count_rows(arrays)
    total = np.zeros(2)
    for start in range(0, rows, CHUNK):
        piece = [a[start : start + CHUNK] for a in arrays]
        total += np.array([float(v) for v in judge(leaves, *piece)]) * len(piece[0])
    return float(total[0] / rows), float(total[1] / rows)


def _measure(
    judge: Callable[..., Any],
    run: _Run,
    known: tuple[int, float, float],
    validation: Sequence[np.ndarray] | None,
    metric: Metric | None,
) -> Epoch:
    """The record of an epoch of which number, loss and start are known; it enters the history."""
    number, loss, started = known
    held, figure = math.nan, math.nan
    if validation is not None:
        held, measured = means(judge, run.leaves, validation)
        figure = metric.finish(measured) if metric else math.nan
    record = Epoch(number, loss, held, figure, time.perf_counter() - started)
    run.history.append(record)
    return record


def _one_pass(
    step: Callable[..., tuple[Any, Any]], run: _Run, source: Any, number: int, watch: Watcher
) -> float:
    total, done = 0.0, 0
    for piece in source:
        run.leaves, value = step(run.leaves, *piece)
        total += float(value)
        done += 1
        watch.batch(number, done, total / done)
    return total / done


def _keep_best(run: _Run, record: Epoch, validated: bool, patience: int | None) -> bool:
    """Note the best model so far; whether training should go on."""
    judged = record.validation if validated else record.loss
    if not (math.isfinite(judged) and math.isfinite(record.loss)):
        run.stopped = "diverged"
        return False
    best, at, _ = run.best
    if judged < best or not validated:
        run.best = (judged, record.number, run.model)
    elif patience is not None and record.number - at >= patience:
        run.stopped = "early"
        return False
    return True
