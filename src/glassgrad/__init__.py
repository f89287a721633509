"""glassgrad differentiates plain NumPy code; every gradient is a graph that can be read.

>>> import glassgrad as gg, numpy as np
>>> gg.grad(lambda x: np.sum(np.tanh(x) ** 2))(np.array([0.0, 1.0]))
array([0.        , 0.63970001])
"""

from glassgrad.array import Array
from glassgrad.explain.story import explain
from glassgrad.graph.errors import GlassgradError
from glassgrad.transform import random
from glassgrad.transform.define import define_op
from glassgrad.transform.expression import (
    ComputationalGraph,
    evaluate,
    gradients,
    simplify,
    variable,
    variables,
)
from glassgrad.transform.gradient import grad, hvp, jvp, linearize, value_and_grad, vjp
from glassgrad.transform.jacobian import hessian, jacobian
from glassgrad.transform.jit import jit
from glassgrad.transform.loop import scan
from glassgrad.transform.stop import stop_gradient

__version__ = "0.1.0"

__all__ = [
    "Array",
    "ComputationalGraph",
    "GlassgradError",
    "define_op",
    "evaluate",
    "explain",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "linearize",
    "random",
    "scan",
    "simplify",
    "stop_gradient",
    "value_and_grad",
    "variable",
    "variables",
    "vjp",
]
