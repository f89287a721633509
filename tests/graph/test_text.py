"""Formulas print what is computed."""

import numpy as np

import glassgrad as gg


def test_an_outer_product_prints_its_operands_in_the_order_of_its_axes():
    x, W, c = gg.variable("x", (3,)), gg.variable("W", (3, 2)), gg.variable("c", (2,))
    (d,) = gg.gradients((x @ W) @ c, [W])
    assert (str(d), d.shape) == ("outer(x, c)", (3, 2))
    numbers = {x: np.arange(3.0), c: np.array([2.0, 5.0])}
    assert (gg.evaluate(d, numbers) == np.outer(numbers[x], numbers[c])).all()
    (d,) = gg.gradients(c @ (W.T @ x), [W])
    assert str(d) == "outer(c, x).T"
