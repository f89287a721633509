"""Integer divisions that go wrong are told as NumPy tells them, by both engines; NumPy is asked."""

import io
import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.integer_division import Fault, noted, tell
from glassgrad.engines.native import faults
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.errors import DivisionError
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.division import BY_ZERO, OVERFLOW, floor_divide, may_fault
from warned import ENGINES, WRAPS, ZERO, A, B, both, by_numpy, told

DTYPES = [np.dtype(c) for c in "bBhHiIlL"]
OPS = (np.floor_divide, np.remainder, np.fmod, np.divmod)
SIGNED = [d for d in DTYPES if d.kind == "i"]


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
        assert both(f, A, B)


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
    found = [faults.bit_of(table, Fault(x, BY_ZERO)) for _ in range(2)]
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
