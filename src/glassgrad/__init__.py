"""glassgrad differentiates plain NumPy code; every gradient is a graph that can be read.

>>> import glassgrad as gg, numpy as np
>>> gg.grad(lambda x: np.sum(np.tanh(x) ** 2))(np.array([0.0, 1.0]))
array([0.        , 0.63970001])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from glassgrad.version import __version__ as __version__

if TYPE_CHECKING:  # the same names as below, for editors and type checkers
    from glassgrad import nn as nn
    from glassgrad import numpy as numpy
    from glassgrad import optim as optim
    from glassgrad.array import Array as Array
    from glassgrad.array import special as special
    from glassgrad.engines.native.threads import threads as threads
    from glassgrad.graph.errors import GlassgradError as GlassgradError
    from glassgrad.graph.strict import strict_shapes as strict_shapes
    from glassgrad.reading.memory import memory_report as memory_report
    from glassgrad.reading.story import explain as explain
    from glassgrad.train.metric import Metric as Metric
    from glassgrad.train.metric import Score as Score
    from glassgrad.train.store import load as load
    from glassgrad.train.store import save as save
    from glassgrad.train.trainer import Trainer as Trainer
    from glassgrad.transform import random as random
    from glassgrad.transform.branch import cond as cond
    from glassgrad.transform.branch import while_loop as while_loop
    from glassgrad.transform.check import check_grads as check_grads
    from glassgrad.transform.custom import custom_rule as custom_rule
    from glassgrad.transform.define import define_op as define_op
    from glassgrad.transform.expression import ComputationalGraph as ComputationalGraph
    from glassgrad.transform.expression import evaluate as evaluate
    from glassgrad.transform.expression import gradients as gradients
    from glassgrad.transform.expression import simplify as simplify
    from glassgrad.transform.expression import variable as variable
    from glassgrad.transform.expression import variables as variables
    from glassgrad.transform.gradient import grad as grad
    from glassgrad.transform.gradient import hvp as hvp
    from glassgrad.transform.gradient import jvp as jvp
    from glassgrad.transform.gradient import linearize as linearize
    from glassgrad.transform.gradient import value_and_grad as value_and_grad
    from glassgrad.transform.gradient import vjp as vjp
    from glassgrad.transform.jacobian import hessian as hessian
    from glassgrad.transform.jacobian import jacobian as jacobian
    from glassgrad.transform.jit import jit as jit
    from glassgrad.transform.loop import scan as scan
    from glassgrad.transform.minimize import minimize as minimize
    from glassgrad.transform.remat import remat as remat
    from glassgrad.transform.stop import stop_gradient as stop_gradient
    from glassgrad.transform.vmap import per_example_grad as per_example_grad
    from glassgrad.transform.vmap import per_example_norms as per_example_norms
    from glassgrad.transform.vmap import vmap as vmap

_HOMES = {
    "engines.native.threads": "threads",
    "array": "Array",
    "graph.errors": "GlassgradError",
    "graph.strict": "strict_shapes",
    "reading.memory": "memory_report",
    "reading.story": "explain",
    "train.metric": "Metric Score",
    "train.store": "load save",
    "train.trainer": "Trainer",
    "transform.branch": "cond while_loop",
    "transform.check": "check_grads",
    "transform.custom": "custom_rule",
    "transform.define": "define_op",
    "transform.expression": "ComputationalGraph evaluate gradients simplify variable variables",
    "transform.gradient": "grad hvp jvp linearize value_and_grad vjp",
    "transform.jacobian": "hessian jacobian",
    "transform.jit": "jit",
    "transform.loop": "scan",
    "transform.minimize": "minimize",
    "transform.remat": "remat",
    "transform.stop": "stop_gradient",
    "transform.vmap": "per_example_grad per_example_norms vmap",
}
"""Where each public name lives."""

_MODULES = {
    "nn": "nn",
    "numpy": "numpy",
    "optim": "optim",
    "random": "transform.random",
    "special": "array.special",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_HOME, *_MODULES])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command line's help needs none of them."""
    if name in _MODULES:
        found: Any = importlib.import_module(f"glassgrad.{_MODULES[name]}")
    elif name in _HOME:
        found = getattr(importlib.import_module(f"glassgrad.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'glassgrad' has no attribute {name!r}")
    globals()[name] = found  # looked up once
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
