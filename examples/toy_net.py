"""A toy net that learns XOR: forward, backward and update in one native call.

python examples/toy_net.py
"""

import numpy as np

import glassgrad as gg

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0.0, 1.0, 1.0, 0.0])


def network(parameters, x):
    """Two layers: tanh, then a probability."""
    (w1, b1), (w2, b2) = parameters
    z = np.tanh(x @ w1 + b1) @ w2 + b2
    return 1 / (1 + np.exp(-z))


def loss(parameters, x, y):
    """The mean cross-entropy."""
    p = network(parameters, x)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


@gg.jit
def train_step(parameters, x, y):
    """One step of gradient descent: compiled whole at its first call."""
    value, gradient = gg.value_and_grad(loss)(parameters, x, y)
    new = [
        (w - 0.5 * dw, b - 0.5 * db) for (w, b), (dw, db) in zip(parameters, gradient, strict=True)
    ]
    return value, new


def main():
    """Train, show what was learned, and say what was compiled."""
    rng = np.random.default_rng(1)
    parameters = [
        (rng.standard_normal((2, 8)), np.zeros(8)),
        (rng.standard_normal(8) / 3, np.zeros(())),
    ]
    for step in range(2001):
        value, parameters = train_step(parameters, X, Y)
        if step % 500 == 0:
            print(f"step {step:4}  loss {value:.6f}")
    for x, p in zip(X, network(parameters, X), strict=True):
        print(f"{x[0]:.0f} xor {x[1]:.0f} = {p:.3f}")
    print(train_step.report())


if __name__ == "__main__":
    main()
