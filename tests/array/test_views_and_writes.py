"""Views and writes have NumPy's meaning: random programs on arrays and on traced handles agree.

A program is drawn while it runs on plain arrays, so that shapes are known; then it runs on handles.
Its gradient is compared with a complex step of the same program.
"""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import glassgrad as gg

START = np.array([[0.5, -1.25, 2.0, 0.75], [1.5, 0.25, -0.5, 3.0], [-2.0, 1.0, 0.125, -0.75]])
CONSTANTS = [np.array([2.0, -0.5, 1.0, 0.25]), np.array([[1.5], [-1.0], [0.5]]), np.array(3.0)]
MOST = 400  # elements over all arrays of a program
PROFILE = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


class Draw:
    """Choices of a program."""

    def __init__(self, data):
        self.data = data

    def below(self, n):
        return self.data.draw(st.integers(0, n - 1))

    def of(self, options):
        return options[self.below(len(options))]

    def index(self, shape):
        """A basic index: integers, slices with steps of both signs, None and an ellipsis."""
        parts = []
        for n in shape:
            kind = self.below(5)
            if kind == 0 and n:
                parts.append(self.below(2 * n) - n)
            elif kind == 1:
                parts.append(slice(None, None, self.of([-1, 2, -2, 3])))
            elif kind == 2:
                parts.append(slice(self.below(n + 2) - 1, self.below(n + 2), self.of([1, 1, 2])))
            elif kind == 3:
                parts.append(slice(self.of([None, -1, n]), self.of([None, 0]), -1))
            else:
                parts.append(slice(None))
        if self.below(4) == 0:
            parts.insert(self.below(len(parts) + 1), None)
        if self.below(4) == 0:
            parts = [*parts[: self.below(len(parts) + 1)], Ellipsis]
        return tuple(parts)


def fits(value, target):
    """Whether a value broadcasts to a target's shape."""
    try:
        return np.broadcast_shapes(np.shape(value), target) == target
    except ValueError:
        return False


# Each step: draw(d, arrays) -> parameters or None; run(arrays, parameters) changes the list.


def draw_view(d, arrays):
    i = d.below(len(arrays))
    index = d.index(arrays[i].shape)
    found = arrays[i][index]
    return (
        (i, index) if np.ndim(found) <= 4 and isinstance(found, np.ndarray) and found.size else None
    )


def run_view(arrays, p):
    arrays.append(arrays[p[0]][p[1]])


def draw_transpose(d, arrays):
    i = d.below(len(arrays))
    return i, tuple(d.data.draw(st.permutations(range(arrays[i].ndim))))


def run_transpose(arrays, p):
    arrays.append(arrays[p[0]].transpose(p[1]) if p[1] else arrays[p[0]].T)


def draw_reshape(d, arrays):
    i = d.below(len(arrays))
    n = arrays[i].size
    return i, d.of([(n,), (1, n), (-1, 1), arrays[i].shape[::-1], (2, -1) if n % 2 == 0 else (n,)])


def run_reshape(arrays, p):
    arrays.append(arrays[p[0]].reshape(p[1]))


def draw_in_place(d, arrays):
    i = d.below(len(arrays))
    others = [j for j, b in enumerate(arrays) if fits(b, arrays[i].shape)]
    constants = [-1 - j for j, c in enumerate(CONSTANTS) if fits(c, arrays[i].shape)]
    return i, d.of(["add", "subtract", "multiply"]), d.of([*others, *constants])


def run_in_place(arrays, p):
    i, name, j = p
    other = arrays[j] if j >= 0 else CONSTANTS[-1 - j]
    other = other * 0.5 if name == "multiply" else other
    if name == "add":
        arrays[i] += other
    elif name == "subtract":
        arrays[i] -= other
    else:
        np.multiply(arrays[i], other, out=arrays[i])


def draw_write(d, arrays):
    i = d.below(len(arrays))
    index = d.index(arrays[i].shape)
    shape = np.shape(arrays[i][index])
    others = [j for j, b in enumerate(arrays) if fits(b, shape)]
    return i, index, d.of([*others, -1, -2])


def run_write(arrays, p):
    i, index, j = p
    arrays[i][index] = arrays[j] if j >= 0 else {-1: 0.75, -2: arrays[0].ravel()[0]}[j]


def draw_loop(d, arrays):
    rows = [i for i, a in enumerate(arrays) if a.ndim and len(a) > 1]
    return (d.of(rows), d.below(2)) if rows else None


