"""Bad input to traced programs: an error names op, shapes, the user's line, and a remedy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import GlassgradError

X = np.array([1.0, 2.0, 3.0])
OUTSIDE = np.zeros(3)


def written(x, index, value):
    x[index] = value
    return np.sum(x)


def into_integers(x):
    z = np.zeros(3, dtype=int)
    z[0] = x[0]
    return np.sum(z) * x[0]


CASES = [
    # what is done, at what argument, what NumPy would raise, and words of the message
    ("float(t)", lambda x: float(x) * 2, 1.0, TypeError, ["np.exp", "derivative"]),
    ("math.exp(t)", lambda x: math.exp(x), 1.0, TypeError, ["np.exp", "math.exp"]),
    ("int(t)", lambda x: int(x) * x, 2.0, TypeError, ["int", "stop_gradient"]),
    ("np.float64(t)", lambda x: np.float64(x), 2.0, TypeError, ["plain ndarray", "stop_gradient"]),
    ("complex factor", lambda x: np.sum(x * 1j), X, TypeError,
        ["complex128", "real and imaginary"]),
    ("complex array", lambda x: np.sum(x * np.array([1j, 2, 3])), X, TypeError, ["complex128"]),
    ("complex cast", lambda x: np.sum(x.astype(complex)), X, TypeError,
        ["complex128", "not supported yet"]),
    ("half precision", lambda x: np.sum(x * np.ones(3, np.float16)), X, TypeError,
        ["float16", "astype"]),
    ("objects", lambda x: np.sum(x * np.array([None, 1, 2])), X, TypeError, ["object"]),
    ("unknown ufunc", lambda x: np.sum(np.spacing(x)), X, TypeError, ["np.spacing", "no rule yet"]),
    ("unknown function", lambda x: np.sum(np.unwrap(x)), X, TypeError,
        ["np.unwrap", "no rule yet"]),
    ("unknown method", lambda x: x.ptp(), X, AttributeError, ["ptp", "it has"]),
    ("unknown argument", lambda x: np.sum(x, where=x > 0), X, TypeError, ["sum", "no rule yet"]),
    ("matmul", lambda x: np.sum(x @ np.ones((2, 3))), X, ValueError, ["matmul", "(3,)", "(2, 3)"]),
    ("transposed matmul", lambda x: np.sum(np.ones((2, 3)) @ (x * np.ones((2, 3)))), X, ValueError,
     ["matmul", "x @ y.T"]),
    ("broadcast", lambda x: np.sum(x + np.ones(2)), X, ValueError,
        ["add", "(3,)", "(2,)", "reshape"]),
    ("reshape", lambda x: np.sum(x.reshape(2, 2)), X, ValueError,
        ["reshape", "3 elements", "(2, 2)"]),
    ("concatenate", lambda x: np.sum(np.concatenate([x, np.ones((2, 2))])), X, ValueError,
     ["concatenate", "(3,)", "(2, 2)"]),
    ("stack", lambda x: np.sum(np.stack([x, np.ones(2)])), X, ValueError,
        ["stack", "(3,)", "(2,)"]),
    ("axis", lambda x: np.sum(np.sum(x, axis=2)), X, ValueError, ["sum", "axis 2"]),
    ("einsum", lambda x: np.einsum("ij,j->i", x, x), X, ValueError, ["einsum", "'ij'", "(3,)"]),
    ("index too large", lambda x: x[5], X, IndexError, ["index 5", "length 3"]),
    ("index array too large", lambda x: np.sum(x[np.array([0, 7])]), X, IndexError,
        ["index 7", "length 3"]),
    ("too many indices", lambda x: x[0, 0], X, IndexError, ["2 indices", "1 axes"]),
    ("real index", lambda x: x[1.5], X, IndexError, ["integer", "float"]),
    ("traced real index", lambda x: x[x[0]], X, IndexError, ["integer"]),
    ("truth of an array", lambda x: x.sum() if x > 0 else 0.0, X, ValueError, ["(3,)", "np.where"]),
    ("len of a number", lambda x: len(x) * x, 1.0, ValueError, ["len()"]),
    ("write of a wrong shape", lambda x: written(x, slice(0, 2), np.ones(3)), X, ValueError,
        ["(3,)", "(2,)"]),
    ("reals into integers", into_integers, X, TypeError, ["float64", "int64"]),
    ("out= of a plain array", lambda x: np.sum(np.add(x, 1, out=OUTSIDE)), X, TypeError,
        ["np.zeros"]),
    ("ufunc with where=", lambda x: np.sum(np.add(x, 1, where=x > 1)), X, TypeError, ["np.where"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("f", "x", "kind", "words"), [pytest.param(*c[1:], id=c[0]) for c in CASES]
)
def test_message(f, x, kind, words):
    with pytest.raises(kind) as caught:
        gg.grad(f)(x)
    message = str(caught.value)
    assert isinstance(caught.value, GlassgradError | AttributeError)
    assert all(word in message for word in words), message
    assert f"{Path(__file__).name}:" in message, message


BEFORE = [
    ("complex argument", lambda: gg.grad(lambda x: x)(1j), TypeError, ["complex128", "'x'"]),
    ("integer argument", lambda: gg.grad(np.sum)(np.arange(3)), TypeError,
        ["int64", ".astype(float)"]),
    ("vector result", lambda: gg.grad(lambda x: x)(X), TypeError,
        ["(3,)", ".sum()", "gg.jacobian", "gg.vjp"]),
    ("boolean result", lambda: gg.grad(lambda x: np.any(x > 0))(X), TypeError, ["bool"]),
    ("no result", lambda: gg.grad(lambda x: None)(X), TypeError, ["one number"]),
    ("argnums", lambda: gg.grad(lambda x: x, argnums=2)(1.0), TypeError,
        ["number 2", "1 positional"]),
    ("aux", lambda: gg.grad(lambda x: x, has_aux=True)(1.0), TypeError, ["has_aux", "pair"]),
    ("cotangent's shape", lambda: gg.vjp(np.sin, X)[1](1.0), ValueError, ["(3,)", "()"]),
    ("tangent's structure", lambda: gg.jvp(np.sin, (X,), (X, X)), TypeError, ["structure"]),
    ("layout", lambda: gg.jacobian(np.sin, layout="rows"), TypeError, ["numerator", "rows"]),
    ("value of a wrong shape", lambda: gg.evaluate(gg.variable("v", (2,)), {gg.variable("w"): 1.0}),
        ValueError,
     ["'v'", "no value"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), [pytest.param(*c[1:], id=c[0]) for c in BEFORE])
def test_message_of_a_transform(call, kind, words):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, GlassgradError)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_array_from_outside_is_not_written_and_says_so():
    def f(x):
        OUTSIDE[0] = x[0]
        return np.sum(x)

    with pytest.raises(ValueError) as caught:
        gg.grad(f)(X)
    assert "np.exp" in str(caught.value.__cause__) and Path(__file__).name in str(
        caught.value.__cause__
    )
    assert not OUTSIDE.any()


def test_the_trace_ends_with_an_error():
    with pytest.raises(ValueError):
        gg.grad(lambda x: np.sum(x + np.ones(2)))(X)
    assert isinstance(np.zeros(2), np.ndarray) and np.zeros.__module__ == "numpy"


TABLE = np.arange(12.0).reshape(4, 3)
PLACES = np.array([1, 2])
READ = {
    "vmap": lambda read: gg.vmap(read)(PLACES),
    "jit": lambda read: gg.jit(read)(PLACES),
    "scan": lambda read: gg.scan(lambda c, i: (c, read(i)), 0.0, PLACES)[1],
    "grad": lambda read: gg.grad(lambda x, i: np.sum(x * read(i)))(np.ones(3), PLACES),
}


@pytest.mark.parametrize("how", READ)
def test_a_plain_array_read_at_traced_places(how):
    words = (
        r"np\.array\(table\)\[i\] inside(.|\n)*gg\.numpy\.take\(table, i, axis=0\)(.|\n)*TABLE\[i\]"
    )
    with pytest.raises(TypeError, match=words):
        READ[how](lambda i: TABLE[i])
    for read in (lambda i: np.array(TABLE)[i], lambda i: gg.numpy.take(TABLE, i, axis=0)):
        want = TABLE[[1, 2]] if how != "grad" else TABLE[[1, 2]].sum(0)
        np.testing.assert_array_equal(READ[how](read), want)


def test_a_list_read_at_a_number_that_is_not_known():
    with pytest.raises(ValueError, match=r"write np\.array\(values\)\[i\] or gg\.numpy\.take"):
        gg.vmap(lambda i: [1.0, 2.0, 3.0][i])(PLACES)
    assert gg.vmap(lambda i: np.array([1.0, 2.0, 3.0])[i])(PLACES).tolist() == [2, 3]
    assert gg.vmap(lambda i: gg.numpy.take([1.0, 2.0, 3.0], i))(PLACES).tolist() == [2, 3]


def test_one_known_number_is_an_index_and_a_guard():
    f = gg.jit(lambda i: 2 * TABLE[i])
    for i in (1, 3, 1):
        np.testing.assert_array_equal(f(np.array(i)), 2 * TABLE[i])


@pytest.mark.parametrize(("name", "other"), [("eig", "eigh"), ("eigvals", "eigvalsh")])
def test_complex_eigenvalues_say_what_to_use(name, other):
    with pytest.raises(TypeError, match=rf"np.linalg.{name}: .*\bnp.linalg.{other} where"):
        gg.grad(lambda x: getattr(np.linalg, name)(x))(TABLE)
