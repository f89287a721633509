"""`gg.special`: functions that NumPy has no name for, on arrays and inside traced functions.

>>> import glassgrad as gg
>>> print(f"{gg.special.erf(1.0):.14g}")
0.84270079294971
>>> gg.grad(gg.special.log_sigmoid)(-800.0)
np.float64(1.0)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.together import Axis
from glassgrad.engines.reference import evaluate
from glassgrad.graph.dtype import as_dtype, to_float
from glassgrad.graph.errors import DTypeError, ShapeError
from glassgrad.graph.family import cast
from glassgrad.graph.node import ACTIVE, Node, Trace
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import normal_axes, reduce


def on_arrays(build: Callable[[Node], Node], x: Any) -> Any:
    """The node that `build` makes of the operand: lazily in a trace, else its value."""
    trace = x.node.trace if isinstance(x, Array) else ACTIVE.get()
    node = build(as_node(x, trace or Trace()))
    return Array(node) if trace is not None else evaluate([node], {})[0][()]


def _op(name: str, x: Any) -> Any:
    return on_arrays(REGISTRY[name].apply, x)


def erf(x: Any) -> Any:
    """The error function, 2/√π times the integral of exp(-t²) from 0 to x.

    >>> erf(np.array([0.0, 0.5])).tolist()
    [0.0, 0.5204998778130465]
    """
    return _op("erf", x)


def erfc(x: Any) -> Any:
    """1 - erf(x), to full precision where that would be 0.

    >>> print(f"{erfc(10.0):.14g}")
    2.0884875837625e-45
    """
    return _op("erfc", x)


def normal_cdf(x: Any) -> Any:
    """The probability that a standard normal number is at most x, to full precision in the tail.

    >>> print(f"{normal_cdf(-10.0):.14g}")
    7.6198530241605e-24
    """
    return _op("normal_cdf", x)


def normal_pdf(x: Any) -> Any:
    """The density of the standard normal distribution.

    >>> normal_pdf(0.0)
    np.float64(0.3989422804014327)
    """
    return _op("normal_pdf", x)


def relu(x: Any) -> Any:
    """max(x, 0); its derivative at 0 is 0.

    >>> relu(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return _op("relu", x)


def sigmoid(x: Any) -> Any:
    """1/(1 + exp(-x)), to full precision in both tails.

    >>> sigmoid(np.array([-40.0, 0.0, 800.0])).tolist()
    [4.248354255291589e-18, 0.5, 1.0]
    """
    return _op("sigmoid", x)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without overflow.

    >>> log_sigmoid(np.array([-800.0, 800.0])).tolist()
    [-800.0, 0.0]
    """
    return _op("log_sigmoid", x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow.

    >>> softplus(np.array([-800.0, 800.0])).tolist()
    [0.0, 800.0]
    """
    return _op("softplus", x)


def silu(x: Any) -> Any:
    """x·sigmoid(x); -0.2784645 at -1.2784645 is its least value.

    >>> silu(np.array([-1.0, 1.0])).tolist()
    [-0.2689414213699951, 0.7310585786300049]
    """
    return _op("silu", x)


def gelu(x: Any) -> Any:
    """x times the probability that a standard normal number is at most x.

    >>> print(gelu(np.array([-1.0, 1.0])))
    [-0.15865525  0.84134475]
    """
    return _op("gelu", x)


# -- along axes -------------------------------------------------------------------------------


def _real(x: Node) -> Node:
    return cast(x, to_float(x.dtype))


def _logsumexp(x: Node, axis: Axis, keepdims: bool, name: str) -> Node:
    return reduce(_real(x), "logsumexp", normal_axes(axis, x.ndim, name), keepdims)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) along axes, without overflow; its derivative is softmax.

    >>> logsumexp(np.array([1000.0, 1000.0]))
    np.float64(1000.6931471805599)
    """
    return on_arrays(lambda n: _logsumexp(n, axis, keepdims, "logsumexp"), x)


def _log_softmax(x: Node, axis: Axis, name: str) -> Node:
    """Of x less its largest element, through which no gradient flows: the shift cancels."""
    x = _real(x)
    top = reduce(x, "max", normal_axes(axis, x.ndim, name), keepdims=True)
    fixed = REGISTRY["stop_gradient"].apply(top)
    shifted = x - REGISTRY["where"].apply(REGISTRY["isfinite"].apply(fixed), fixed, 0)
    return shifted - _logsumexp(shifted, axis, True, name)


def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """x - logsumexp(x) along axes: logarithms of probabilities.

    >>> log_softmax(np.array([1000.0, 0.0, 0.0])).tolist()
    [0.0, -1000.0, -1000.0]
    """
    return on_arrays(lambda n: _log_softmax(n, axis, "log_softmax"), x)


def softmax(x: Any, axis: Axis = -1) -> Any:
    """exp(x)/sum(exp(x)) along axes, without overflow: probabilities that sum to 1.

    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    exp = REGISTRY["exp"].apply
    return on_arrays(lambda n: exp(_log_softmax(n, axis, "softmax")), x)


def one_hot(labels: Any, classes: int, dtype: Any = np.float64) -> Any:
    """1 at each label and 0 elsewhere, along a new last axis of length `classes`.

    Labels are integers of any shape, from 0 to classes - 1: a known one outside is a `ShapeError`,
    a traced one gives a row of zeros.

    >>> one_hot([2, 0], 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    given = labels if isinstance(labels, Array) else np.asarray(labels)
    if given.dtype.kind not in "iu":
        raise DTypeError(f"one_hot takes integer labels, not {given.dtype}{at_caller()}")
    known = given if isinstance(given, np.ndarray) and given.size else None
    if known is not None and not 0 <= known.min() <= known.max() < classes:
        wrong = known.min() if known.min() < 0 else known.max()
        raise ShapeError(f"one_hot: label {wrong} is not one of {classes} classes{at_caller()}")
    return (given[..., None] == np.arange(classes)).astype(as_dtype(dtype))
