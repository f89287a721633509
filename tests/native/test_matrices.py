"""Linear algebra in compiled programs: LAPACK by a call, or the reference engine by a callback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines import reference
from glassgrad.engines.native import lapack
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.node import Trace, item, make, new_input
from glassgrad.rewrite.pipeline import finish
from oracle.instances import MATRICES, random_instances

RNG = np.random.default_rng(4)
A = RNG.normal(size=(5, 5)) + 5 * np.eye(5)
B = RNG.normal(size=(5, 2))
NAMES = {x.op.name for x in MATRICES}
RANDOM = [x for x in random_instances(300, 8) if x.op.name in NAMES]


def program(instance, dtype):
    """A program of one op alone, its operands, and its outputs."""
    trace = Trace()
    arrays = [x.astype(dtype) for x in instance.arrays(0)]
    xs = [new_input(trace, "x", x.shape, x.dtype) for x in arrays]
    node = make(instance.op, *xs)
    outputs = [node] if node.outputs is None else [item(node, i) for i in range(len(node.outputs))]
    return NativeProgram(finish(outputs), xs, cache=ObjectCache(None)), arrays, outputs


def agrees(instances, dtype):
    """Compiled programs give what NumPy gives, to a few digits less than all."""
    for instance in instances:
        made, arrays, outputs = program(instance, dtype)
        eps = float(np.finfo(dtype).eps)
        wants = reference.evaluate(outputs, dict(zip(made.inputs, arrays)))
        for got, want in zip(made(arrays), wants):
            scale = max(1.0, float(np.abs(want).max(initial=0)))
            np.testing.assert_allclose(
                got, want, rtol=0, atol=400 * eps * scale, err_msg=f"{instance}"
            )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_op_gives_what_numpy_gives(dtype):
    assert lapack.addresses()
    agrees([*MATRICES, *RANDOM], dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_op_without_lapack(dtype, monkeypatch):
    monkeypatch.setattr(lapack, "addresses", dict)
    for instance in MATRICES[::3]:
        made, *_ = program(instance, dtype)
        assert "calls NumPy" in made.report() and "getr" not in made.report()
    agrees([*MATRICES, *RANDOM[::4]], dtype)


def test_scipys_functions_are_as_good():
    found = lapack._of_scipy()
    assert set(found) == {*lapack.ROUTINES}
    assert lapack._width(found["dgetrf"]) in (4, 8)


def test_functions_that_are_not_what_they_seem_are_not_taken():
    assert lapack._width(lapack._of_numpy()["dgetrf"]) in (4, 8)
    factor = lapack._of_numpy()["dpotrf"]
    assert lapack._spelled(object(), "{}") == {} and factor


# -- what is called -------------------------------------------------------------------------------


def likelihood(a, b):
    """The logarithm of a Gaussian density, and its gradient: three questions about one matrix."""
    return np.sum(b * np.linalg.solve(a, b)) + np.linalg.slogdet(a)[1]


def test_a_matrix_is_factorised_once():
    step = gg.jit(gg.grad(likelihood, argnums=(0, 1)), engine="native")
    reference = gg.jit(gg.grad(likelihood, argnums=(0, 1)), engine="reference")
    for got, want in zip(step(A, B), reference(A, B)):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    said = str(step.report())
    assert said.count("calls dgetrf: ") == 1, said
    assert said.count("calls dgetrs") == 3  # x, the transposed system, the inverse


def test_values_alone_ask_for_no_vectors():
    said = str(compiled(lambda a: np.linalg.svd(a, compute_uv=False), A).report())
    assert "svd, calls dgesdd" in said
    made = compiled(lambda a: np.linalg.qr(a, "r"), A)
    assert "dorgqr" not in str(made.report()) and "dgeqrf" in str(made.report())


def compiled(f, *args):
    """A function compiled and called."""
    made = gg.jit(f, engine="native")
    made(*args)
    return made


def test_work_space_is_in_the_memory_plan():
    said = str(compiled(np.linalg.inv, np.eye(200)).report())
    arena = float(said.split(" KiB arena")[0].rpartition("(")[2])
    assert 2 * 200 * 200 * 8 / 1024 <= arena <= 2.2 * 200 * 200 * 8 / 1024


def test_strided_and_shared_operands():
    def f(a, b):
        stack = np.stack([a, a.T, a[::-1, ::-1]])
        return np.linalg.solve(stack, b), np.linalg.inv(stack.transpose(0, 2, 1)[:, ::-1])

    for got, want in zip(compiled(f, A, B)(A, B), f(A, B)):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_stacks_of_any_length_are_one_program():
    def loss(a):
        return np.sum(np.linalg.solve(a, np.ones((4, 2))) ** 2) + np.sum(np.linalg.slogdet(a)[1])

    step, want = (gg.jit(gg.grad(loss), engine=engine) for engine in ("native", "reference"))
    for n in (3, 8, 5, 7, 6):
        a = RNG.normal(size=(n, 4, 4)) + 5 * np.eye(4)
        np.testing.assert_allclose(step(a), want(a), rtol=1e-11, atol=1e-13)
    assert "sizes so far: n0 = 8,5,7,6" in str(step.report())
    with pytest.raises(np.linalg.LinAlgError, match=r"\(6, 4, 4\).* singular"):
        step(np.zeros((6, 4, 4)))


def test_inside_loops_and_branches():
    def newton(x):
        def step(x, _):
            return x - 0.5 * np.linalg.solve(A + np.diag(x), x), np.linalg.det(A + np.diag(x))

        return gg.scan(step, x, np.arange(4.0))

    def chosen(x):
        return gg.cond(x[0] > 0, lambda x: np.linalg.inv(A + np.diag(x)), lambda x: A * x, x)

    for f in (newton, chosen, gg.grad(lambda x: np.sum(newton(x)[1]))):
        want = gg.jit(f, engine="reference")(B[:, 0])
        got = gg.jit(f, engine="native")(B[:, 0])
        for g, w in zip(got, want):
            np.testing.assert_allclose(g, w, rtol=1e-11)


# -- what is refused ------------------------------------------------------------------------------

REFUSED = {
    "solve": (lambda a: np.linalg.solve(a, np.ones(2)), np.ones((2, 2))),
    "inv": (np.linalg.inv, np.zeros((3, 2, 2))),
    "cholesky": (np.linalg.cholesky, -np.eye(3)),
    "svd": (lambda a: np.linalg.svd(a).Vh, np.full((2, 2), np.nan)),
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_matrix_that_is_refused_is_numpys_error_at_the_users_line(name, engine):
    f, bad = REFUSED[name]
    good = np.broadcast_to(np.eye(bad.shape[-1]), bad.shape)
    step = gg.jit(lambda a: f(a), engine=engine)
    want = step(good)
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError) as caught:
            step(bad)
        said = str(caught.value)
        assert said.startswith(name) and str(bad.shape) in said and "test_matrices.py" in said
        assert isinstance(caught.value, gg.GlassgradError)
        np.testing.assert_array_equal(step(good), want)


@pytest.mark.parametrize("name", ["inv", "cholesky"])
def test_refused_without_lapack(name, monkeypatch):
    monkeypatch.setattr(lapack, "addresses", dict)
    f, bad = REFUSED[name]
    trace = Trace()
    x = new_input(trace, "x", bad.shape, bad.dtype)
    made = NativeProgram([f(gg.Array(x)).node], [x], cache=ObjectCache(None))
    with pytest.raises(np.linalg.LinAlgError, match=name):
        made([bad])


def test_nan_goes_through_as_in_numpy():
    bad = np.array([[1.0, np.nan], [2.0, 1.0]])
    for f in (np.linalg.inv, np.linalg.det, lambda a: np.linalg.solve(a, np.ones(2))):
        with np.errstate(invalid="ignore"):
            want = f(bad)
        np.testing.assert_array_equal(np.isnan(compiled(f, np.eye(2))(bad)), np.isnan(want))


# -- other processes, other threads ---------------------------------------------------------------

PROGRAM = """
import numpy as np, glassgrad as gg
f = gg.jit(lambda a: np.linalg.slogdet(a)[1] + np.sum(np.linalg.inv(a)), engine="native")
print(float(f(np.eye(3) * 2)).hex(), "from the cache" in str(f.report()))
"""


def test_a_later_process_takes_it_from_the_cache(tmp_path):
    def run():
        env = os.environ | {
            "XDG_CACHE_HOME": str(tmp_path),
            "PYTHONPATH": ":".join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=env, check=True
        )
        return done.stdout.split()

    first, second = run(), run()
    assert first[0] == second[0] and (first[1], second[1]) == ("False", "True")


def test_several_threads_at_once():
    matrices = [RNG.normal(size=(40, 40)) + 40 * np.eye(40) for _ in range(4)]
    step = gg.jit(np.linalg.inv, engine="native")
    step(matrices[0])
    wrong: list[int] = []

    def work(i):
        for _ in range(30):
            if not np.allclose(step(matrices[i]) @ matrices[i], np.eye(40), atol=1e-12):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
