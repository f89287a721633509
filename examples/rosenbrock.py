"""Descent on Rosenbrock's valley: gradient descent crawls, Newton's method jumps.

python examples/rosenbrock.py
"""

import numpy as np

import glassgrad as gg


def rosenbrock(p):
    """(1 - x)² + 100 (y - x²)²: a curved valley with its minimum at (1, 1)."""
    x, y = p
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def descend(p, rate=1e-3, small=1e-6, most=100_000):
    """Gradient descent until the gradient is small; the point and the number of steps."""
    gradient = gg.jit(gg.grad(rosenbrock))
    for step in range(most):
        g = gradient(p)
        if np.sqrt(g @ g) < small:
            return p, step
        p = p - rate * g
    return p, most


def newton(p, small=1e-6, most=100):
    """Newton's method: each step goes to the lowest point of the parabola that fits here."""
    gradient, hessian = gg.grad(rosenbrock), gg.hessian(rosenbrock)
    for step in range(most):
        g = gradient(p)
        if np.sqrt(g @ g) < small:
            return p, step
        p = p - np.linalg.solve(hessian(p), g)
    return p, most


def main():
    """Both methods from the lecture's starting point, and the largest rate that can converge."""
    start = np.array([-1.8, 1.5])
    for method in (descend, newton):
        point, steps = method(start)
        print(f"{method.__name__}: {point.round(6)} after {steps} steps")
    steepest = np.linalg.eigvalsh(gg.hessian(rosenbrock)(np.ones(2)))[-1]
    print(f"gradient descent needs a learning rate below {2 / steepest:.7f}")


if __name__ == "__main__":
    main()
