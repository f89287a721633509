"""gg.jit(budget=...): peaks below a budget, the same bits, a smaller budget never a higher peak."""

import re

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import CalculusError, PlanTooLargeError

RNG = np.random.default_rng(0)
DEPTH, WIDTH, ROWS = 24, 24, 192


def params(depth=DEPTH):
    return [
        (RNG.standard_normal((WIDTH, WIDTH), np.float32) / 5, np.zeros(WIDTH, np.float32))
        for _ in range(depth)
    ]


X = RNG.standard_normal((ROWS, WIDTH), np.float32)


def deep(ws, x):
    for w, b in ws:
        x = np.tanh(x @ w + b)
    return np.mean(x**2)


def normalised(ws, x):
    """Rows that are joined, sums, and a value that is used far away."""
    first = x
    for w, b in ws:
        h = x @ w + b
        h = (h - h.mean(axis=1, keepdims=True)) / (h.std(axis=1, keepdims=True) + 0.1)
        x = h * gg.nn.sigmoid(h) + first
    return np.mean(x**2)


def gathered(ws, x):
    """Reads at computed places, forwards and backwards."""
    places = np.arange(ROWS)[::-1] % 7
    for w, b in ws:
        x = np.exp(-((x @ w + b)[places] ** 2)) + x
    return np.mean(x)


def descent(loss):
    def step(ws, x):
        value, grads = gg.value_and_grad(loss)(ws, x)
        return value, [(w - 0.1 * v, b - 0.1 * c) for (w, b), (v, c) in zip(ws, grads)]

    return step


def once(loss, ws, budget=None, donate=0):
    """The bits of a step, and the memory of its program."""
    step = gg.jit(descent(loss), donate=donate, budget=budget)
    value, found = step([(w.copy(), b.copy()) for w, b in ws], X)
    ((made,),) = step.programs.values()
    bits = [np.asarray(value).tobytes(), *(a.tobytes() for layer in found for a in layer)]
    return bits, made.program.memory.peak, step


def least(loss, ws, donate=0):
    """The peak that a refusal names."""
    with pytest.raises(PlanTooLargeError, match="budget") as error:
        once(loss, ws, 1, donate)
    return int(re.search(r"a budget of at least (\d+) bytes", str(error.value))[1])


@pytest.mark.parametrize("donate", [0, ()])
@pytest.mark.parametrize("loss", [deep, normalised, gathered])
def test_the_peak_is_below_the_budget_and_the_bits_are_the_same(loss, donate):
    ws = params()
    bits, whole, _ = once(loss, ws, donate=donate)
    smallest = least(loss, ws, donate)
    assert smallest < 0.8 * whole
    peaks = []
    for share in (0.0, 0.3, 0.6, 1.0):
        budget = int(smallest + share * (whole - smallest))
        again, peak, _ = once(loss, ws, budget, donate)
        assert again == bits
        assert peak <= budget
        peaks.append(peak)
    assert peaks == sorted(peaks)


def test_a_deep_network_fits_into_a_fraction():
    ws = params(64)
    bits, whole, _ = once(deep, ws)
    smallest = least(deep, ws)
    assert smallest < 0.2 * whole
    again, peak, step = once(deep, ws, smallest)
    assert (again, peak) == (bits, smallest)
    assert ", again: " in step.report()
    with pytest.raises(PlanTooLargeError):
        once(deep, ws, smallest - 1)


def test_a_smaller_budget_never_has_a_higher_peak():
    ws = params()
    _, whole, _ = once(deep, ws)
    smallest = least(deep, ws)
    budgets = np.linspace(smallest, whole, 25).astype(int)
    peaks = []
    for budget in budgets:
        step = gg.jit(descent(deep), donate=0, budget=int(budget)).prepare(ws, X)
        ((made,),) = step.programs.values()
        peaks.append(made.program.memory.peak)
    assert peaks == sorted(peaks)
    assert all(p <= b for p, b in zip(peaks, budgets))
    assert len(set(peaks)) > 4


def shared(ws, x):
    """One weight for all layers: its gradient is summed at the end."""
    return deep(ws[:1] * 12, x)


def test_weights_that_are_replaced_at_the_end_are_read_again_before():
    ws = params(1)
    bits, whole, _ = once(shared, ws)
    smallest = least(shared, ws)
    assert smallest < 0.8 * whole
    assert once(shared, ws, smallest)[0] == bits


def overwritten(x, w):
    """The argument is replaced before the turn is over: what was computed from it is kept."""
    a, b = np.sin(x @ w), np.cos(x)
    return np.sum(a * b @ w), x + 1.0


def test_what_is_written_over_is_not_read_again():
    x, w = RNG.standard_normal((ROWS, ROWS)), RNG.standard_normal((ROWS, ROWS))
    expected = [np.asarray(y).tobytes() for y in gg.jit(overwritten)(x, w)]
    smallest = None
    for budget in (None, 1):
        try:
            found = gg.jit(overwritten, donate=0, budget=budget)(x.copy(), w)
        except PlanTooLargeError as error:
            smallest = int(re.search(r"at least (\d+) bytes", str(error))[1])
            found = gg.jit(overwritten, donate=0, budget=smallest)(x.copy(), w)
        assert [np.asarray(y).tobytes() for y in found] == expected
    assert smallest is not None


def test_a_program_that_looks_at_values_keeps_its_budget_too():
    ws = params()

    def loss(ws, x):
        return deep(ws, x) if np.sum(x) < 1e9 else np.sum(x)

    bits, whole, _ = once(loss, ws, donate=())
    again, peak, _ = once(loss, ws, int(0.6 * whole), donate=())
    assert again == bits
    assert peak <= 0.6 * whole


def test_sizes_are_compiled_one_by_one():
    f = gg.jit(gg.grad(lambda x: np.sum(np.sin(x) ** 2)), budget=1 << 16)
    for n in (3, 5, 8, 13):
        x = np.linspace(0, 1, n)
        np.testing.assert_allclose(f(x), np.sin(2 * x), rtol=1e-12)
    assert len(f.programs) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [({"budget": 0}, "number of bytes"), ({"budget": "1 GiB"}, "number of bytes"),
     ({"budget": True}, "number of bytes"), ({"budget": 9, "engine": "reference"}, "reference"),
     ({"budget": 9, "batch": 0}, "batch=")],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(options, message):
    with pytest.raises(CalculusError, match=message):
        gg.jit(np.sin, **options)
