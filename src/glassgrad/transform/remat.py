"""gg.remat: values that are computed again in the backward pass, and not kept until then."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from glassgrad.array.handle import as_node
from glassgrad.graph.family import alias
from glassgrad.ops.loop import Call, results_of
from glassgrad.transform.body import (
    Place,
    captured_from,
    closed,
    is_number,
    present,
    stand_ins,
    tracing_body,
)
from glassgrad.transform.trace import Function
from glassgrad.transform.tree import flatten, unflatten


def remat(f: Function) -> Callable[..., Any]:
    """The function, whose inner values are computed again in the backward pass: less memory.

    The value has the same bits; so has the gradient, up to the order in which terms that arrive at
    one argument from inside and outside are summed. Arguments and results may be nested containers.

    >>> import glassgrad as gg, numpy as np
    >>> gg.grad(gg.remat(lambda x: np.sum(np.exp(np.sin(x)))))(np.array([0.0, 1.0]))
    array([1.        , 1.25338077])
    """

    def again(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        place = Place(leaves)
        trace = place.trace
        given = [as_node(v, trace) for v in leaves if not is_number(v)]
        before = present(trace)
        params = [alias(x) for x in given]
        new_args, new_kwargs = unflatten(tree, stand_ins(leaves, params))
        with tracing_body(trace):
            result = f(*new_args, **new_kwargs)
        found, out = flatten(result)
        results = [as_node(v, trace.root()) for v in found]
        captured = captured_from(results, params, before)
        if not params and not captured:
            return unflatten(out, place.returned(results))
        op = Call(closed([*params, *captured], results))
        return unflatten(out, place.returned(results_of(op, *given, *captured)))

    return update_wrapper(again, f)
