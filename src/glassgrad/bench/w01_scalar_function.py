"""W1: the value and both derivatives of (a + b)(b + 1), called from Python with floats."""

from __future__ import annotations

from functools import partial
from typing import Any

from glassgrad.bench.race import Race
from glassgrad.bench.scalar_tape import Value
from glassgrad.bench.torch_threads import on_threads
from glassgrad.bench.workload import Contender, Step, peer

AT = 2.0, 1.0


def function(a: Any, b: Any) -> Any:
    """The first example of most lectures."""
    return (a + b) * (b + 1)


def glassgrad() -> Step:
    """`gg.jit` of `gg.value_and_grad`."""
    import glassgrad as gg

    return partial(gg.jit(gg.value_and_grad(function, (0, 1))), *AT)


def jax_jit() -> Step:
    """`jax.jit` of `jax.value_and_grad`; the numbers are read, as a caller would."""
    jax = peer("jax")
    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(jax.value_and_grad(function, (0, 1)))
    return lambda: jax.block_until_ready(compiled(*AT))


def torch_eager() -> Step:
    """Two leaves, a backward pass."""
    torch = peer("torch")

    def step() -> Any:
        a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in AT)
        value = function(a, b)
        value.backward()
        return value.item(), (a.grad.item(), b.grad.item())

    return step


def pytensor_function() -> Step:
    """A compiled function of two scalars, which makes arrays of the floats itself."""
    pytensor, pt = peer("pytensor"), peer("pytensor.tensor")
    a, b = pt.dscalar("a"), pt.dscalar("b")
    value = function(a, b)
    compiled = pytensor.function([a, b], [value, *pytensor.grad(value, [a, b])])
    return partial(compiled, *AT)


def autograd_function() -> Step:
    """HIPS autograd's value_and_grad of a pair."""
    grads = peer("autograd").value_and_grad(lambda pair: function(*pair))
    return partial(grads, AT)


def scalar_tape() -> Step:
    """A tape of scalars in Python, as in a first lesson."""

    def step() -> Any:
        a, b = map(Value, AT)
        value = function(a, b)
        value.backward()
        return value.data, (a.grad, b.grad)

    return step


WORKLOAD = Race(
    "W1",
    "value and gradient of (a + b)(b + 1), called with floats, float64",
    {
        "glassgrad": Contender(glassgrad),
        "jax.jit": Contender(jax_jit, "jax"),
        "pytensor": Contender(pytensor_function, "pytensor"),
        "scalar tape in Python": Contender(scalar_tape, "numpy"),
        "autograd": Contender(autograd_function, "autograd"),
        **on_threads(torch_eager, 1),
    },
    bar=40,
)
