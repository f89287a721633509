"""Random graphs that are well defined: every family of ops, any layout, gradients included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from campaign import families, loops, matrices, patterns, places
from campaign.graph import RandomGraph
from campaign.maker import Maker
from glassgrad.diff.reverse import gradients
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.family import Cast
from glassgrad.graph.node import Input, Node, constant, make
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract

FAMILIES: list[tuple[Callable[[Maker], Node | None], float]] = [
    (families.elementwise, 12), (families.cast, 2), (families.reduce, 3), (families.contract, 2.5),
    (families.product, 0.6), (places.concatenate, 1), (places.write, 1.5), (places.gather, 2),
    (places.prefix, 1), (places.sort, 0.7), (places.draw, 0.3), (places.windows, 0.4),
    (places.rows, 0.4), (loops.loop, 0.9), (patterns.layer, 0.5), (patterns.softmax, 0.5),
    (patterns.batches, 0.3), (matrices.algebra, 0.5),
]  # fmt: skip
_SHARES = np.array([share for _, share in FAMILIES]) / sum(share for _, share in FAMILIES)


def random_graph(seed: int) -> RandomGraph:
    """The graph of a seed: 3 to 20 nodes, fewer more often, besides what belongs to gradients."""
    rng = np.random.default_rng(seed)
    return _graph(Maker(rng), 3 + int(18 * rng.random() ** 2))


def _graph(m: Maker, size: int) -> RandomGraph:
    """A graph of about so many nodes, with gradients in most cases, now and then of gradients."""
    for _ in range(int(m.rng.integers(1, 4))):
        m.new("f" if m.chance(0.8) else "biuf")
    tries = 0
    while len(m.pool) < size and tries < 10 * size:
        tries += 1
        FAMILIES[int(m.rng.choice(len(FAMILIES), p=_SHARES))][0](m)
    used = {x for node in m.pool for x in node.inputs}
    ends = [x for x in m.pool if x not in used and not isinstance(x.op, Input)]
    outputs = ends[-6:] or [m.pool[-1]]
    total, slopes = _slopes(m, outputs) if m.chance(0.7) else (None, {})
    second: dict[Node, Node] = {}
    if slopes and m.chance(0.12):
        _, second = _slopes(m, list(slopes)[:2])
    outputs = list(dict.fromkeys([*outputs, *slopes, *second]))
    order = topological_order(outputs)
    under = set(order)
    inputs = [x for x in m.inputs if x in under]
    values = {x: m.values[x] for x in (*order, *m.inputs) if x in m.values}
    return RandomGraph(inputs, outputs, values, None if second else total, {} if second else slopes)


def _slopes(m: Maker, outputs: list[Node]) -> tuple[Node | None, dict[Node, Node]]:
    """A weighted sum of the real outputs, and its gradients by the real inputs."""
    total: Node | None = None
    for y in outputs:
        if y.dtype.kind != "f" or not y.size:
            continue
        w = constant(m.trace, m.array(y.shape, y.dtype), y.dtype)
        labels = tuple(range(y.ndim))
        part = make(Contract(labels, labels, ()), y, w)
        part = part if part.dtype.itemsize == 8 else make(Cast(np.dtype("f8")), part)
        total = part if total is None else make(REGISTRY["add"], total, part)
    under = set() if total is None else set(topological_order([total]))
    reals = [x for x in m.inputs if x.dtype.kind == "f" and x in under]
    if total is None or not reals:
        return None, {}
    try:
        found = dict(zip(gradients(total, reals), reals))
    except GlassgradError:  # a while loop has no reverse mode
        return None, {}
    return total, {g: x for g, x in found.items() if g.inputs and m.keep(g) is not None}
