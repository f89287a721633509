"""Networks: modules are frozen dataclasses, calling one is pure, all of it plain NumPy."""

from glassgrad.nn.activation import ACTIVATIONS, identity, relu, sigmoid, tanh
from glassgrad.nn.layer import MLP, Activation, Linear, Sequential
from glassgrad.nn.loss import cross_entropy, log_softmax, softmax, squared_error
from glassgrad.nn.module import Module, count_parameters

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Activation",
    "Linear",
    "Module",
    "Sequential",
    "count_parameters",
    "cross_entropy",
    "identity",
    "log_softmax",
    "relu",
    "sigmoid",
    "softmax",
    "squared_error",
    "tanh",
]
