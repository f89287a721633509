"""Networks: modules are frozen dataclasses, calling one is pure, all of it plain NumPy."""

from glassgrad.array.special import (
    gelu,
    log_sigmoid,
    log_softmax,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from glassgrad.nn.activation import (
    ACTIVATIONS,
    elu,
    gelu_sigmoid,
    gelu_tanh,
    glu,
    identity,
    leaky_relu,
    relu,
    swiglu,
    swish,
    tanh,
)
from glassgrad.nn.cross_entropy import (
    binary_cross_entropy,
    cross_entropy,
    cross_entropy_between,
)
from glassgrad.nn.exchange import named_arrays, with_arrays
from glassgrad.nn.formula import parameter_formula
from glassgrad.nn.gated import Gated
from glassgrad.nn.initialise import kaiming, reinitialised, xavier
from glassgrad.nn.layer import Activation, Dropout, Embedding, Linear, PReLU, Swish
from glassgrad.nn.loss import absolute_error, huber, l2, squared_error
from glassgrad.nn.module import Module, count_parameters, evaluating, static, training
from glassgrad.nn.network import MLP, Sequential, initial_state
from glassgrad.nn.normalise import BatchNorm, BatchStatistics, LayerNorm
from glassgrad.nn.recurrent import GRUCell, Recurrent, RNNCell
from glassgrad.nn.summary import Summary, summary

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Activation",
    "BatchNorm",
    "BatchStatistics",
    "Dropout",
    "Embedding",
    "GRUCell",
    "Gated",
    "LayerNorm",
    "Linear",
    "Module",
    "PReLU",
    "RNNCell",
    "Recurrent",
    "Sequential",
    "Summary",
    "Swish",
    "absolute_error",
    "binary_cross_entropy",
    "count_parameters",
    "cross_entropy",
    "cross_entropy_between",
    "elu",
    "evaluating",
    "gelu",
    "gelu_sigmoid",
    "gelu_tanh",
    "glu",
    "huber",
    "identity",
    "initial_state",
    "kaiming",
    "l2",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "named_arrays",
    "parameter_formula",
    "reinitialised",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "squared_error",
    "static",
    "summary",
    "swiglu",
    "swish",
    "tanh",
    "training",
    "with_arrays",
    "xavier",
]
