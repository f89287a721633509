"""The collector of cycles rests while a program is made, and comes back whatever happens."""

import gc
import threading

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.transform import at_rest
from glassgrad.transform.at_rest import collector_at_rest


def seen_inside(f):
    """Whether the collector is on while a function is traced; its error is let go."""
    states = []

    def traced(x):
        states.append(gc.isenabled())
        return f(x)

    compiled = gg.jit(traced, engine="reference")
    try:
        compiled(np.arange(3.0))
    except ZeroDivisionError:
        states.append("error")
    return states


def test_it_rests_and_comes_back_also_after_an_error():
    assert seen_inside(np.sum) == [False]
    assert gc.isenabled()
    assert seen_inside(lambda x: 1 // 0) == [False, "error"]
    assert gc.isenabled()


def test_one_that_is_off_stays_off():
    gc.disable()
    try:
        assert seen_inside(np.sum) == [False]
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_several_threads_leave_it_on():
    inside = threading.Barrier(4)

    @collector_at_rest
    def rest():
        inside.wait(10)

    @collector_at_rest
    def fail():
        inside.wait(10)
        raise RuntimeError("mine")

    threads = [threading.Thread(target=rest) for _ in range(3)]
    for t in threads:
        t.start()
    with pytest.raises(RuntimeError, match="mine"):
        fail()
    for t in threads:
        t.join()
    assert gc.isenabled()


def test_a_child_of_a_fork_has_it_on():
    """What runs there first, since the thread that turned it off may be gone."""

    @collector_at_rest
    def fork():
        at_rest._wake()
        return gc.isenabled()

    assert fork()
    assert gc.isenabled()
