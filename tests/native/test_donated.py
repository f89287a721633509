"""Results in the memory of arguments: the same bits as with memory of their own, whatever reads."""

from unittest.mock import patch

import numpy as np
import pytest

from glassgrad.engines.native import donation
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.errors import GraphError, ShapeError
from glassgrad.graph.family import broadcast_to, reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Trace, make, new_input
from glassgrad.ops.contract import matmul
from glassgrad.ops.gather import scatter, scatter_add, take
from glassgrad.ops.loop import scan
from glassgrad.ops.reduce import reduce
from glassgrad.ops.view import Update, concatenate, slice_, transpose

CACHE = ObjectCache(None)
N = 12


class Writer:
    """Random graphs over square matrices, in which every kind of step reads and writes."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.trace = Trace()
        self.dtype = np.dtype(self.rng.choice(["f4", "f8"]))
        self.inputs = [new_input(self.trace, f"x{i}", (N, N), self.dtype) for i in range(3)]
        self.rows = new_input(self.trace, "rows", (5,), "i8")
        self.known = list(self.inputs)
        for _ in range(self.rng.integers(2, 12)):
            self.known.append(self.made())

    def pick(self):
        recent = self.rng.random() < 0.5
        return self.known[
            self.rng.integers(-3, 0) if recent else self.rng.integers(len(self.known))
        ]

    def made(self):
        makers = [
            self.sum, self.product, self.turned, self.flipped, self.normed, self.matmul,
            self.added, self.written, self.part, self.joined, self.deep, self.looped,
        ]  # fmt: skip
        return makers[self.rng.integers(len(makers))](self.pick(), self.pick())

    def sum(self, x, y):
        return x - y * 0.25

    def product(self, x, y):
        return k.tanh(x) * y + 0.5

    def turned(self, x, y):
        return transpose(x, (1, 0)) * 0.5 + y

    def flipped(self, x, y):
        return y - slice_(x, (N - 1, 0), (-1, 1), (N, N)) * 0.5

    def normed(self, x, y):
        axis = int(self.rng.integers(2))
        total = reduce(x * 0.125, "sum", (axis,))
        return y - broadcast_to(reshape(total, (1, N) if axis == 0 else (N, 1)), (N, N))

    def matmul(self, x, y):
        return y - matmul(x, transpose(y, (1, 0))) * 0.03125

    def added(self, x, y):
        return scatter_add(x, take(y, [self.rows]) * 0.25, [self.rows])

    def written(self, x, y):
        return scatter(x, take(y, [self.rows]) * 0.5 + take(x, [self.rows]), [self.rows])

    def part(self, x, y):
        place = Update((int(self.rng.integers(6)), 0), (1, 1))
        return make(place, x, slice_(y, (2, 0), (1, 1), (4, N)) * 0.5)

    def joined(self, x, y):
        above, below = slice_(x, (3, 0), (1, 1), (N - 3, N)), slice_(y, (0, 0), (1, 1), (3, N))
        return concatenate([above, below], 0)

    def deep(self, x, y):
        """A product over more than one block of k."""
        wide = concatenate([x, y] * 70, 1)
        return x - matmul(wide, transpose(wide, (1, 0))) * (1 / 4096)

    def looped(self, x, y):
        inner = Trace()
        a, b = (new_input(inner, name, (N, N), self.dtype) for name in "ab")
        body = Function([a, b], [b - transpose(a, (1, 0)) * 0.25, a * 0.5])
        return scan(body, 2, 0, int(self.rng.integers(1, 4)), [x, y])[0]

    def case(self):
        """Outputs, inputs, arguments, and which output is in which input's memory."""
        count = int(self.rng.integers(1, 4))
        outputs = [self.pick() for _ in range(count)]
        chosen = [int(i) for i in self.rng.permutation(3)[:count]]
        arrays = [self.rng.standard_normal((N, N)).astype(self.dtype) for _ in range(3)]
        arrays.append(self.rng.integers(-N, N, 5))
        return outputs, [*self.inputs, self.rows], arrays, dict(enumerate(chosen))


def check(seed):
    outputs, inputs, arrays, donated = Writer(seed).case()
    with patch.object(donation, "_LARGE", 1 << 40):  # no carry of a loop stays in place
        expected = NativeProgram(outputs, inputs, cache=CACHE)(arrays)
    with patch.object(donation, "_LARGE", 0):
        made = NativeProgram(outputs, inputs, cache=CACHE, donated=donated)
    for call in (lambda a: made(a), lambda a: made.fast(*a)):
        given = [a.copy() for a in arrays]
        found = call(given)
        for o, i in donated.items():
            assert found[o] is given[i]
        for o, (y, z) in enumerate(zip(expected, found)):
            assert y.tobytes() == z.tobytes(), (seed, o)
        for i, (a, b) in enumerate(zip(arrays, given)):
            assert i in donated.values() or (a == b).all()
    return made


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_give_the_same_bits(seed):
    check(seed)


def two(**options):
    """x + y and x * y."""
    trace = Trace()
    x, y = (new_input(trace, name, (3,), "f8") for name in "xy")
    return NativeProgram([x + y, x * y], [x, y], cache=CACHE, **options)


