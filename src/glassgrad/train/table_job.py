"""The whole job on a table: columns, split, network, training, test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.preparation import Preparation
from glassgrad.data.split import Split, split_groups, split_rows
from glassgrad.data.table import Table
from glassgrad.data.target import ClassTarget, Kind, NumberTarget, find_classes, refuse_missing
from glassgrad.nn import MLP, squared_error
from glassgrad.optim import Adam
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Watcher
from glassgrad.train.job import JobOptions, Outcome, Pace, commonest_class, conclude, fit_parts
from glassgrad.train.metric import Metric
from glassgrad.train.predictor import TablePredictor
from glassgrad.train.report import TrainingReport
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random

STEPS = 4000
"""A run by default makes at least about so many steps, but for the patience."""


@dataclass(frozen=True)
class TableOptions(JobOptions):
    """What may be chosen; None lets the size of the table decide."""

    target: str
    _: KW_ONLY
    kind: Kind = "auto"
    hidden: tuple[int, ...] = (64, 64)
    lr: float = 2e-3
    group: str | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    max_categories: int = 100


@dataclass(frozen=True, eq=False)
class TableTask:
    """A table made ready: the columns, the parts, and the arrays of each."""

    table: Table
    preparation: Preparation
    target: ClassTarget | NumberTarget
    parts: Split
    inputs: np.ndarray
    truth: np.ndarray

    def arrays(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and what the network should give for them."""
        if isinstance(self.target, NumberTarget):
            return self.inputs[rows], self.target.standard(self.truth[rows])
        return self.inputs[rows], self.truth[rows]


def prepare(table: Table, options: TableOptions) -> TableTask:
    """Infer the columns, split the rows, and learn the preparation from the training rows.

    The column `group` is no input: rows that share it, such as those of one patient, stay together.
    """
    column = table.find(options.target)
    name = table.names[column]
    dropped = {table.find(c) for c in options.drop}
    categorical = {table.names[table.find(c)] for c in options.categorical}
    group = None if options.group is None else table.find(options.group)
    if column in dropped or column == group:
        what = "the group" if column == group else "dropped"
        raise BadInput(f"the target {name!r} cannot be {what}.")
    refuse_missing(table, column)
    classes = find_classes(table, column, options.kind)
    if classes is not None:
        target: ClassTarget | NumberTarget = ClassTarget(name, classes)
        truth = target.encode(table, column)
        parts = _split(table, group, options.seed, truth)
    else:
        truth = NumberTarget(name, 0.0, 1.0).encode(table, column)
        parts = _split(table, group, options.seed, None)
        target = NumberTarget.fit(name, truth[parts.train])
    features = [j for j in range(len(table.names)) if j not in {column, group, *dropped}]
    preparation = Preparation.fit(
        table,
        features,
        parts.train,
        categorical=categorical,
        max_categories=options.max_categories,
    )
    return TableTask(table, preparation, target, parts, preparation.encode(table), truth)


def _split(table: Table, group: int | None, seed: int, labels: np.ndarray | None) -> Split:
    """Whole groups to the same part; without groups, every class in the same shares."""
    if group is None:
        return split_rows(len(table), seed=seed, labels=labels, shown=table.path)
    return split_groups(table.columns[group], seed=seed, shown=table.path)


def train_table(task: TableTask, options: TableOptions, watch: Watcher | None = None) -> Outcome:
    """Train a network on a prepared table and test it on the rows held out."""
    sizes = [task.preparation.width, *options.hidden, task.target.width]
    network = MLP.init(sizes, key=random.key(options.seed))
    loss, metric = loss_and_metric(task.target)
    trainer = Trainer(network, loss, Adam(lr=options.lr), engine=options.engine)
    fit = fit_parts(trainer, task, options, plan(len(task.parts.train), options), metric, watch)
    train, test = task.truth[task.parts.train], task.truth[task.parts.test]

    def make(report: TrainingReport) -> TablePredictor:
        table = task.table
        return TablePredictor(
            fit.model, task.preparation, task.target, table.names, table.header, report
        )

    if isinstance(task.target, ClassTarget):
        guess = commonest_class(train, test)
    else:
        guess = "always answering the mean", lambda: _distance(test, train.mean())
    held = task.table.rows(task.parts.test)
    return conclude(make, fit, task, options, held, metric.name, guess)


def _distance(values: np.ndarray, centre: float) -> float:
    """The root of the mean squared difference."""
    return float(((values - centre) ** 2).mean() ** 0.5)


def plan(rows: int, options: TableOptions) -> Pace:
    """The pace for so many training rows, where it was left open.

    >>> plan(14000, TableOptions("y"))
    Pace(batch=128, epochs=100, patience=15)
    >>> plan(100, TableOptions("y"))
    Pace(batch=16, epochs=571, patience=85)
    """
    batch = options.batch or min(128, max(16, 2 ** int(np.log2(max(rows, 1) / 64 + 1))))
    steps = max(1, -(-rows // batch))
    epochs = options.epochs or min(1000, max(100, STEPS // steps))
    return Pace(batch, epochs, options.patience or max(15, 3 * epochs // 20))


def loss_and_metric(target: ClassTarget | NumberTarget) -> tuple[Callable[..., Any], Metric]:
    """The loss of a network for a target, and the figure that people read."""
    if isinstance(target, ClassTarget):
        return class_loss, ACCURACY
    return _number_loss, Metric(
        "RMSE", _number_loss, lambda mean: math.sqrt(mean) * target.scale, highest=False
    )


def _number_loss(model: MLP, x: Any, y: Any) -> Any:
    return squared_error(model(x), y)
