"""What the lectures say of the work that is done, as statements about compiled code."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np
import pytest
from agreement import close

import glassgrad as gg
from glassgrad.diff import reverse
from glassgrad.engines.native.expression import Apply, Seed, loads, walk
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.step import Multiply, Reduction
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Trace, new_input
from glassgrad.graph.traverse import rebuild, topological_order
from glassgrad.rewrite.pipeline import finish, stabilise


def program_of(compiled):
    """The one program of a compiled function."""
    ((made,),) = compiled.programs.values()
    return made.program


def nbytes(program):
    """What the program needs besides its arguments and results."""
    return program.arena.size + sum(c.nbytes for c in program.constants)


def work(program):
    """(op, how often it is computed) for each op of each step; a sum of products is a matmul."""
    for step in program.steps:
        if isinstance(step, Multiply):
            yield "matmul", 2 * prod(step.batch) * step.m * step.n * step.k
        inside = []
        if isinstance(step, Reduction):
            inside = [x for x in walk([step.operand]) if isinstance(x, Apply)]
            times = any(x.op.name == "multiply" for x in inside)
            yield ("matmul" if times else "add"), prod(step.space)
            yield from ((x.op, points(x, step.space)) for x in inside)
        for x in walk([store.expr for store in step.stores]):
            if isinstance(x, Apply) and x not in inside:
                yield x.op, points(x, step.shape) * prod(getattr(step, "batch", ()))


def points(expr, shape):
    """For how many points an expression is computed: once where nothing that it reads moves."""
    below = list(walk([expr]))
    if any(isinstance(x, Seed) for x in below):
        return prod(shape)
    views = [x.view for x in loads([expr])]
    return prod(n for i, n in enumerate(shape) if any(v.strides[i] for v in views))


def name(op):
    """The op's name; a step of its own has one already."""
    return op if isinstance(op, str) else op.name


def flops(program):
    """The operations that the compiled code does, those computed again among them."""
    return sum(n * (1 if isinstance(op, str) else op.flops_each) for op, n in work(program)
               if isinstance(op, str | Elementwise))  # fmt: skip


LARGE = 1_000_000


def test_S1_21_an_identity_jacobian_is_not_materialised():
    omega = np.ones((3, 2))
    assert gg.jacobian(lambda b: b + omega @ np.ones(2))(np.ones(3)).tolist() == np.eye(3).tolist()
    pull = gg.jit(lambda b, v, g: gg.vjp(lambda b: b + v, b)[1](g))
    g = np.arange(float(LARGE))
    assert (pull(g, g, g) == g).all()
    assert nbytes(program_of(pull)) < 1024  # nothing but the result


