"""gg.remat on the native engine: the same bits, far less memory; steps that free run early."""

import numpy as np
import pytest

import glassgrad as gg

ROWS, WIDTH, DEPTH, BLOCK = 256, 32, 200, 14


def layer(x, w):
    return np.tanh(x @ w)


def chain(x, ws):
    for w in ws:
        x = layer(x, w)
    return x


def plain(ws, x):
    return np.mean(chain(x, ws) ** 2)


def by_layer(ws, x):
    for w in ws:
        x = gg.remat(layer)(x, w)
    return np.mean(x**2)


def by_block(ws, x):
    for i in range(0, len(ws), BLOCK):
        x = gg.remat(chain)(x, ws[i : i + BLOCK])
    return np.mean(x**2)


def nested(ws, x):
    def half(x, ws):
        if len(ws) < 8:
            return chain(x, ws)
        middle = len(ws) // 2
        return gg.remat(half)(gg.remat(half)(x, ws[:middle]), ws[middle:])

    return np.mean(half(x, ws) ** 2)


def data(depth):
    rng = np.random.default_rng(0)
    ws = [rng.standard_normal((WIDTH, WIDTH)) / 6 for _ in range(depth)]
    return ws, rng.standard_normal((ROWS, WIDTH))


def arena(compiled):
    """The planned bytes of the one program, in activations of a layer."""
    ((made,),) = compiled.programs.values()
    return made.program.memory.arena / (8 * ROWS * WIDTH)


def test_a_deep_network_keeps_few_activations():
    ws, x = data(DEPTH)
    step = [gg.jit(gg.value_and_grad(f)) for f in (plain, by_layer, by_block)]
    (value, grads), *others = [f(ws, x) for f in step]
    for again, found in others:
        assert again == value
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found, grads))
    kept = [arena(f) for f in step]
    assert kept[0] > 2 * DEPTH
    assert kept[1] < 1.1 * DEPTH
    assert kept[2] < DEPTH / BLOCK + 2 * BLOCK + 10


@pytest.mark.parametrize("loss", [by_layer, by_block, nested])
def test_bits_do_not_depend_on_what_is_kept(loss):
    ws, x = data(20)
    expected = gg.jit(gg.grad(plain))(ws, x)
    found = gg.jit(gg.grad(loss), donate=0)(ws, x)
    assert all(a is w for a, w in zip(found, ws))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(found, expected))


def test_second_derivatives_and_batches_of_what_is_computed_again():
    ws, x = data(3)

    def slope(f):
        def g(x):
            return np.sum(gg.grad(lambda x: f(ws, x))(x) ** 2)

        return gg.grad(g)

    for change in (slope, lambda f: gg.vmap(gg.grad(lambda row: f(ws, row[None])))):
        np.testing.assert_allclose(
            gg.jit(change(by_layer))(x), gg.jit(change(plain))(x), rtol=1e-12, atol=1e-18
        )


def test_an_argument_that_is_returned_and_one_that_is_seen_turned():
    def f(x, w):
        turned, same = gg.remat(lambda a, b: (np.sin(a.T @ b), b))(x, w)
        return np.sum(turned * same[:1, :1])

    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    for argnums in (0, 1):
        native, reference = (gg.jit(gg.grad(f, argnums), engine=e) for e in ("native", "reference"))
        np.testing.assert_allclose(native(x, w), reference(x, w), rtol=1e-12)


def test_gradients_are_used_before_those_of_the_layer_below():
    """So that half of the slopes and activations need no place besides cotangents."""
    ws, x = data(40)
    step = gg.jit(lambda ws, x: [w - 0.1 * g for w, g in zip(ws, gg.grad(plain)(ws, x))], donate=0)
    step(ws, x)
    assert arena(step) < 2 * 40 + 5
