"""Every op says all that `glassgrad ops` lists, and counts its arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.cli.main import main
from glassgrad.cli.ops import describe
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Trace, make, new_input
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.factor import Cholesky, OrthogonalFactor, SingularValues, SymmetricEigen
from glassgrad.ops.linear_system import (
    Cofactors,
    Determinant,
    Inverse,
    LogDeterminant,
    PseudoInverse,
    Solve,
    SolveTriangular,
)
from oracle.instances import INSTANCES, MATRICES
from oracle.structural import Built

SAID = ("value", "derivative", "domain", "kinks", "verb", "flops")


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_S4_14_every_op_is_listed_in_full(name):
    card = describe(REGISTRY[name])
    assert tuple(card) == SAID
    assert all(card.values()), card


def test_S4_14_the_list_is_printed(capsys):
    assert main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")][:-1] == sorted(REGISTRY)
    for key in SAID:
        assert sum(line.startswith(f"  {key} ") for line in lines) == len(REGISTRY)
    assert lines[-1] == f"{len(REGISTRY)} ops"


def test_S4_14_the_registry_is_closed(capsys):
    assert main(["ops", "frobnicate"]) == 2
    assert "there is no op named 'frobnicate'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="registered already"):
        Elementwise("tanh", math=lambda k, x: x)


FLOPS = {"add": 1, "exp": 1, "tanh": 1, "sigmoid": 5, "relu": 1, "clip": 2, "where": 0, "less": 0}


@pytest.mark.parametrize("name", FLOPS)
def test_operations_of_an_element_follow_from_the_body(name):
    assert REGISTRY[name].flops_each == FLOPS[name]


def test_an_elementwise_op_computes_something():
    free = {n for n, op in REGISTRY.items() if isinstance(op, Elementwise) and not op.flops_each}
    questions = {n for n in free if REGISTRY[n].result == "bool"}
    assert free - questions == {"where", "stop_gradient"}


STRUCTURAL = INSTANCES[: -len(MATRICES)]
MATRIX = {
    "solve": (Solve(), (3, 3), (3, 2), 18 + 36), "inv": (Inverse(), (2, 3, 3), 2 * 54),
    "solve_triangular": (SolveTriangular(True), (3, 3), (3, 2), 18),
    "slogdet": (LogDeterminant(), (3, 3), 18), "det": (Determinant(), (3, 3), 18),
    "cofactors": (Cofactors(), (3, 3), 54), "cholesky": (Cholesky(), (3, 3), 9),
    "eigh": (SymmetricEigen(), (2, 2, 2), 2 * 72), "svd": (SingularValues(), (3, 2), 22 * 12),
    "pinv": (PseudoInverse(0.0), (3, 2), 22 * 12), "qr": (OrthogonalFactor(), (3, 2), 48 - 10),
}  # fmt: skip


@pytest.mark.parametrize("name", MATRIX)
def test_a_factorisation_counts_for_each_matrix(name):
    op, *shapes, want = MATRIX[name]
    trace = Trace()
    node = make(op, *(new_input(trace, "x", shape, "f8") for shape in shapes))
    assert node.op.flops(node) == want
    assert {x.op.name for x in MATRICES} == set(MATRIX)


@pytest.mark.parametrize("number", range(len(STRUCTURAL)), ids=map(str, STRUCTURAL))
def test_a_structural_op_counts_for_its_shapes(number):
    instance = STRUCTURAL[number]
    node = Built(instance, instance.arrays(0)).node
    node = node.inputs[0] if node.name == "item" else node
    x, *rest = node.inputs
    kind = getattr(node.op, "kind", "")
    each = {"any": 0, "all": 0, "logsumexp": 4}.get(kind, 1)
    want = {"reduce": each * x.size, "cumsum": x.size}.get(node.name, 0)
    if node.name == "scatter_add":
        want = rest[0].size
    if node.name == "contract":  # the number of products is their sum where all factors are 1
        op, (y,) = node.op, rest
        want = 2 * np.einsum(np.ones(x.shape), [*op.lhs], np.ones(y.shape), [*op.rhs], [])
    assert node.op.flops(node) == want


def test_loops_and_branches_count_their_bodies():
    c, x = gg.variable("c", (3,)), gg.variable("x", (5, 3))

    def step(c, x):
        return c * x + 1.0, np.sum(c)

    def count(result):
        nodes = topological_order([r.node for r in result])
        return sum(n.op.flops(n) for n in nodes)

    assert count(gg.scan(step, c, x)) == 5 * (3 + 3 + 3)
    dear, cheap = (lambda c: np.exp(c) * c + 1.0), (lambda c: c + 1.0)
    assert count([gg.cond(c[0] > 0, dear, cheap, c)]) == 9
    assert count([gg.remat(dear)(c)]) == 9
    assert count([gg.while_loop(lambda c: np.sum(c) < 1, cheap, c)]) == 6
