"""Optimisers: pure functions from parameters, gradients and state to new ones."""

from glassgrad.optim.adam import Adam, AdamState
from glassgrad.optim.optimiser import Optimiser
from glassgrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamState", "Optimiser"]
