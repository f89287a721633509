"""Logistic regression from scratch: the naive formula, exact gradients, far from any overflow.

python examples/logistic_regression.py
"""

import numpy as np

import glassgrad as gg


def loss(parameters, X, y):
    """The mean negative log-likelihood, written as in the books; glassgrad makes it stable."""
    z = X @ parameters["w"] + parameters["b"]
    p = 1 / (1 + np.exp(-z))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def two_clouds(n, seed=0):
    """Points around two centres, and which centre each belongs to."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.standard_normal((n, 2)) + np.where(y[:, None] == 1, 1.5, -1.5)
    return X, y.astype(float)


def main():
    """Train on half of the points, test on the other half, then look at a hopeless point."""
    X, y = two_clouds(400)
    train, test = slice(0, 200), slice(200, 400)
    parameters = {"w": np.zeros(2), "b": 0.0}
    step = gg.jit(gg.value_and_grad(loss))
    for epoch in range(101):
        value, gradient = step(parameters, X[train], y[train])
        parameters = {name: p - 0.5 * gradient[name] for name, p in parameters.items()}
        if epoch % 25 == 0:
            print(f"epoch {epoch:3}  loss {value:.6f}")
    right = (X[test] @ parameters["w"] + parameters["b"] > 0) == (y[test] == 1)
    print(f"test accuracy {right.mean():.1%}")

    far = {"w": np.array([1000.0, 0.0]), "b": 0.0}
    value, gradient = step(far, np.array([[-1.0, 0.0]]), np.array([1.0]))
    print(f"a point 1000 units on the wrong side: loss {value}, dloss/db {gradient['b']}")


if __name__ == "__main__":
    main()
