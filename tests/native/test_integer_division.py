"""Integer divisions that go wrong are told as NumPy tells them, by both engines; NumPy is asked."""

import io
import os
import re
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.integer_division import Fault, noted, tell
from glassgrad.engines.native import faults, threads
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.errors import DivisionError
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.division import BY_ZERO, OVERFLOW, floor_divide, may_fault
from glassgrad.train.sweep import Sweep

ENGINES = ("native", "reference")
DTYPES = [np.dtype(c) for c in "bBhHiIlL"]
OPS = (np.floor_divide, np.remainder, np.fmod, np.divmod)
SIGNED = [d for d in DTYPES if d.kind == "i"]
ZERO = "divide by zero encountered in floor_divide"
REMAINDER = "divide by zero encountered in remainder"
WRAPS = "overflow encountered in floor_divide"
A, B = np.arange(37), np.arange(37) - 3


def told(f, *args):
    """The words that a call is told of, as NumPy has them, in order."""
    with warnings.catch_warnings(record=True) as found, np.errstate(all="warn"):
        warnings.simplefilter("always")
        f(*args)
    assert all(w.category is RuntimeWarning for w in found)
    return [str(w.message).split(":")[0].replace("scalar ", "") for w in found]


def by_numpy(f, *args):
    """What NumPy says; of divmod a program says it of the quotient."""
    return sorted({words.replace("divmod", "floor_divide") for words in told(f, *args)})


def both(f, *args, expected=None, **options):
    """Both engines tell what NumPy tells, at the first call and at the next."""
    expected = by_numpy(f, *args) if expected is None else expected
    for engine in ENGINES:
        compiled = gg.jit(f, engine=engine, **options)
        for _ in range(2):
            assert told(compiled, *args) == expected, engine
    return expected


# -- dtypes, ops, layouts -----------------------------------------------------

LAYOUTS = {
    "contiguous": lambda op: op,
    "strided": lambda op: lambda a, b: op(a[::2], b[::2]),
    "reversed": lambda op: lambda a, b: op(a[::-1], b[::-1]),
    "rows": lambda op: lambda a, b: op(a[:, None], b),
    "columns": lambda op: lambda a, b: op(a, b[:, None]),
    "turned": lambda op: lambda a, b: op(a[:36].reshape(4, 9).T, b[:36].reshape(4, 9).T),
    "one divisor": lambda op: lambda a, b: op(a, b[4]),
    "one dividend": lambda op: lambda a, b: op(a[4], b),
    "single": lambda op: lambda a, b: op(a[4], b[4]),
    "summed": lambda op: lambda a, b: np.sum(op(a, b)) if op is not np.divmod else op(a, b),
}


def operands(dtype):
    """Divisors without a zero, and with one at an even, an odd, the fifth and the last place."""
    a = (np.arange(37) * 7 % 100 + 1).astype(dtype)
    fine = (np.arange(37) % 9 + 1).astype(dtype)
    yield a, fine
    for place in (0, 7, 4, 36):
        b = fine.copy()
        b[place] = 0
        yield a, b


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_zeros_are_told_of_where_numpy_tells_of_them(dtype, layout):
    for op in OPS:
        f = LAYOUTS[layout](op)
        compiled = gg.jit(f), gg.jit(f, engine="reference")
        for a, b in operands(dtype):
            assert [told(g, a, b) for g in compiled] == [by_numpy(f, a, b)] * 2


@pytest.mark.parametrize("dtype", SIGNED, ids=str)
@pytest.mark.parametrize("op", OPS)
def test_the_least_number_by_minus_one(op, dtype):
    least = np.iinfo(dtype).min
    a, b = np.full(21, least, dtype), np.full(21, 1, dtype)
    assert both(op, a, b) == []
    b[20] = -1
    wraps = op in (np.floor_divide, np.divmod)
    assert both(op, a, b) == [WRAPS] * wraps
    b[3] = 0
    assert (both(op, a, b) == sorted([ZERO, WRAPS])) is wraps
    a[20] = least + 1
    assert len(both(op, a, b)) == 1


