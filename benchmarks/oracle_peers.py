"""glassgrad, PyTorch and JAX against the oracle's 50-digit derivatives, op by op.

    python benchmarks/oracle_peers.py

For each elementwise op that the peers have under a name: at how many finite points (samples and
edge grid) the first and the second derivative miss the truth by more than 1e-10 of it, in float64.
Points at kinks, and derivatives below 1e-300, are left out for all alike. Needs the extra `bench`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import jax
import numpy as np
import torch

import glassgrad as gg
from glassgrad.graph.op import REGISTRY
from oracle.elementwise import TOLERANCE, UNDERFLOW, true_derivatives

Derivatives = tuple[np.ndarray, np.ndarray]
UNARY = """
    exp expm1 log log1p sin cos tan tanh sinh cosh arcsin arccos arctan arcsinh arccosh arctanh sqrt
    square abs exp2 log2 log10 sigmoid softplus log_sigmoid silu erf erfc
"""
JAX_NN = {"sigmoid", "softplus", "log_sigmoid", "silu"}


def of_glassgrad(name: str, x: np.ndarray) -> Derivatives:
    """First and second derivatives at each point."""

    def f(v: Any) -> Any:
        return np.sum(gg.Array(REGISTRY[name].apply(v.node)))

    first = gg.grad(f)
    return first(x), gg.grad(lambda v: np.sum(first(v)))(x)


def of_torch(name: str, x: np.ndarray) -> Derivatives | None:
    """The same by PyTorch; None where it has no such function."""
    f = getattr(torch, name, None) or getattr(torch.nn.functional, name.replace("_", ""), None)
    f = f or getattr(torch.special, name, None)
    if f is None:
        return None
    v = torch.tensor(x, requires_grad=True)
    (first,) = torch.autograd.grad(f(v).sum(), v, create_graph=True)
    second = torch.autograd.grad(first.sum(), v)[0] if first.requires_grad else torch.zeros_like(v)
    return first.numpy(force=True), second.numpy(force=True)


def of_jax(name: str, x: np.ndarray) -> Derivatives | None:
    """The same by JAX."""
    home = jax.nn if name in JAX_NN else jax.scipy.special if name[:3] == "erf" else jax.numpy
    f: Callable[..., Any] | None = getattr(home, name, None)
    if f is None:
        return None
    first = jax.grad(lambda v: f(v).sum())
    return np.asarray(first(x)), np.asarray(jax.grad(lambda v: first(v).sum())(x))


def misses(got: np.ndarray, want: list[Any]) -> int:
    """At how many points a derivative is wrong."""
    count = 0
    for g, w in zip(got.tolist(), want):
        if w is None or abs(w) < UNDERFLOW or abs(w) > 1.7e308:
            continue
        count += not (np.isfinite(g) and abs(g - float(w)) <= TOLERANCE * abs(float(w)))
    return count


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    np.seterr(all="ignore")
    print(f"{'op':14}{'points':>7}" + "".join(f"{p:>16}" for p in ("glassgrad", "PyTorch", "JAX")))
    totals = np.zeros((3, 2), int)
    for name in (n for n in UNARY.split() if n in REGISTRY):
        row = np.zeros((3, 2), int)
        points, absent = 0, set[int]()
        for at in ("samples", "edges"):
            truths = true_derivatives(name, at)
            x = truths.columns[0]
            points += x.size
            for i, peer in enumerate((of_glassgrad, of_torch, of_jax)):
                found = peer(name, x)
                if found is None:
                    absent.add(i)
                    continue
                row[i] += [misses(found[0], truths.first[0]), misses(found[1], truths.second[0, 0])]
        totals += row
        cells = ["-" if i in absent else f"{a} + {b}" for i, (a, b) in enumerate(row)]
        print(f"{name:14}{points:7}" + "".join(f"{cell:>16}" for cell in cells))
    print(f"{'all':21}" + "".join(f"{f'{a} + {b}':>16}" for a, b in totals))


if __name__ == "__main__":
    main()
