"""Integer divisions in loops, branches, shared steps and recalled kernels: all are told."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.integer_division import noted
from glassgrad.engines.native import threads
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.node import Trace, new_input
from glassgrad.train.sweep import Sweep
from warned import ENGINES, REMAINDER, ZERO, A, B, both, told


def divided(a, b):
    quotient = a // b
    return quotient + 1


# -- loops, branches, transforms ----------------------------------------------


def counted(a, b):
    """A loop of unknown length, which goes on after a division by zero."""
    start = np.int64(0), np.int64(0)
    return gg.while_loop(
        lambda c: c[0] < 30, lambda c: (c[0] + 1, c[1] + a[c[0]] // b[c[0]]), start
    )


def wide(a, b):
    """The same with a body too large for registers."""
    start = np.int64(0), a
    return gg.while_loop(lambda c: c[0] < 30, lambda c: (c[0] + 1, c[1] + a // b[::-1]), start)


BODIES = {
    "scan": lambda a, b: gg.scan(lambda c, r: (c + r[0] // r[1], c), np.int64(0), (a, b)),
    "large scan": lambda a, b: gg.scan(lambda c, r: (c + a // r, r), a, b),
    "while": counted,
    "large while": wide,
    "before a while": lambda a, b: (
        a // b, gg.while_loop(lambda c: c < 9, lambda c: c + 1, np.int64(0)),
    ),
    "taken": lambda a, b: gg.cond(a[0] <= 0, lambda: a // b, lambda: a),
    "small taken": lambda a, b: gg.cond(a[0] <= 0, lambda: a[1] // b[3], lambda: a[0]),
    "nested": lambda a, b: gg.scan(
        lambda c, r: (gg.cond(c[0] >= 0, lambda: c + r // (b + 9 * (r < 3)), lambda: c), None), a, a
    )[0],
    "remat": lambda a, b: gg.remat(lambda a: a // b)(a),
    "examples": lambda a, b: gg.vmap(lambda a, b: a // b)(a, b),
    "taken by one": lambda a, b: gg.vmap(lambda a, b: gg.cond(b == 0, lambda: a // b, lambda: a))(
        a, b
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_loops_and_branches(name):
    f = BODIES[name]
    assert both(f, A, B, expected=[ZERO]) == [ZERO]
    assert both(f, A, B + 100, expected=[]) == []
    with np.errstate(divide="ignore"):
        found, wanted = (gg.jit(f, engine=e)(A, B) for e in ENGINES)
    pairs = zip(found, wanted) if isinstance(found, tuple) else [(found, wanted)]
    assert all(np.array_equal(x, y) for x, y in pairs)


def gcd(a, b):
    return gg.while_loop(lambda c: c[1] != 0, lambda c: (c[1], c[0] % c[1]), (a, b))[0]


def gcd_of_at_most_ten_steps(a, b):
    return gg.while_loop(lambda c: c[1] != 0, lambda c: (c[1], c[0] % c[1]), (a, b), 10)[0]


@pytest.mark.parametrize("f", [gcd, gcd_of_at_most_ten_steps])
def test_an_example_that_is_done_divides_no_more(f):
    found = both(gg.vmap(f), A + 5, B + 4, expected=[])
    assert found == []
    assert np.array_equal(gg.jit(gg.vmap(f))(A + 5, B + 4), np.gcd(A + 5, B + 4))


SPARED = {
    "scan": lambda a, b: gg.scan(lambda c, r: (c + r // b, None), a, np.arange(3))[0],
    "while": lambda a, b: gg.while_loop(lambda c: c < 5, lambda c: c + 1 + c // b, a),
    "remat": lambda a, b: gg.remat(lambda a: a // b)(a),
    "branch": lambda a, b: gg.cond(a > 3, lambda: a // b, lambda: a % b),
    "plain": lambda a, b: a // b,
}


@pytest.mark.parametrize("name", SPARED)
def test_examples_that_take_the_other_branch_divide_by_nothing(name):
    inner = SPARED[name]

    def f(a, b):
        return gg.vmap(lambda a, b: gg.cond(b != 0, lambda: inner(a, b), lambda: a))(a, b)

    assert both(f, A, np.abs(B), expected=[]) == []
    with np.errstate(all="raise"):
        wanted = [inner(a, b) if b else a for a, b in zip(A, np.abs(B))]
    assert np.array_equal(gg.jit(f)(A, np.abs(B)), wanted)


def test_a_branch_that_is_not_taken_is_not_told_of():
    both(lambda a, b: gg.cond(a[0] > 0, lambda: a // b, lambda: a), A, B, expected=[])
    both(lambda a, b: gg.cond(a[0] > 0, lambda: a[1] // b[3], lambda: a[1]), A, B, expected=[])


def test_gradients():
    def loss(x, a, b):
        scale = gg.remat(lambda x: x * (a // b))
        return np.sum(scale(x) ** 2)

    for f in (gg.grad(loss), gg.value_and_grad(loss), gg.hessian(loss)):
        assert both(f, A * 1.0, A, B, expected=[ZERO]) == [ZERO]


def test_values_that_a_function_looks_at():
    """A program for other values is tried first, and what goes wrong in it is not told."""

    def f(a, b):
        return a // b if a.sum() > 0 else a % np.abs(b + 9)

    for engine in ENGINES:
        compiled = gg.jit(f, engine=engine)
        assert told(compiled, A, B) == [ZERO]
        assert told(compiled, -A, B) == []
        assert told(compiled, -A, B) == []
        assert told(compiled, A, B) == [ZERO]


def test_both_engines_are_run_and_one_tells():
    assert told(gg.jit(divided, check=True), A, B) == [ZERO]


def test_a_failure_is_raised_whatever_else_is_to_tell():
    def f(a, b, i):
        return a // b + a[i]

    for engine in ENGINES:
        with pytest.raises(IndexError, match="index 99 is out of range"):
            assert told(gg.jit(f, engine=engine), A, B, np.full(37, 99)) == []


# -- memory, threads, sizes, processes ----------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_eight_donated_arrays_hold_the_results_when_the_error_comes(engine):
    def f(arrays, divisor):
        return [a // divisor for a in arrays]

    arrays = [np.arange(8) * (i + 1) for i in range(8)]
    divisor = np.array([1, 2, 0, 4, 5, 6, 7, 8])
    with np.errstate(divide="ignore"):
        wanted = f([a.copy() for a in arrays], divisor)
    compiled = gg.jit(f, donate=0, engine=engine)
    compiled([a.copy() for a in arrays], divisor + 1)
    kept = [a.copy() for a in arrays]
    for _ in range(3):
        given = [a.copy() for a in arrays]
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=ZERO):
            compiled(given, divisor)
        expected = wanted if engine == "native" else kept
        assert all(np.array_equal(x, y) for x, y in zip(given, expected))
    given = [a.copy() for a in arrays]
    with np.errstate(divide="ignore"):
        found = compiled(given, divisor)
    assert all(np.array_equal(x, y) for x, y in zip(found, wanted))
    assert engine == "reference" or all(x is y for x, y in zip(found, given))


@pytest.fixture
def two_threads():
    before = threads._wanted
    gg.threads(2)
    yield
    threads._wanted = before
    threads.start()


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("dtype", [np.int8, np.uint32, np.int64])
def test_steps_that_threads_share(dtype):
    n = 400_003
    a, b = np.ones(n, dtype), np.ones(n, dtype)

    def f(a, b):
        quotient = a // b
        return quotient, np.sum(a % b)

    compiled = gg.jit(f)
    assert told(compiled, a, b) == []
    ((made,),) = compiled.programs.values()
    assert made.program.shared
    for place in (0, n // 2, n - 1):
        b[:] = 1
        b[place] = 0
        for _ in range(2):
            assert told(compiled, a, b) == [ZERO, REMAINDER]
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=ZERO):
            compiled(a, b)


@pytest.mark.usefixtures("two_threads")
def test_programs_for_every_size():
    def f(a, b):
        return a // b, np.sum(a % (b + 1000), axis=0)

    compiled = gg.jit(f, batch=("a", "b"))
    for n in (5, 64, 33, 7, 40_001):
        a, b = np.arange(3 * n).reshape(n, 3), np.ones((n, 3), np.int64)
        assert told(compiled, a, b) == []
        b[n - 1, 2] = 0
        assert told(compiled, a, b) == [ZERO]
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="in f: return"):
            compiled(a, b)
    assert "for any size" in compiled.report()


def test_what_a_budget_computes_again_is_told_once():
    def f(a, b):
        quotient = a // b
        return np.sum(quotient) + np.sum(np.cumsum(quotient)[::-1] * quotient)

    a, b = np.arange(40_000), np.ones(40_000, np.int64)
    b[7] = 0
    for budget in (None, 1_000_000):
        assert told(gg.jit(f, budget=budget), a, b) == [ZERO]


@pytest.mark.parametrize("batch", [(), ("a", "b")], ids=["one size", "any size"])
def test_a_kernel_that_was_recalled_tells_the_same(batch, tmp_path):
    code = f"""
        import warnings, numpy as np, glassgrad as gg
        warnings.simplefilter("always")
        step = gg.jit(lambda a, b: a // b, batch={batch})
        step(np.arange(9), np.arange(9) + 1)
        (made,), = step.programs.values()
        general = getattr(made.program, "general", made.program)
        print(general.cache_hit, general._faults is None)
        with warnings.catch_warnings(record=True) as found:
            step(np.arange(9), np.arange(9))
        print([str(w.message) for w in found])
    """
    found = [
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True,
            check=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        ).stdout.splitlines()
        for _ in range(2)
    ]  # fmt: skip
    assert [lines[0] for lines in found] == ["False False", "True True"]
    assert found[0][1] == found[1][1] and ZERO in found[0][1]


def test_equal_graphs_of_other_lines_name_their_own(tmp_path):
    cache = ObjectCache(tmp_path / "objects")

    def program(divide):
        x, y = (new_input(Trace(), n, (5,), "i8") for n in "xy")
        return NativeProgram([divide(gg.Array(x), gg.Array(y)).node], [x, y], cache=cache)

    first = program(lambda x, y: x // y)
    again = program(lambda x, y: np.floor_divide(x, y))
    assert again.cache_hit and not first.cache_hit
    for made, line in ((first, "lambda x, y: x // y"), (again, "np.floor_divide")):
        for call in (made.fast, lambda *arrays, made=made: made(arrays)):
            with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=line):
                call(np.arange(5), np.zeros(5, np.int64))


def test_the_program_is_let_go():
    import gc
    import weakref

    x, y = (new_input(Trace(), n, (5,), "i8") for n in "xy")
    program = NativeProgram([(gg.Array(x) // gg.Array(y)).node], [x, y], cache=ObjectCache(None))
    with np.errstate(divide="ignore"):
        program.fast(np.arange(5), np.zeros(5, np.int64))
    alive = weakref.ref(program)
    del program
    gc.collect()
    assert alive() is None


def test_references_are_counted_right():
    compiled = gg.jit(divided)
    a, b = np.arange(500), np.zeros(500, np.int64)
    with np.errstate(divide="ignore"):
        results = [compiled(a, b) for _ in range(50)]
    oldest = sys.getrefcount(results[0])
    assert (len({id(r) for r in results}), oldest) == (50, 2)
    before = sys.getrefcount(a), sys.getrefcount(b)
    with np.errstate(divide="raise"):
        for _ in range(500):
            with pytest.raises(FloatingPointError):
                compiled(a, b)
    assert (sys.getrefcount(a), sys.getrefcount(b)) == before


# -- what is not compiled, and training ---------------------------------------


def test_transforms_that_are_not_compiled_tell_too():
    f = gg.value_and_grad(lambda x, a, b: np.sum(x * (a // b)))
    assert told(f, A * 1.0, A, B) == [ZERO]
    assert told(gg.scan, lambda c, r: (c + r[0] // r[1], c), np.int64(0), (A, B)) == [ZERO]
    assert told(lambda: gg.cond(True, lambda: A[1] // np.int64(1), lambda: A[1])) == []
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=ZERO):
        f(A * 1.0, A, B)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pass_of_training(engine):
    def step(leaves, x, n):
        (w,) = leaves
        return (w - 0.1 * np.mean(x) * np.mean(6 // n),), np.mean(x), 0.1

    x, n = np.ones((32, 2)), np.ones(32, np.int64)
    n[9] = 0
    sweep = Sweep(step, (x, n), 8, engine)
    found = told(lambda: list(sweep.run((np.zeros(2),), np.random.default_rng(0))))
    assert set(found) == {ZERO}
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="in step"):
        list(sweep.run((np.zeros(2),), np.random.default_rng(0)))


# -- at random ----------------------------------------------------------------


def random_function(rng):
    """A function of some arrays of integers, a few lines of divisions and of all else."""
    divisions = np.floor_divide, np.remainder, np.fmod
    lines = [
        *(lambda x, y, op=op: op(x, y) for op in divisions * 2),
        lambda x, y: x + y,
        lambda x, y: np.where(x > y, x, y),
        lambda x, y: x[1:],
        lambda x, y: x[..., ::2],
        lambda x, y: np.sum(x, axis=0),
        lambda x, y: np.max(x, axis=-1, keepdims=True),
        lambda x, y: x.T @ x,
        lambda x, y: x[np.array([0, 0, -1])],
        lambda x, y: gg.scan(lambda c, r: (c + r // c, r % c), x[0], x)[1],
        lambda x, y: gg.cond(np.sum(x) > 0, lambda: x % 2 + x // x, lambda: x * 1),
    ]
    course = [(lines[i], *pair) for i, *pair in rng.integers(0, len(lines), (12, 3))]

    def f(arrays):
        values = list(arrays)
        for line, i, j in course:
            x, y = values[i % len(values)], values[j % len(values)]
            if x.ndim == y.ndim == 2 and {*x.shape, *y.shape} <= {*arrays[0].shape, 1}:
                values.append(line(x, y) if x.shape == y.shape or 1 in y.shape else line(x, x))
        return values[len(arrays) :: 2]

    return f


@pytest.mark.parametrize("seed", range(24))
def test_random_functions(seed):
    rng = np.random.default_rng(seed)
    dtype, (m, n) = np.dtype("bBhHiIlL"[seed % 8]), rng.integers(2, 40, 2)
    lowest = -3 if dtype.kind == "i" and seed % 3 else 1
    arrays = [rng.integers(lowest, 9, s).astype(dtype) for s in ((m, n), (1, n), (m, 1), (m, n))]
    f, found = random_function(rng), []
    for engine in ENGINES:
        compiled = gg.jit(f, engine=engine)
        with noted() as first:
            compiled(arrays)
        with noted() as second:
            compiled(arrays)
        said = [{(x.kind, x.node.name, x.sites()[0]) for x in some} for some in (first, second)]
        assert said[0] == said[1]
        found.append(said[0])
    assert found[0] == found[1]