@pytest.mark.parametrize("n", [*range(1, 19), 31, 32, 33, 64, 65, 257])
def test_lanes_past_the_end_do_not_count_and_the_last_one_does(n):
    a, b = np.arange(n, dtype=np.int8), np.ones(n, np.int8)
    compiled = gg.jit(lambda a, b: a // b)
    assert told(compiled, a, b) == []
    b[-1] = 0
    assert told(compiled, a, b) == [ZERO]


def test_python_numbers_and_booleans():
    for args in ((3, 0), (0, 0), (np.int8(3), np.int8(0)), (A, 0), (3, B)):
        assert both(lambda a, b: a // b, *args, expected=[ZERO])
    assert both(lambda a, b: a // b, 3, 1) == []
    both(np.floor_divide, np.array([True, False]), np.array([True, False]))
    assert both(lambda a: a // 0, A) == [ZERO]
    assert both(lambda a: a % np.array([3, 0, 1]), A[:3]) == [
        ZERO.replace("floor_divide", "remainder")
    ]
    assert both(lambda a: a // -1, np.array([-(2**63), 1])) == [WRAPS]


def test_reals_are_not_told_of():
    with np.errstate(divide="raise", invalid="raise"):
        for engine in ENGINES:
            f = gg.jit(lambda a, b: (a // b, a % b, a / b), engine=engine)
            f(A * 1.0, B * 1.0)
            gg.jit(lambda a, b: a / b, engine=engine)(A, B)


def test_all_elements_of_a_division_count_whatever_is_made_of_them():
    for f in (
        lambda a, b: np.where(b != 0, a // b, 0),
        lambda a, b: (a // b)[5:10],
        lambda a, b: (a // b + 1)[9] * 2,
        lambda a, b: np.flip((a % b)[20:])[::3],
        lambda a, b: np.cumsum(a // b),
        lambda a, b: a[np.abs(a // b) % 5],
        lambda a, b: (a // b)[[5, 6]],
        lambda a, b: np.concatenate([a // b, a % b]),
        lambda a, b: np.sort(a // b) + np.max(a % b),
        lambda a, b: (a // b * 1.0) @ (a * 1.0),
    ):
        assert ZERO in both(f, A, B) or "remainder" in both(f, A, B)[0]


def test_what_is_not_computed_is_not_told_of():
    both(lambda a, b: [a // b, a][1], A, B, expected=[])


# -- as np.errstate says ------------------------------------------------------


def divided(a, b):
    quotient = a // b  # the line that is told
    return quotient + 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_warning_points_to_the_call_and_names_the_line_of_the_division(engine):
    compiled = gg.jit(divided, engine=engine)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        compiled(A, B)
        compiled(A, B)
        compiled(3, 0)
        at = sys._getframe().f_lineno
    assert [(w.filename, w.lineno) for w in found] == [(__file__, at - i) for i in (3, 2, 1)]
    for warning in found:
        first, second = str(warning.message).split("\n")
        assert first.startswith(f"{ZERO}: the int64 result is 0 there; guard the divisor")
        line = divided.__code__.co_firstlineno + 1
        assert f"at test_integer_division.py:{line} in divided: quotient = a // b" in second


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_where_numpy_raises_one(engine):
    compiled = gg.jit(divided, engine=engine)
    compiled(A, B + 100)
    for args in ((A, B), (A, B), (3, 0)):
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=ZERO) as caught:
            compiled(*args)
        assert isinstance(caught.value, DivisionError) and isinstance(
            caught.value, gg.GlassgradError
        )
        assert "in divided: quotient = a // b" in str(caught.value)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match=WRAPS):
        compiled(np.array([-(2**63)]), np.array([-1]))
    with np.errstate(divide="ignore", over="raise"):
        found = compiled(A, B)
    with np.errstate(all="ignore"):
        assert np.array_equal(found, divided(A, B))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_of_ones_own_a_log_and_a_print(engine, capfd):
    compiled, calls = gg.jit(divided, engine=engine), []
    with np.errstate(divide="call", over="call", call=lambda *said: calls.append(said)):
        compiled(A, B)
        compiled(np.array([-(2**63)]), np.array([-1]))
    assert calls == [("divide by zero", 1), ("overflow", 2)]
    log = io.StringIO()
    with np.errstate(divide="log", call=log):
        compiled(A, B)
    assert log.getvalue().startswith(f"Warning: {ZERO}")
    with np.errstate(divide="print"):
        compiled(A, B)
    assert capfd.readouterr().err.startswith(f"Warning: {ZERO}")
    for how in ("call", "log"):
        with (
            np.errstate(divide=how, call=None),
            pytest.raises(NameError, match="give"),
        ):
            compiled(A, B)


def test_errors_raised_by_warnings_and_callbacks_come_out_of_the_fast_call():
    compiled = gg.jit(divided)
    compiled(A, B + 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match=ZERO):
            compiled(A, B)

    def refuse(*said):
        raise KeyError("refused")

    with np.errstate(divide="call", call=refuse), pytest.raises(KeyError, match="refused"):
        compiled(A, B)
    assert np.array_equal(compiled(A, B + 100), divided(A, B + 100))


def test_threads_of_python_each_have_their_own_setting():
    compiled = gg.jit(divided)

    def work(i):
        with np.errstate(divide="raise" if i % 2 else "ignore"):
            try:
                compiled(A, B)
            except FloatingPointError:
                return 1
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(64))) == [0, 1] * 32


# -- which division, and how often --------------------------------------------


def test_each_division_that_went_wrong_is_told_once():
    def f(a, b, c):
        first = a // b
        second = a // c
        return first + second, first * second, np.sum(first), np.tanh(first * 1.0)

    fine = B + 100
    for b, c, names in (
        (B, fine, ["first"]),
        (fine, B, ["second"]),
        (B, B + 1, ["first", "second"]),
    ):
        for engine in ENGINES:
            with warnings.catch_warnings(record=True) as found:
                warnings.simplefilter("always")
                gg.jit(f, engine=engine)(A, b, c)
            lines = [re.search(r"in f: (\w+) =", str(w.message)) for w in found]
            assert [m and m[1] for m in lines] == names


def test_equal_steps_at_several_lines_are_told_apart():
    def f(a, b):
        first = np.sort(a // b[0])
        second = np.sort(first // b[1])
        third = np.sort(second // b[2])
        return np.sort(third // b[3])

    a, b = np.arange(40), np.ones((4, 40), np.int64)
    compiled = gg.jit(f)
    assert told(compiled, a, b) == []
    for i, name in enumerate(("first = ", "second = ", "third = ", "return ")):
        c = b.copy()
        c[i, 39] = 0
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=f"in f: {name}"):
            compiled(a, c)


def test_more_divisions_than_bits():
    source = "def many(a, b):\n" + "".join(f"    x{i} = a // b[{i}]\n" for i in range(40))
    source += f"    return [{', '.join(f'x{i}' for i in range(40))}]\n"
    space = {}
    exec(compile(source, "many.py", "exec"), space)
    compiled = gg.jit(space["many"])
    a, b = np.full(5, -128, np.int8), np.ones((40, 5), np.int8)
    assert told(compiled, a, b) == []
    for i in (0, 12, 13, 14, 39):
        for bad, setting, words in ((0, "divide", ZERO), (-1, "over", WRAPS)):
            c = b.copy()
            c[i, 4] = bad
            with np.errstate(**{setting: "raise"}), pytest.raises(FloatingPointError) as caught:
                compiled(a, c)
            assert words in str(caught.value)
            exact = "more integer divisions" not in str(caught.value)
            assert exact is (i < 13) and (not exact or f"many.py:{i + 2} " in str(caught.value))


def test_the_bits_of_a_status():
    x = new_input(Trace(), "x", (), "i8")
    table = []
    found = [faults.bit_of(table, Fault(x // 1 if 0 else x, BY_ZERO)) for _ in range(2)]
    assert found == [8, 8] and faults.told_by(table, 8 | 1) == table
    table = [Fault(new_input(Trace(), "x", (), "i8"), BY_ZERO) for _ in range(30)]
    (last,) = faults.told_by(table, 1 << 29)
    assert last.node is table[26].node and last.others == 3


def test_a_known_divisor_costs_nothing():
    x = new_input(Trace(), "x", (37,), "i8")
    y = gg.Array(x)
    outputs = [
        v.node for v in (y // 3, y % 7, np.fmod(y, -1), y // np.array([1, 2, 3] * 12 + [4]), y / y)
    ]
    assert not any(may_fault(n) for n in outputs)
    assert not NativeProgram(outputs, [x], cache=ObjectCache(None)).faults()
    assert may_fault(floor_divide.apply(x, -1)) == (OVERFLOW,)
    assert may_fault(floor_divide.apply(x, x)) == (BY_ZERO, OVERFLOW)


def test_what_is_collected_is_not_told_until_it_is_asked_for():
    compiled = gg.jit(divided)
    with np.errstate(divide="raise"):
        with noted() as found:
            compiled(3, 0)
        assert [f.kind for f in found] == [BY_ZERO]
        with pytest.raises(FloatingPointError):
            tell(found)


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


def test_within_a_budget_of_memory():
    def f(a, b):
        quotient = a // b
        total = np.sum(quotient)
        return total + np.sum(np.cumsum(quotient)[::-1] * quotient)

    a, b = np.arange(4000), np.ones(4000, np.int64)
    b[7] = 0
    for budget in (None, 40_000, 100_000):
        try:
            assert told(gg.jit(f, budget=budget), a, b) == [ZERO]
        except MemoryError:
            assert budget == 40_000


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
