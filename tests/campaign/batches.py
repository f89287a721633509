"""Random functions of a batch, compiled once and called with batches of several sizes.

A function is plain NumPy over rows: what a user writes, gradients included. Each size's results are
those of its own graph on the reference engine, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np

import glassgrad as gg
from campaign.engines import by_threads
from campaign.graph import RandomGraph
from campaign.verdict import mismatch
from campaign.ways import Way
from glassgrad.engines import reference
from glassgrad.engines.native.target import Target
from glassgrad.graph.traverse import topological_order
from glassgrad.transform.jit import Jit
from glassgrad.transform.tree import flatten

SIZES = (1, 2, 3, 5, 8, 16, 17, 33, 64, 100, 257, 1031)
CACHED = ("program", "general")

Array = Any
Line = Callable[[Array, Array, dict[str, Array]], Array]


def _scanned(a: Array, b: Array, given: dict[str, Array]) -> Array:
    def turn(carry: Array, row: Array) -> tuple[Array, Array]:
        carry = np.tanh(carry + row)
        return carry, carry

    return gg.scan(turn, a[0] * 0, b)[1]


def _softmax(a: Array, axis: int) -> Array:
    e = np.exp(a - np.max(a, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


LINES: list[Line] = [
    lambda a, b, g: np.tanh(a) + b,
    lambda a, b, g: a * b,
    lambda a, b, g: np.where(a > b, a, 0.5 * b),
    lambda a, b, g: np.maximum(a @ g["w"] + g["bias"], 0),
    lambda a, b, g: np.tanh(a @ g["w"]),
    lambda a, b, g: a - np.mean(a, axis=0),
    lambda a, b, g: (a - np.mean(a, axis=1, keepdims=True)) / (1 + np.std(b)),
    lambda a, b, g: a / (np.std(b, axis=1, keepdims=True) + 1),
    lambda a, b, g: a - np.max(b, axis=0),
    lambda a, b, g: a * np.sum(b, axis=1, keepdims=True) / a.shape[1],
    lambda a, b, g: np.cumsum(a, axis=0) / len(a),
    lambda a, b, g: np.cumsum(a, axis=1) - b,
    lambda a, b, g: np.sort(a, axis=1) + b,
    lambda a, b, g: np.sort(a, axis=0),
    lambda a, b, g: a[::-1] + b,
    lambda a, b, g: a[:, ::-1] - b,
    lambda a, b, g: a[g["order"]] + b,
    lambda a, b, g: (a @ b.T) @ a / len(a),
    lambda a, b, g: a + np.sum(np.tanh(a @ b.T), axis=1, keepdims=True) / len(a),
    lambda a, b, g: _softmax(a @ b.T, 1) @ b,
    lambda a, b, g: a @ (a.T @ b) * np.mean(a) / len(a),
    lambda a, b, g: np.reshape(np.reshape(a, (-1,)) * 2, a.shape) + b,
    lambda a, b, g: np.concatenate([a, b], axis=1)[:, 1 : 1 + a.shape[1]],
    lambda a, b, g: np.concatenate([a, b], axis=0)[: len(a)],
    lambda a, b, g: _softmax(a, 1) + b,
    lambda a, b, g: _softmax(a, 0) * b,
    lambda a, b, g: g["table"][g["classes"]] + a,
    lambda a, b, g: a - np.reshape(a[np.arange(len(a)), g["classes"]], (-1, 1)),
    lambda a, b, g: a * (gg.random.uniform(g["key"], a.shape) < 0.5),
    lambda a, b, g: np.transpose(np.transpose(a) * 0.5) + b,
    lambda a, b, g: a + np.asarray(a > b, a.dtype).sum(axis=0) / len(a),
    _scanned,
]  # fmt: skip


def function(seed: int) -> Callable[[dict[str, Array], dict[str, Array]], Any]:
    """A function of rows and weights: its result, a loss, and slopes in most cases."""
    rng = np.random.default_rng([seed, 11])
    count = int(rng.integers(1, 7))
    lines = [LINES[i] for i in rng.integers(0, len(LINES), count)]
    wired = [rng.random(2) for _ in lines]
    last, slopes = int(rng.integers(3)), rng.random() < 0.7

    def run(given: dict[str, Array]) -> tuple[Array, Array]:
        pool = [given["x"], given["y"]]
        for line, wires in zip(lines, wired):
            a, b = (pool[int(len(pool) * w**0.5)] for w in wires)
            pool.append(line(a, b, given))
        z = pool[-1]
        result = (z, np.sum(z * z, axis=0), np.mean(z, axis=1))[last]
        return np.mean(z * z) + np.sum(z) / len(z), result

    def both(rows: dict[str, Array], weights: dict[str, Array]) -> Any:
        given = rows | weights
        if not slopes:
            return run(given)
        wanted = {k: given[k] for k in ("x", "w", "bias", "table")}

        def loss(wanted: dict[str, Array]) -> tuple[Array, Array]:
            return run(given | wanted)

        return gg.value_and_grad(loss, has_aux=True)(wanted)

    return both


def arrays(seed: int, n: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A batch of n rows, and weights, which are the same for every size."""
    rng = np.random.default_rng([seed, 12])
    d, dtype = int(rng.choice([1, 3, 4, 10, 16])), np.dtype(rng.choice(["f4", "f8"]))
    shapes = {"w": (d, d), "bias": (d,), "table": (d, d)}
    weights = {k: rng.standard_normal(s).astype(dtype) / d**0.5 for k, s in shapes.items()}
    rows = np.random.default_rng([seed, n])
    batch = {name: rows.standard_normal((n, d)).astype(dtype) for name in "xy"}
    numbers = {"order": rows.permutation(n), "classes": rows.integers(0, d, n)}
    return batch | numbers, weights | {"key": gg.random.key(seed)}


