"""Derivatives of linear algebra, first and second, here and in PyTorch, in float64.

    python benchmarks/compare_linear_algebra.py            # the largest relative differences
    python benchmarks/compare_linear_algebra.py --write    # and PyTorch's numbers into the tests

A formula is the same text for both: `la` is np.linalg or torch.linalg. Vectors, whose signs nothing
determines, stand in products that do not depend on them. PyTorch must be installed (the extra
`bench`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import glassgrad as gg

REFERENCE = Path(__file__).parent.parent / "tests" / "linear_algebra_torch.json"
SQUARE, TALL, WIDE, STACK = (4, 4), (4, 2), (2, 3), (2, 3, 3)
FORMULAS = [
    ("(la.solve(x + 3 * eye, w) ** 2).sum()", SQUARE),
    ("(la.solve(x @ x.mT + eye, x) ** 2 * w).sum()", STACK),
    ("(la.inv(x + 3 * eye) ** 2 * w).sum()", SQUARE),
    ("la.slogdet(x + 2 * eye)[1] ** 2", SQUARE),
    ("(la.slogdet(x @ x.mT + eye)[1] ** 2).sum()", STACK),
    ("la.det(x) ** 2", SQUARE),
    ("(la.det(x + eye) ** 2).sum()", STACK),
    ("(la.cholesky(x @ x.mT + eye) * w).sum()", SQUARE),
    ("(la.cholesky(x @ x.mT + eye) ** 2 * w).sum()", STACK),
    ("(la.eigvalsh(x + x.mT) ** 3).sum()", SQUARE),
    ("la.eigvalsh(x + x.mT)[..., 0].sum()", STACK),
    ("((la.eigh(x + x.mT)[1] ** 2) * w).sum()", SQUARE),
    ("(la.svd(x, full_matrices=False)[1] ** 3).sum()", TALL),
    ("((la.svd(x, full_matrices=False)[0] @ la.svd(x, full_matrices=False)[2]) * w).sum()", TALL),
    ("((la.svd(x, full_matrices=False)[0] @ la.svd(x, full_matrices=False)[2]) * w).sum()", WIDE),
    ("(la.svd(x)[0] ** 2 * w).sum() + (la.svd(x)[2] ** 2 * w).sum()", SQUARE),
    ("(la.qr(x)[0] * w).sum() + (la.qr(x)[1] ** 2).sum()", TALL),
    ("(la.qr(x)[0] * w).sum() + (la.qr(x)[1] ** 3).sum()", STACK),
    ("(la.pinv(x) ** 2 * w.mT).sum()", TALL),
    ("(la.pinv(x) ** 2 * w.mT).sum()", WIDE),
    ("la.matrix_norm(x, ord=2) ** 2 + la.matrix_norm(x, ord='nuc') ** 2", TALL),
    ("la.cond(x + 3 * eye)", SQUARE),
    ("(la.matrix_power(x + 3 * eye, -2) * w).sum()", SQUARE),
]


def grid(shape, stride):
    """Eighths that look random and are exact in binary."""
    n = int(np.prod(shape))
    return ((np.arange(n) * stride % 23 - 11) / 8).reshape(shape)


def names(shape, la, array):
    """What a formula may name, besides x."""
    eye = np.eye(shape[-2], shape[-1])
    return {"la": la, "w": array(grid(shape, 5)), "eye": array(eye)}


def ours(formula, shape):
    """The gradient, and the Hessian times a direction."""
    known = names(shape, np.linalg, np.asarray)

    def f(x):
        return eval(formula, known | {"x": x})

    x = grid(shape, 7)
    return gg.grad(f)(x), gg.hvp(f)(x, grid(shape, 9))


def theirs(formula, shape):
    """The same by PyTorch."""
    known = names(shape, torch.linalg, torch.from_numpy)

    def f(x):
        return eval(formula, known | {"x": x})

    x, v = torch.from_numpy(grid(shape, 7)), torch.from_numpy(grid(shape, 9))
    gradient = torch.func.grad(f)(x)
    return gradient.numpy(), torch.autograd.functional.vhp(f, x, v)[1].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {REFERENCE.name}")
    arguments = parser.parse_args()
    found = []
    print(f"{'largest relative difference':<90}first   second, PyTorch {torch.__version__}")
    for formula, shape in FORMULAS:
        expected = theirs(formula, shape)
        gaps = [
            np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours(formula, shape), expected)
        ]
        print(f"{formula[:84]:<90}{gaps[0]:.1e} {gaps[1]:.1e}")
        first, second = (a.ravel().tolist() for a in expected)
        found.append({"formula": formula, "shape": shape, "first": first, "second": second})
    if arguments.write:
        made = {"made_by": "benchmarks/compare_linear_algebra.py --write"}
        told = {**made, "torch": torch.__version__, "cases": found}
        REFERENCE.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
