"""Batching: every op for many examples against the same op at each example alone."""

from itertools import product

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.diff import reverse
from glassgrad.diff.batch import batch
from glassgrad.engines.reference import evaluate
from glassgrad.graph.node import Trace, item, make, new_input
from glassgrad.ops.random import RandomBits
from oracle.elementwise import ops
from oracle.instances import INSTANCES, random_instances
from oracle.loops import LOOPS
from oracle.loops import Built as BuiltLoop
from oracle.points import samples

SIZE = 3


def examples(array, seed):
    """Three examples that differ, of the same kind as the array."""
    rng = np.random.default_rng(seed)
    if array.dtype.kind == "f":
        return np.stack([array + 0.1 * i * rng.normal(size=array.shape) for i in range(SIZE)])
    if array.dtype.kind == "b":
        return rng.random((SIZE, *array.shape)) < 0.5
    return np.stack([array, np.flip(array), array])


def compare(outputs, xs, arrays, which, seed=0):
    """The batched graph against the graph at each example alone."""
    many = {x: examples(a, seed + i) for i, (x, a) in enumerate(zip(xs, arrays)) if which[i]}
    wide = {x: new_input(x.trace, "many", v.shape, v.dtype) for x, v in many.items()}
    found = batch(outputs, wide, SIZE)
    values = dict(zip(xs, arrays))
    batched = [b for b in found if b is not None]
    numbers = iter(evaluate(batched, {**values, **{wide[x]: v for x, v in many.items()}}))
    whole = [None if b is None else next(numbers) for b in found]
    for i in range(SIZE):
        here = {**values, **{x: v[i] for x, v in many.items()}}
        for y, w, g in zip(outputs, evaluate(outputs, here), whole):
            if g is None:  # the same for all examples
                np.testing.assert_array_equal(w, evaluate([y], values)[0])
                continue
            assert g.dtype == y.dtype and g.shape == (SIZE, *y.shape)
            np.testing.assert_allclose(g[i], w, rtol=1e-12, atol=1e-13)


def built(op, arrays):
    trace = Trace()
    xs = [new_input(trace, f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    node = make(op, *xs)
    return xs, [node] if node.outputs is None else [item(node, i) for i in range(len(node.outputs))]


def subsets(count):
    return [which for which in product([False, True], repeat=count) if any(which)]


@pytest.mark.parametrize("instance", INSTANCES, ids=str)
def test_every_structural_op(instance):
    arrays = instance.arrays(1)
    for which in subsets(len(arrays)):
        xs, outputs = built(instance.op, arrays)
        compare(outputs, xs, arrays, which)


def test_random_instances():
    for seed, instance in enumerate(random_instances(240, 3)):
        arrays = instance.arrays(seed)
        rng = np.random.default_rng(seed)
        which = [True, *(rng.random(len(arrays) - 1) < 0.5)]
        rng.shuffle(which)
        xs, outputs = built(instance.op, arrays)
        compare(outputs, xs, arrays, which, seed)


@pytest.mark.parametrize("op", ops(), ids=str)
def test_every_elementwise_op(op):
    arrays = [np.asarray(x)[:8].reshape(2, 4) for x in samples(op)]
    for which in subsets(len(arrays)):
        xs, outputs = built(op, arrays)
        with np.errstate(all="ignore"):
            compare(outputs, xs, arrays, which)


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.name.replace(" ", "-"))
def test_loops_and_their_gradients(loop):
    count = len(loop.operands)
    alone = [tuple(i == j for j in range(count)) for i in range(count)]
    for which in [*alone, (True,) * count]:
        made = BuiltLoop(loop)
        loss = made.loss()
        weights = [n for n in made.values if n not in made.xs]
        xs = [*made.xs, *weights]
        arrays = [np.asarray(made.values[x]) for x in xs]
        outputs = [*made.results, *reverse.gradients(loss, [made.xs[i] for i in made.real])]
        compare(outputs, xs, arrays, [*which, *(False for _ in weights)])


def test_random_bits_with_many_keys():
    keys = np.arange(6, dtype=np.uint32).reshape(3, 2)
    found = gg.vmap(lambda key: gg.random.normal(key, (4,)))(keys)
    for row, key in zip(found, keys):
        np.testing.assert_array_equal(row, gg.random.normal(key, (4,)))
    xs, outputs = built(RandomBits((2, 3), 1), [keys[0]])
    compare(outputs, xs, [keys[0]], [True])