def wrong_size(seed: int) -> tuple[str | None, int]:
    """What is wrong for some size, in words; and for how many sizes one program was used."""
    rng = np.random.default_rng([seed, 13])
    f, named = function(seed), {"batch": 0} if rng.random() < 0.5 else {}
    tiny, cut = (bool(x) for x in rng.random(2) < 0.4)
    with _quickly(), Way(tiny=tiny, cut=cut, builtin=True).compiling():
        step = gg.jit(f, **named)
        for n in map(int, rng.choice(SIZES, 5)):
            given = arrays(seed, n)

            def run(given: Any = given) -> list[np.ndarray]:
                return [np.asarray(x) for x in flatten(step(*given))[0]]

            found = run()
            said = mismatch(traced(f, given), found) or (cut and by_threads(run, found))
            if said:
                return f"batch of {n}: {said}", _sized(step)
    return None, _sized(step)


def traced(f: Callable[..., Any], given: tuple[dict[str, np.ndarray], ...]) -> RandomGraph:
    """The graph of the function for these arguments, with the reference engine's values."""
    leaves, tree = flatten((given, {}))
    inputs, outputs, *_ = Jit(f, "reference", False)._trace(leaves, tree)  # pyright: ignore
    values = dict(zip(inputs, leaves))
    for _ in reference.interpret(topological_order(outputs), values):
        pass
    return RandomGraph(inputs, outputs, values)


def _sized(step: Jit) -> int:
    made = [m.program for group in step.programs.values() for m in group]
    return sum(type(program).__name__ == "SizedProgram" for program in made)


@contextmanager
def _quickly() -> Iterator[None]:
    """Without the user's cache, and with LLVM's quickest way of selecting instructions."""
    with ExitStack() as stack:
        for name in CACHED:
            module = import_module(f"glassgrad.engines.native.{name}")
            stack.enter_context(patch.object(module, "user_cache_folder", lambda: None))
        machine = Target.machine
        stack.enter_context(patch.object(Target, "machine", lambda self, level=0: machine(self, 0)))
        yield
