"""What a compiled function does with bad input: NumPy's exception, with the user's line."""

import numpy as np
import pytest

import glassgrad as gg

ENGINES = ["reference", "native"]
pytestmark = pytest.mark.parametrize("engine", ENGINES)
WHOLE = [np.dtype(c) for c in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("bad", [4, -5, 2**40, -(2**62)])
def test_an_index_out_of_range_is_an_index_error_with_the_line(engine, bad, write):
    def f(x, i):
        if not write:
            return np.exp(x[i])
        x[i] = 1.0
        return x * 2

    compiled = gg.jit(f, engine=engine)
    good, words = np.array([0, -4, 3]), rf"index {bad} is out of(.|\n)*test_bad_calls\.py:\d+"
    for _ in range(2):
        assert compiled(np.ones(4), good).shape == ((4,) if write else (3,))
        with pytest.raises(IndexError, match=words):
            compiled(np.ones(4), np.array([0, bad, 1]))


@pytest.mark.parametrize("dtype", WHOLE, ids=str)
@pytest.mark.parametrize("shape", [(), (37,)])
def test_whole_division_by_zero_and_of_the_least_number_is_numpy_s(engine, dtype, shape):
    info = np.iinfo(dtype)
    divide = gg.jit(lambda x, y: (x // y, x % y, np.fmod(x, y)), engine=engine)
    for x in (info.min, info.max, 0, 7):
        for y in (0, 1, info.min, info.max, *([-1] if info.min else [])):
            a, b = np.full(shape, x, dtype), np.full(shape, y, dtype)
            with np.errstate(all="ignore"):
                want = a // b, a % b, np.fmod(a, b)
                found = divide(a, b)
            for got, w in zip(found, want):
                np.testing.assert_array_equal(got, w, f"{x} by {y}")


def test_a_wrong_number_of_arguments_is_a_type_error(engine):
    f = gg.jit(lambda x, y: x + y, engine=engine)
    for _ in range(2):
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
            f(np.ones(2))
        with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
            f(np.ones(2), 1.0, 2.0)
        with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
            f(np.ones(2), z=1.0)
        assert f(np.ones(2), 1.0).tolist() == [2, 2]


@pytest.mark.parametrize(
    "bad",
    [np.ones(2, complex), 1j, np.array(["a"]), np.array([None]), np.ones(2, np.float16),
     np.array(["2020-01-01"], "M8[D]"), b"bytes", "text", object(), None],
)  # fmt: skip
def test_what_is_no_array_of_numbers_is_a_type_error(engine, bad):
    f = gg.jit(lambda x: np.sin(x) * 2, engine=engine)
    f(np.ones(2))
    for _ in range(2):
        with pytest.raises(TypeError):
            f(bad)
    assert f(np.zeros(2)).tolist() == [0, 0]


def test_memory_that_is_not_there_is_a_memory_error(engine):
    f = gg.jit(lambda x: np.exp(np.broadcast_to(x, (1 << 45,))), engine=engine)
    for _ in range(2):
        with pytest.raises(MemoryError):
            f(1.0)


def test_arguments_that_are_written_to_and_fail_leave_the_next_call_right(engine):
    f = gg.jit(lambda x, i: np.cumsum(x)[i], engine=engine)
    x = np.arange(5.0)
    for _ in range(3):
        with pytest.raises(IndexError):
            f(x, np.array([9]))
        assert f(x, np.array([2])).tolist() == [3.0]
    assert x.tolist() == [0, 1, 2, 3, 4]
