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

CHUNK = 8192
"""Rows that are evaluated at once."""


@dataclass(frozen=True)
class Metric:
    """A figure for people, measured on the validation rows: `measure(model, *arrays)`."""

    name: str
    measure: Callable[..., float]


@dataclass
class _Run:
    """Where a run stands; replaced piece by piece, each by one assignment."""

    model: Any
    state: Any
    best: tuple[float, int, Any]
    history: list[Epoch]
    stopped: Any = "epochs"


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
        step = self.compiled_step()
        generator = np.random.default_rng(seed)
        run = _Run(self.model, self.opt.init(self.model), (math.inf, 0, self.model), [])
        watch.begin(epochs, max(1, rows // batch), metric.name if metric else "")
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # see `_keep_best`
                for number in range(1, epochs + 1):
                    started = time.perf_counter()
                    loss = _one_pass(step, run, batches(data, batch, generator), number, watch)
                    record = self._measure(run, number, loss, validation, metric, started)
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

    def compiled_step(self) -> Callable[..., tuple[Any, Any, Any]]:
        """The step (model, state, *batch) -> (model, state, loss), compiled when first called."""

        def step(model: Any, state: Any, *batch: Any) -> tuple[Any, Any, Any]:
            value, gradient = value_and_grad(self.loss)(model, *batch)
            model, state = self.opt.step(model, gradient, state)
            return model, state, value

        return jit(step, engine=self.engine)

    def _measure(
        self,
        run: _Run,
        number: int,
        loss: float,
        validation: Sequence[np.ndarray] | None,
        metric: Metric | None,
        started: float,
    ) -> Epoch:
        held, figure = math.nan, math.nan
        if validation is not None:
            held = mean_loss(self.loss, run.model, validation)
            figure = metric.measure(run.model, *validation) if metric else math.nan
        record = Epoch(number, loss, held, figure, time.perf_counter() - started)
        run.history.append(record)
        return record


class Diverged(BadInput, FloatingPointError):
    """Training whose loss became infinite or not a number."""


def mean_loss(loss: Callable[..., Any], model: Any, arrays: Sequence[np.ndarray]) -> float:
    """The mean of a loss over all rows, a chunk at a time, in plain NumPy."""
    rows = count_rows(arrays)
    total = 0.0
    for start in range(0, rows, CHUNK):
        piece = [a[start : start + CHUNK] for a in arrays]
        total += float(loss(model, *piece)) * len(piece[0])
    return total / rows


def _one_pass(
    step: Callable[..., tuple[Any, Any, Any]], run: _Run, source: Any, number: int, watch: Watcher
) -> float:
    total, done = 0.0, 0
    for piece in source:
        run.model, run.state, value = step(run.model, run.state, *piece)
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
