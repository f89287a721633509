"""Calls and compilations from several threads at once, and in the children of forks."""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import pyabi
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.underway import SLOTS, Arenas
from glassgrad.graph.node import Trace, new_input

THREADS = 16


def layers(width: int, depth: int = 3):
    """A function that computes some layers, with a gradient."""

    def loss(w, x):
        for _ in range(depth):
            x = np.tanh(x @ w)
        return np.mean(x**2)

    return gg.value_and_grad(loss), (
        np.linspace(-1, 1, width * width, dtype=np.float32).reshape(width, width),
        np.linspace(0, 1, 32 * width, dtype=np.float32).reshape(32, width),
    )


def together(work, count=THREADS):
    """Runs `work(i)` in so many threads that start at the same moment."""
    barrier = threading.Barrier(count)

    def one(i):
        barrier.wait(60)
        return work(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def bits(result):
    value, gradient = result
    return np.asarray(value).tobytes(), gradient.tobytes()


@pytest.mark.parametrize("width", [4, 96], ids=["short", "long"])
def test_one_function_is_compiled_and_called_by_many_threads(width):
    f, (w, x) = layers(width)
    expected = [bits(gg.jit(f)(w + i, x)) for i in range(THREADS)]
    step = gg.jit(f)

    def work(i):
        return {bits(step(w + i, x)) for _ in range(40)}

    assert together(work) == [{b} for b in expected]
    ((made,),) = step.programs.values()
    assert made.program.long == (width == 96)


def test_many_functions_are_compiled_at_once():
    def work(i):
        f, args = layers(5 + i)
        return bits(gg.jit(f)(*args)), bits(f(*args))

    for compiled, plain in together(work):
        value = [np.frombuffer(b, np.float32) for b in compiled]
        other = [np.frombuffer(b, np.float32) for b in plain]
        assert all(np.allclose(a, b, 1e-4, 1e-5) for a, b in zip(value, other))


def program(n: int) -> NativeProgram:
    trace = Trace()
    x, s = new_input(trace, "x", (n,), "f8"), new_input(trace, "s", (), "f8")
    return NativeProgram([x * s, x * s + 1.0], [x, s], cache=ObjectCache(None))


@pytest.mark.parametrize("n", [10, 30_000], ids=["short", "long"])
@pytest.mark.parametrize("agrees", [True, False], ids=["builtin", "ctypes"])
def test_a_program_called_as_a_function_and_as_a_builtin(n, agrees, monkeypatch):
    if not agrees:
        monkeypatch.setattr(pyabi, "usable", lambda: False)
    made = program(n)
    assert made.long == (n == 30_000)
    x = np.arange(float(n))

    def work(i):
        held = []
        for turn in range(20):
            s = float(20 * i + turn)
            a, b = made.fast(x, s) if turn % 2 else made([x, np.array(s)])
            held.append((s, a, b))
        return held

    found = [item for items in together(work) for item in items]
    for s, a, b in found:
        assert (a == x * s).all()
        assert (b == x * s + 1).all()
    assert len({array.ctypes.data for _, *pair in found for array in pair}) == 2 * len(found)


def test_arguments_are_held_while_a_program_runs():
    n = 300_000
    step = gg.jit(lambda tables: np.tanh(tables[0] + tables[1]["b"]))
    tables = [np.ones(n), {"b": np.ones(n)}]
    expected = step(tables)[0]
    done = threading.Event()

    def disturb():
        while not done.is_set():
            tables[0], tables[1]["b"] = np.ones(n), np.ones(n)

    other = threading.Thread(target=disturb)
    other.start()
    try:
        assert all((step(tables) == expected).all() for _ in range(100))
    finally:
        done.set()
        other.join()


def test_arenas_are_given_out_once_and_kept_within_bounds():
    arenas = Arenas(1000)
    taken = [arenas.take() for _ in range(SLOTS + 4)]
    assert len(set(taken)) == SLOTS + 4
    assert arenas.first in taken
    for address in taken:
        arenas.give(address)
    again = [arenas.take() for _ in range(SLOTS)]
    assert len(set(again)) == SLOTS
    assert arenas.first in again
    assert set(again) <= set(taken)


def test_a_call_waits_for_an_arena_where_memory_is_short(monkeypatch):
    arenas = Arenas(1000)
    held = arenas.take()

    def full(size):
        raise MemoryError(size)

    monkeypatch.setattr("glassgrad.engines.native.underway.Arena", full)
    threading.Timer(0.05, arenas.give, [held]).start()
    assert arenas.take() == held


def python(code: str, seconds: float = 120) -> str:
    """What a program prints; it must end in time and in peace."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=seconds, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


FORKED = """
    import os, sys, threading
    import numpy as np
    import glassgrad as gg

    def f(w, x):
        return np.tanh(x @ w).sum(), np.exp(-x).sum(axis=0)

    def made(n):
        w, x = np.ones((n, n)), np.full((8, n), 0.01)
        return gg.jit(f)(w, x)[0]

    old = gg.jit(f)
    old(np.ones((90, 90)), np.full((8, 90), 0.01))
    stop = threading.Event()

    def compile_on(first):
        while not stop.is_set():
            made(first)
            first += 4

    others = [threading.Thread(target=compile_on, args=(3 + i,)) for i in range(4)]
    for t in others:
        t.start()
    failures = 0
    for turn in range({turns}):
        child = os.fork()
        if child == 0:
            fresh = float(made(200 + turn))
            again = float(old(np.ones((90, 90)), np.full((8, 90), 0.01))[0])
            right = [8 * n * np.tanh(0.01 * n) for n in (200 + turn, 90)]
            os._exit(0 if np.allclose([fresh, again], right) else 1)
        failures += os.waitpid(child, 0)[1] != 0
    stop.set()
    for t in others:
        t.join()
    print(failures)
"""


def test_children_of_forks_compile_and_call_while_other_threads_compile():
    assert python(FORKED.replace("{turns}", "12")).split() == ["0"]


def test_the_memory_of_a_child_is_its_own():
    out = python(
        """
        import ctypes, os
        from glassgrad.engines.native.arena import Arena

        arena = Arena(100)
        child = os.fork()
        if child == 0:
            ctypes.memset(arena.address, 7, 8)
            os._exit(0)
        os.waitpid(child, 0)
        print(ctypes.string_at(arena.address, 8).hex())
        """
    )
    assert out.split() == ["00" * 8]


def test_where_no_thread_can_be_started_the_caller_does_all(tmp_path):
    out = python(
        f"""
        import os, threading, _thread
        os.environ["XDG_CACHE_HOME"] = {str(tmp_path)!r}
        import numpy as np
        import glassgrad as gg

        def none_left(*args):
            raise RuntimeError("can't start new thread")

        _thread.start_new_thread = threading._start_new_thread = none_left
        threading.Thread.start = none_left
        gg.threads(3)
        w, x = np.full((300, 300), 0.01), np.ones((600, 300))
        def f(w, x):
            return np.tanh(x @ w).sum()
        g = gg.jit(gg.grad(f))
        for _ in range(2):
            print(np.allclose(g(w, x), gg.grad(f)(w, x)))
        """
    )
    assert out.split() == ["True"] * 2
