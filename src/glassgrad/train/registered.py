"""The classes that a model file may name; nothing else is ever built from one."""

from __future__ import annotations

from glassgrad.data.column import CategoryColumn, NumericColumn
from glassgrad.data.preparation import Preparation
from glassgrad.data.target import ClassTarget, NumberTarget
from glassgrad.nn import MLP, Activation, Linear, Sequential
from glassgrad.train.predictor import TablePredictor, TrainingReport

KINDS: dict[str, type] = {
    c.__name__: c
    for c in (
        Activation,
        CategoryColumn,
        ClassTarget,
        Linear,
        MLP,
        NumberTarget,
        NumericColumn,
        Preparation,
        Sequential,
        TablePredictor,
        TrainingReport,
    )
}