def test_S1_26_the_derivative_of_relu_is_a_pointwise_product():
    relu = lambda b: np.maximum(b, 0)  # noqa: E731
    close(gg.jacobian(relu)(np.array([1.0, -2.0, 3.0])), np.diag([1.0, 0.0, 1.0]))
    pull = gg.jit(lambda b, g: gg.vjp(relu, b)[1](g))
    b = np.tile([1.0, -2.0], LARGE // 2)
    assert (pull(b, b + 1) == (b > 0) * (b + 1)).all()
    program = program_of(pull)
    assert nbytes(program) < 1024
    assert {name(op) for op, _ in work(program)} <= {"less", "where", "multiply"}
    assert all(n == LARGE for _, n in work(program))  # O(n), not O(n²)


LAYERS = [
    (np.array([0.1, 0.9, 0.2]), np.array([[0.5, -0.3], [0.2, 0.4], [-0.6, 0.1]])),
    (np.array([0.05, -0.1]), np.array([[0.3, -0.2, 0.5], [0.7, 0.1, -0.4]])),
    (np.array([0.3, 0.2]), np.array([[0.6, -0.5], [0.2, 0.9]])),
    (np.array([-0.25]), np.array([[1.2, -0.7]])),
]


def relu_loss(layers):
    """The network of S1-22."""
    h, y = np.array([1.0, -2.0]), 0.5
    for i, (beta, omega) in enumerate(layers):
        f = beta + omega @ h
        h = np.maximum(f, 0) if i < len(layers) - 1 else f
    return np.sum((h - y) ** 2)


def backward_alone(loss, variables):
    """The gradients as a program whose inputs are the variables and what the loss computes."""
    (loss,) = stabilise([loss.node])
    gradients = reverse.gradients(loss, [v.node for v in variables])
    forward = [n for n in topological_order([loss]) if n.bound]
    trace = Trace()
    given = {n: new_input(trace, "kept", n.shape, n.dtype) for n in forward}
    order = topological_order(gradients, given)
    given |= {n: trace.make(n.op) for n in order if not n.inputs}
    new = rebuild(gradients, given)
    used = {x for n in order for x in n.inputs}
    inputs = [given[n] for n in forward if n in used]
    return NativeProgram(finish([new[g] for g in gradients]), inputs)


def test_S1_27_the_backward_pass_needs_products_and_thresholds_only():
    layers = [(gg.variable("b", b.shape), gg.variable("W", w.shape)) for b, w in LAYERS]
    variables = [v for pair in layers for v in pair]
    program = backward_alone(relu_loss(layers), variables)
    histogram = Counter(name(op) for op, _ in work(program))
    mask = {"less", "where"}
    assert set(histogram) <= {"matmul", "multiply", "add", *mask}, histogram
    assert histogram["matmul"] == len(LAYERS) - 1  # Ωᵀ·; the outer products are multiplies
    compiled = gg.jit(gg.grad(relu_loss))
    close(compiled(LAYERS)[0][0], [1.7506134, 0.6090198, 0])


def test_S3_43_gradients_together_share_the_upstream_part():
    rng = np.random.default_rng(0)
    n, m = 300, 200
    u, W, b, x = rng.normal(size=n), rng.normal(size=(n, m)), rng.normal(size=n), rng.normal(size=m)

    def score(u, W, b, x):
        return np.dot(u, np.tanh(W @ x + b))

    def counted(argnums):
        compiled = gg.jit(gg.grad(score, argnums=argnums))
        compiled(u, W, b, x)
        found = Counter()
        for op, times in work(program_of(compiled)):
            found[name(op)] += times
        return found

    both, of_b, of_W = counted((2, 1)), counted(2), counted(1)
    delta = of_b  # ∂s/∂b is δ itself: z, tanh'(z), and its product with u
    assert both.total() < of_b.total() + of_W.total()
    assert both == of_b + of_W - delta
    assert delta["tanh_slope"] == n and both["tanh_slope"] == n


OPS = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: np.sin(a) * b,
    lambda a, b: a / (2.0 + b * b), lambda a, b: np.tanh(a) + b, lambda a, b: np.exp(-(a * a)) - b,
    lambda a, b: np.maximum(a, b), lambda a, b: np.sqrt(1.0 + a * a) * 0.5 + b,
    lambda a, b: (a @ MIXING) * b,
]  # fmt: skip
MIXING = np.random.default_rng(3).normal(size=(40, 40)) / 7


def random_dag(seed, size):
    """A scalar function whose nodes use any two before them, so that many are used often."""
    rng = np.random.default_rng(seed)
    plan = [(OPS[rng.integers(len(OPS))], *rng.integers(0, 3 + i, 2)) for i in range(size)]

    def f(*inputs):
        nodes = list(inputs)
        for op, i, j in plan:
            nodes.append(op(nodes[i], nodes[j]))
        return sum(np.sum(v) for v in nodes[-3:])

    return f


@pytest.mark.parametrize("seed", range(12))
def test_S3_44_a_gradient_costs_a_few_times_the_function(seed):
    f = random_dag(seed, 30)
    rng = np.random.default_rng(seed)
    xs = [rng.normal(size=(20, 40)) for _ in range(3)]
    value, both = gg.jit(f), gg.jit(gg.value_and_grad(f, argnums=(0, 1, 2)))
    found = both(*xs)
    np.testing.assert_allclose(found[0], value(*xs), rtol=1e-10)
    ratio = flops(program_of(both)) / flops(program_of(value))
    assert ratio <= 5, ratio
