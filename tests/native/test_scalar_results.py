"""Scalars and tuples of scalars are filled again, and never while anybody else holds them."""

import gc
import sys
import threading

import numpy as np
import pytest

import glassgrad as gg


def pair(a, b):
    return (a + b) * (b + 1)


@pytest.fixture
def step():
    """Value and gradient of the first example of most lectures: (v, (da, db))."""
    compiled = gg.jit(gg.value_and_grad(pair, (0, 1)))
    compiled(1.0, 1.0)
    return compiled


def expected(a, b):
    return (a + b) * (b + 1), (b + 1, a + 2 * b + 1)


def test_results_that_are_held_stay(step):
    points = [(float(i), float(i % 7)) for i in range(50)]
    results = [step(*p) for p in points]
    assert results == [expected(*p) for p in points]
    inner = [step(*p)[1] for p in points]
    assert inner == [expected(*p)[1] for p in points]
    values = [step(*p)[0] for p in points]
    assert values == [expected(*p)[0] for p in points]
    last = [step(*p)[1][1] for p in points]
    assert last == [expected(*p)[1][1] for p in points]


def test_a_descent_that_rebinds(step):
    a, b, plain = 1.0, 0.5, (1.0, 0.5)
    for _ in range(20):
        _, (da, db) = step(float(a), float(b))
        a, b = a - 0.1 * da, b - 0.1 * db
        da, db = expected(*plain)[1]
        plain = plain[0] - 0.1 * da, plain[1] - 0.1 * db
    assert (a, b) == pytest.approx(plain, rel=1e-12)


def test_what_nobody_holds_is_the_same_object_again(step):
    first = id(step(1.0, 2.0))
    second = id(step(3.0, 4.0))
    assert first == second
    held = step(5.0, 6.0)
    assert step(1.0, 2.0) is not held and held == expected(5.0, 6.0)


def test_nothing_leaks(step):
    def blocks():
        gc.collect()
        return sys.getallocatedblocks()

    for _ in range(10):
        step(1.0, 2.0)
    before = blocks()
    for i in range(2000):
        held = step(1.0, float(i))
        if i % 3:
            held = held[1]
    del held
    assert abs(blocks() - before) < 100


def test_a_collection_may_call_the_program_meanwhile(step):
    found, wanted = [], []

    def again(phase, info):
        found.append(step(7.0, float(len(wanted))))
        wanted.append(expected(7.0, float(len(wanted))))

    threshold = gc.get_threshold()
    gc.callbacks.append(again)
    gc.set_threshold(1, 1, 1)
    try:
        mine = [step(float(i), 2.0) for i in range(200)]
    finally:
        gc.callbacks.remove(again)
        gc.set_threshold(*threshold)
    assert mine == [expected(float(i), 2.0) for i in range(200)]
    assert len(found) > 10 and found == wanted


def test_threads_get_their_own(step):
    wrong = []

    def work(k):
        for i in range(3000):
            if step(float(k), float(i)) != expected(float(k), float(i)):
                wrong.append((k, i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_every_dtype(dtype):
    give = gg.jit(lambda x: (np.max(x), (np.min(x), np.max(x))))
    for numbers in ([0, 1], [1, 1], [0, 0], [1, 0]):
        x = np.array(numbers, dtype)
        high, (low, same) = give(x)
        assert [type(v) for v in (high, low, same)] == [x.dtype.type] * 3
        assert (high, low, same) == (x.max(), x.min(), x.max())
    kept = [give(np.array([i % 2], dtype)) for i in range(4)]
    assert [k[0] for k in kept] == [0, 1, 0, 1]


def test_one_bare_scalar():
    double = gg.jit(lambda x: 2 * x)
    assert [double(float(i)) for i in range(5)] == [0, 2, 4, 6, 8]
    assert type(double(1.0)) is np.float64