def run_loop(arrays, p):
    a = arrays[p[0]]
    for i in range(1, len(a)):
        a[i] = a[i - 1] * 0.5 + a[i] if p[1] else a[-1] - a[i]


def draw_scalars(d, arrays):
    matrices = [i for i, a in enumerate(arrays) if a.ndim == 2]
    return (d.of(matrices), d.below(2)) if matrices else None


def run_scalars(arrays, p):
    a, backwards = arrays[p[0]], p[1]
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if (i + j) % 2:
                a[i, j] = a[-1 - i, j] * 0.5 if backwards else a[i, j - 1] + 0.25


def draw_add_at(d, arrays):
    rows = [i for i, a in enumerate(arrays) if a.ndim and len(a)]
    if not rows:
        return None
    i = d.of(rows)
    n = len(arrays[i])
    return i, np.array([d.below(2 * n) - n for _ in range(d.below(4) + 1)])


def run_add_at(arrays, p):
    a, index = arrays[p[0]], p[1]
    np.add.at(a, index, a[index] * 0.5 + 1)


def draw_mask(d, arrays):
    return d.below(len(arrays)), d.of([-0.5, 0.3, 1.1]), d.below(2)


def run_mask(arrays, p):
    a = arrays[p[0]]
    a[a.real > p[1] if np.iscomplexobj(a) else a > p[1]] = [0.5, arrays[0].ravel()[-1]][p[2]]


def draw_fancy(d, arrays):
    return draw_add_at(d, arrays)


def run_fancy(arrays, p):
    arrays.append((arrays[p[0]][p[1]] * 1.0).copy())


def draw_new(d, arrays):
    return d.below(len(arrays)), d.below(5)


def run_new(arrays, p):
    a = arrays[p[0]]
    arrays.append(
        [
            lambda: a.copy(),
            lambda: np.zeros(a.shape, a.dtype),
            lambda: (a * 0.5 + 1).copy(),  # in row-major order, which a transpose's ufunc is not in
            lambda: np.array([a.sum(), a.ravel()[0] * 2]),
            lambda: np.stack([a, a * 2]) if a.ndim < 3 else a.flatten(),
        ][p[1]]()
    )


STEPS = {
    name: (globals()[f"draw_{name}"], globals()[f"run_{name}"])
    for name in ("view", "transpose", "reshape", "in_place", "write", "loop", "scalars", "add_at",
        "mask",
                 "fancy", "new")
}  # fmt: skip


def program(d):
    """A program, drawn as it runs on plain arrays."""
    arrays, steps = [START.copy()], []
    for _ in range(d.below(9) + 1):
        name = d.of(list(STEPS))
        draw, run = STEPS[name]
        p = draw(d, arrays)
        if p is None or (
            name in ("fancy", "new", "reshape") and sum(a.size for a in arrays) > MOST
        ):
            continue
        run(arrays, p)
        steps.append((name, p))
    return steps


def run_all(steps, x):
    arrays = [x]
    for name, p in steps:
        STEPS[name][1](arrays, p)
    return arrays


@given(st.data())
@PROFILE
def test_programs(data):
    steps = program(Draw(data))
    with np.errstate(all="ignore"):
        want = run_all(steps, START.copy())
    given_x = START.copy()
    constants = [c.copy() for c in CONSTANTS]
    got, pullback = gg.vjp(lambda x: tuple(run_all(steps, x)), given_x)
    for g, w in zip(got, want, strict=True):
        assert np.shape(g) == w.shape
        np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-12, err_msg=str(steps))
    assert np.array_equal(given_x, START)
    assert all(np.array_equal(a, b) for a, b in zip(CONSTANTS, constants))
    rng = np.random.default_rng(0)
    weights = tuple(rng.normal(size=w.shape)[()] for w in want)
    (gradient,) = pullback(weights)
    along = rng.normal(size=START.shape)
    pushed = run_all(steps, START + 1e-30j * along)
    true = sum(np.sum(w * p.imag) / 1e-30 for w, p in zip(weights, pushed))
    scale = sum(np.sum(np.abs(w * p.imag)) / 1e-30 for w, p in zip(weights, pushed))
    np.testing.assert_allclose(
        np.sum(gradient * along), true, atol=1e-11 * max(scale, 1), err_msg=str(steps)
    )
