"""Optimisers: pure functions from parameters, gradients and state to new ones."""

from glassgrad.optim.accumulate import Accumulated, Collected
from glassgrad.optim.adam import Adam, AdamW, SparseAdam
from glassgrad.optim.adaptive import AdaDelta, Adagrad, RMSProp
from glassgrad.optim.clip import Clipped, clip_by_global_norm, clip_by_value, global_norm
from glassgrad.optim.optimiser import Optimiser, Rule, State
from glassgrad.optim.rates import Trial, Trials, lr_scan
from glassgrad.optim.schedule import (
    Constant,
    Cosine,
    Exponential,
    Inverse,
    OneCycle,
    Step,
    WarmUp,
)
from glassgrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Accumulated",
    "AdaDelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Clipped",
    "Collected",
    "Constant",
    "Cosine",
    "Exponential",
    "Inverse",
    "OneCycle",
    "Optimiser",
    "RMSProp",
    "Rule",
    "SparseAdam",
    "State",
    "Step",
    "Trial",
    "Trials",
    "WarmUp",
    "clip_by_global_norm",
    "clip_by_value",
    "global_norm",
    "lr_scan",
]