def test_swapped_arguments_each_take_the_memory_of_the_other():
    trace = Trace()
    x, y = (new_input(trace, name, (3,), "f8") for name in "xy")
    program = NativeProgram([x, y], [x, y], cache=CACHE, donated={0: 1, 1: 0})
    for call in (program.fast, lambda *arrays: program(arrays)):
        x, y = call(np.arange(3.0), np.arange(3.0) + 10)
        assert x.tolist() == [0, 1, 2]
        assert y.tolist() == [10, 11, 12]
    assert program.copied_back == 1


def test_donations_that_do_not_fit_are_refused():
    with pytest.raises(GraphError, match="two outputs"):
        two(donated={0: 0, 1: 0})
    trace = Trace()
    x = new_input(trace, "x", (3,), "f8")
    with pytest.raises(ShapeError, match="output 0 is float64"):
        NativeProgram([reduce(x, "sum", (0,))], [x], cache=CACHE, donated={0: 0})


def with_read_only(x):
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "change",
    [with_read_only, lambda x: np.repeat(x, 2)[::2], lambda x: x.astype(">f8"), np.ndarray.tolist],
)
def test_what_cannot_be_written_over_stays_as_it_is(change):
    program = two(donated={0: 0, 1: 1})
    x, y = change(np.arange(3.0)), np.ones(3)
    for _ in range(2):
        total, product = program.fast(x, y)
        assert total is not x
        assert product is y
        assert list(x) == [0, 1, 2]
        assert total.tolist() == [1, 2, 3]
        y[:] = 1


def test_of_arguments_that_share_memory_only_one_is_written_over():
    program = two(donated={0: 0, 1: 1})
    for _ in range(2):
        for start in (1, 0):
            whole = np.arange(1.0, 5.0)
            x, y = whole[:3], whole[start : start + 3]
            expected = (x + y).tolist(), (x * y).tolist()
            total, product = program.fast(x, y)
            assert (total.tolist(), product.tolist()) == expected
            assert not np.may_share_memory(total, product)
    x, y = np.arange(3.0), np.arange(3.0)
    assert program.fast(x, y)[0] is x


def test_an_argument_written_over_must_not_be_read_through_another():
    program = two(donated={0: 0})
    x = np.arange(3.0)
    total, product = program.fast(x, x)
    assert (total.tolist(), product.tolist()) == ([0, 2, 4], [0, 1, 4])
    assert x.tolist() == [0, 1, 2]


def test_a_donated_array_is_not_used_for_later_results():
    program = two(donated={0: 0})
    held = [program.fast(np.full(3, float(i)), np.ones(3)) for i in range(6)]
    assert [t[0] for t, _ in held] == [1, 2, 3, 4, 5, 6]
    assert [p[0] for _, p in held] == [0, 1, 2, 3, 4, 5]


def table_loop(n, donated):
    """n turns in which rows of a large table are added to, and a second carry that is swapped."""
    trace, inner = Trace(), Trace()
    table, a, b, rows = (
        new_input(trace, name, shape, dtype)
        for name, shape, dtype in [
            ("table", (400, 3), "f8"), ("a", (600,), "f8"), ("b", (600,), "f8"),
            ("rows", (n, 4), "i8"),
        ]
    )  # fmt: skip
    t, x, y, r = (
        new_input(inner, name, shape, dtype)
        for name, shape, dtype in [
            ("t", (400, 3), "f8"), ("x", (600,), "f8"), ("y", (600,), "f8"), ("r", (4,), "i8"),
        ]
    )  # fmt: skip
    added = scatter_add(t, k.sin(take(t, [r])), [r])
    body = Function([t, x, y, r], [added, y * 0.5, x + 1.0])
    outputs = scan(body, 3, 1, n, [table, a, b, rows])
    return NativeProgram(outputs, [table, a, b, rows], cache=CACHE, donated=donated)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_table_that_a_loop_carries_is_not_copied(n):
    rng = np.random.default_rng(n)
    arrays = [rng.standard_normal(s) for s in ((400, 3), 600, 600)] + [rng.integers(0, 400, (n, 4))]
    table, a, b = (x.copy() for x in arrays[:3])
    for rows in arrays[3]:
        np.add.at(table, rows, np.sin(table[rows]))
        a, b = b * 0.5, a + 1.0
    for donated in ({}, {0: 0}, {0: 0, 1: 1, 2: 2}, {0: 0, 1: 2, 2: 1}):
        program = table_loop(n, donated)
        given = [x.copy() for x in arrays]
        for found, expected in zip(program(given), (table, a, b)):
            np.testing.assert_allclose(found, expected, rtol=1e-14)
        if n > 1:
            (loop,) = (s for s in program.steps if type(s).__name__ == "Repeat")
            assert 0 in loop.still
            assert max(int(np.prod(s.shape)) for s in loop.body) <= 600
            others = [s for s in program.steps if s is not loop and s.shape == (400, 3)]
            assert len(others) == (0 not in donated)


def test_an_empty_result_may_be_donated_to():
    trace = Trace()
    x, y = (new_input(trace, name, (0,), "f8") for name in "xy")
    program = NativeProgram([x + y], [x, y], cache=CACHE, donated={0: 0})
    given = np.zeros(0)
    for found in (program.fast(given, given.copy())[0], program([given, given.copy()])[0]):
        assert found is given
