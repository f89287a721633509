"""Linear algebra: PyTorch's first and second derivatives, facts that peers get wrong, bad input.

PyTorch's numbers stand in linear_algebra_torch.json, from benchmarks/compare_linear_algebra.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg

REFERENCE = Path(__file__).parent.parent / "linear_algebra_torch.json"
CASES = json.loads(REFERENCE.read_text(encoding="utf-8"))["cases"]
RNG = np.random.default_rng(3)
A = RNG.normal(size=(4, 4))
ENGINES = ("reference", "native")


def grid(shape, stride):
    n = int(np.prod(shape))
    return ((np.arange(n) * stride % 23 - 11) / 8).reshape(shape)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['formula']}{c['shape']}")
def test_first_and_second_derivatives_are_pytorchs(case, engine):
    shape = case["shape"]
    eye, w = np.eye(shape[-2], shape[-1]), grid(shape, 5)

    def f(x):
        return eval(case["formula"], {"la": np.linalg, "w": w, "eye": eye, "x": x})

    x = grid(shape, 7)
    first = gg.jit(gg.grad(f), engine=engine)(x)
    second = gg.jit(lambda x, v: gg.hvp(f)(x, v), engine=engine)(x, grid(shape, 9))
    for got, want in ((first, case["first"]), (second, case["second"])):
        scale = np.abs(want).max()
        np.testing.assert_allclose(got.ravel(), want, rtol=0, atol=1e-11 * scale)


# -- facts ----------------------------------------------------------------------------------------


def test_the_hessian_of_the_logarithm_of_a_determinant():
    inverse = np.linalg.inv(A)
    want = -np.einsum("jk,li->ijkl", inverse, inverse)
    got = gg.hessian(lambda a: np.linalg.slogdet(a)[1])(A)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_derivative_of_a_determinant_at_any_rank(engine):
    gradient = gg.jit(gg.grad(np.linalg.det), engine=engine)
    one = np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0])
    two = one + np.outer([0.0, 1.0, 1.0], [2.0, 0.0, 1.0])
    want = [[np.linalg.det(np.delete(np.delete(two, i, 0), j, 1)) * (-1) ** (i + j)
             for j in range(3)] for i in range(3)]  # fmt: skip
    np.testing.assert_allclose(gradient(two), want, atol=1e-13)
    np.testing.assert_allclose(gradient(one), np.zeros((3, 3)), atol=1e-13)
    assert gradient(np.zeros((3, 3))).tolist() == np.zeros((3, 3)).tolist()
    assert gradient(np.zeros((1, 1))).tolist() == [[1.0]]
    both = gg.jit(gg.grad(lambda a: np.sum(np.linalg.det(a))), engine=engine)
    np.testing.assert_allclose(both(np.stack([two, np.eye(3)])), [want, np.eye(3)], atol=1e-13)
    flat = gg.jit(gg.hessian(np.linalg.det), engine=engine)(np.zeros((2, 2)))
    assert flat.reshape(4, 4).tolist() == np.fliplr(np.diag([1.0, -1.0, -1.0, 1.0])).tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_eigenvalues_have_derivatives_and_their_vectors_a_pole(engine):
    def run(f):
        return gg.jit(gg.grad(f), engine=engine)(np.eye(3))

    np.testing.assert_array_equal(run(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2)), 2 * np.eye(3))
    np.testing.assert_array_equal(run(lambda a: np.linalg.norm(a, "nuc")), np.eye(3))
    top = run(lambda a: np.linalg.eigvalsh(a)[-1])
    assert np.isfinite(top).all() and np.trace(top) == 1
    assert not np.isfinite(run(lambda a: np.sum(np.linalg.eigh(a)[1] * grid((3, 3), 5)))).all()


def test_one_triangle_is_read_and_only_that_has_a_gradient():
    spd = A @ A.T + np.eye(4)
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        got = gg.grad(lambda a, f=f: np.sum(f(a) * grid(f(spd).shape, 5)))(spd)
        assert not np.triu(got, 1).any() and got[np.tril_indices(4, -1)].all()
    upper = gg.grad(lambda a: np.sum(np.linalg.cholesky(a, upper=True)))(spd)
    assert not np.tril(upper, -1).any()


def test_a_branch_not_taken_adds_nothing():
    singular = np.stack([np.ones((2, 2)), 2 * np.eye(2)])

    def f(a):
        det = np.linalg.det(a)
        return np.sum(np.where(det > 1, np.log(np.abs(det)), 0.0))

    got = gg.grad(f)(singular)
    np.testing.assert_allclose(got, [np.zeros((2, 2)), np.eye(2) / 2], atol=1e-15)


def test_many_right_hand_sides_are_one_system():
    rows = RNG.normal(size=(7, 4))
    f = gg.vmap(np.linalg.solve, in_axes=(None, 0))
    np.testing.assert_allclose(f(A, rows), np.linalg.solve(A, rows.T).T, rtol=1e-12)
    step = gg.jit(f, engine="native")
    step(A, rows)
    assert "2 x" not in str(step.report()) and str(step.report()).count("calls dgetrf") == 1


def test_results_have_numpys_names():
    def f(a):
        q, (sign, logarithm) = np.linalg.qr(a), np.linalg.slogdet(a)
        return q.Q @ q.R, np.linalg.eigh(a).eigenvalues, np.linalg.svd(a).S, sign * logarithm

    for got, want in zip(gg.jit(f, engine="native")(A), f(A)):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def parts(found):
    return list(found) if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3)])
def test_empty_stacks_and_matrices(shape, engine):
    x = np.zeros(shape)
    for f in (np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.slogdet, np.linalg.svd,
              np.linalg.qr, np.linalg.eigvalsh, np.linalg.pinv):  # fmt: skip
        wants, gots = f(x), gg.jit(f, engine=engine)(x)
        for got, want in zip(parts(gots), parts(wants)):
            np.testing.assert_array_equal(got, want)
        gradient = gg.grad(lambda x, f=f: sum(np.sum(p) for p in parts(f(x))))
        assert gradient(x).shape == shape


# -- bad input ------------------------------------------------------------------------------------

BAD = {
    "not square": (np.linalg.inv, [np.ones((2, 3))], r"inv takes square matrices .*\(2, 3\)"),
    "a vector": (np.linalg.det, [np.ones(3)], r"det takes matrices .* not .*\(3,\)"),
    "rows": (np.linalg.solve, [np.eye(3), np.ones(2)], r"solve: .*\(3, 3\) needs .* 3 rows"),
    "stacks": (np.linalg.solve, [np.ones((2, 3, 3)), np.ones((3, 3, 1))], "do not broadcast"),
    "a number": (np.linalg.solve, [np.eye(3), np.ones(())], "a number, not a vector"),
    "UPLO": (lambda a: np.linalg.eigh(a, "X"), [np.eye(2)], "'L' or 'U', not 'X'"),
    "tensors": (np.linalg.tensorsolve, [np.ones((2, 3)), np.ones(2)], "no square system"),
    "ind": (lambda a: np.linalg.tensorinv(a, 0), [np.eye(2)], "ind must be positive"),
}


@pytest.mark.parametrize("name", BAD)
def test_shapes_that_do_not_fit_are_numpys_error(name):
    f, arrays, words = BAD[name]
    with pytest.raises((np.linalg.LinAlgError, ValueError)):
        f(*arrays)
    with pytest.raises(np.linalg.LinAlgError, match=words) as caught:
        gg.grad(lambda *a: np.sum(f(*a)[0]))(*arrays)
    assert "test_linear_algebra.py" in str(caught.value)


RULELESS = {
    "full": (lambda a: np.linalg.svd(a)[0], "full_matrices=False"),
    "complete": (lambda a: np.linalg.qr(a, "complete")[0], "mode='reduced'"),
    "cutoffs": (lambda a: np.linalg.pinv(a, np.ones(2)), "one known number"),
    "hermitian": (lambda a: np.linalg.pinv(a, hermitian=True), "'hermitian'"),
}


@pytest.mark.parametrize("name", RULELESS)
def test_what_has_no_rule_says_what_has(name):
    f, words = RULELESS[name]
    with pytest.raises(TypeError, match=words):
        gg.grad(lambda a: np.sum(f(a)))(np.ones((4, 2)))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_logarithm_of_a_determinant_has_a_pole_that_is_not_chosen(engine):
    stack = np.stack([np.ones((2, 2)), np.eye(2), np.zeros((2, 2))])

    def chosen(a):
        sign, logarithm = np.linalg.slogdet(a)
        return np.sum(np.where(sign > 0, logarithm, 0.0))

    got = gg.jit(gg.grad(chosen), engine=engine)(stack)
    assert got.tolist() == [
        np.zeros((2, 2)).tolist(),
        np.eye(2).tolist(),
        np.zeros((2, 2)).tolist(),
    ]
    pole = gg.jit(gg.grad(lambda a: np.sum(np.linalg.slogdet(a)[1])), engine=engine)(stack)
    assert np.isinf(pole[0]).all() and pole[1].tolist() == np.eye(2).tolist()


def test_integers_are_computed_as_numpy_does():
    whole = np.array([[2, 1], [1, 3]])
    for f in (np.linalg.inv, np.linalg.det, np.linalg.cholesky):
        want = f(whole)
        got = gg.jit(f, engine="native")(whole)
        assert got.dtype == want.dtype == np.float64
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_a_rank_is_counted():
    assert gg.jit(np.linalg.matrix_rank, engine="native")(np.ones((3, 3))) == 1
    x, residuals, rank, s = gg.jit(np.linalg.lstsq, engine="native")(A[:, :2], A[:, 2])
    wants = np.linalg.lstsq(A[:, :2], A[:, 2])
    for got, want in zip((x, residuals, s), (wants[0], wants[1], wants[3])):
        np.testing.assert_allclose(got, want, rtol=1e-11)
    assert rank == 2 and rank.dtype == wants[2].dtype
