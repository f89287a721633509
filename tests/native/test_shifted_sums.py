"""log(sum(exp(x))) of what was shifted by hand: the engine does not shift it once more."""

from functools import partial

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import expand, program
from glassgrad.engines.native.step import Reduction


def shifted_by_its_largest(x, axis):
    """log(sum(exp(x))) as it is written by hand, and its softmax."""

    def f(x):
        z = x - np.max(x, axis=axis, keepdims=True)
        return np.log(np.sum(np.exp(z), axis=axis))

    return f(x), gg.grad(lambda x: np.sum(f(x) ** 2))(x)


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (0, 1, 2)])
def test_what_is_shifted_already_is_not_shifted_again(axis, monkeypatch):
    rng = np.random.default_rng(0)
    x = 50 * rng.standard_normal((5, 5, 5)).astype("f4")
    x[0, 0, 0], x[1, 2, 3], x[3, 3, :], x[4, 4, 4] = np.inf, np.nan, -np.inf, -np.inf
    found = []
    for again in (False, True):
        with monkeypatch.context() as patch:
            if again:
                patch.setattr(expand, "_is_shifted", lambda x, axes: False)
            patch.setattr(program, "user_cache_folder", lambda: None)
            compiled = gg.jit(partial(shifted_by_its_largest, axis=axis))
            found.append(compiled(x))
            ((made,),) = compiled.programs.values()
            kinds = [s.kind for s in made.program.steps if isinstance(s, Reduction)]
        assert kinds.count("max") == 1 + again
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)


def test_what_is_shifted_along_another_axis_is():
    """The largest of row i is taken from column i: exp would overflow."""
    x = np.diag([1000.0, 2000.0, 3000.0]) + np.arange(3.0)[:, None] * 500
    f = gg.jit(lambda x: np.log(np.sum(np.exp(x - np.max(x, axis=1)), axis=1)))
    z = x - x.max(axis=1)
    top = z.max(axis=1)
    np.testing.assert_allclose(f(x), top + np.log(np.exp(z - top[:, None]).sum(axis=1)))
