"""Ctrl-C in a long call: soon, and with everything usable afterwards."""

import signal
import statistics
import subprocess
import sys
import textwrap
import time

import pytest

SOON = 0.5  # seconds

PROGRAM = """
    import signal, sys, time
    import numpy as np
    import glassgrad as gg
    from glassgrad.engines.native import pyabi

    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "ctypes" in sys.argv:
        pyabi.usable = lambda: False
    gg.threads(2)

    def scan(x):  # many turns, each a program
        def turn(w, _):
            return w + 1e-9 * np.tanh(w @ w), None
        return gg.scan(turn, x, np.zeros(n))[0]

    def registers(x):  # many turns in registers
        def turn(s, _):
            return np.exp(np.sin(np.exp(np.sin(s)))) - 1.5, None
        return gg.scan(turn, x[0, 0], np.zeros(n))[0] + x

    def search(x):  # a loop of unknown length
        return gg.while_loop(lambda s: np.sum(s) < n * 1e300, lambda s: s + 1e-3, x[:40])

    def small_search(x):
        return gg.while_loop(lambda s: s < n * 1e300, lambda s: s + 1e-3, x[0, 0]) + x

    def steps(x):  # a long list of steps
        for _ in range(n):
            x = x @ x
            x = x / np.max(x)
        return x

    name, size, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    f = gg.jit(globals()[name])
    x = np.random.default_rng(0).random((size, size)) / size
    f.prepare(x)
    before = x.copy()
    for _ in range(int(sys.argv[4])):
        print("calls", flush=True)
        try:
            f(x)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        else:
            print("ended by itself", flush=True)
        assert (x == before).all()
    small = gg.jit(lambda x: np.tanh(x @ x))
    assert np.allclose(small(x), np.tanh(x @ x))
    print("usable", flush=True)
"""


def latencies(name, size, turns, count, *options):
    """Seconds from the signal to the exception, in one process."""
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), name, str(size), str(turns), str(count),
         *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    found = []
    try:
        for turn in range(count):
            line = worker.stdout.readline()
            assert line == "calls\n", worker.stderr.read()
            time.sleep(0.1 + 0.01 * turn)
            start = time.perf_counter()
            worker.send_signal(signal.SIGINT)
            assert worker.stdout.readline() == "stopped\n"
            found.append(time.perf_counter() - start)
        assert worker.stdout.readline() == "usable\n", worker.stderr.read()
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.communicate()
    return found


@pytest.mark.parametrize(
    ("name", "size", "turns", "options"),
    [
        ("scan", 40, 10**7, ()),
        ("scan", 300, 10**6, ()),
        ("registers", 3, 3 * 10**7, ()),
        ("search", 50, 1, ()),
        ("small_search", 2, 1, ()),
        ("steps", 1000, 300, ()),
        ("scan", 40, 10**6, ("ctypes",)),
        ("steps", 1000, 300, ("ctypes",)),
    ],
)
def test_a_long_call_stops_soon(name, size, turns, options):
    found = latencies(name, size, turns, 5 if (name, options) != ("scan", ()) else 20, *options)
    print(f"{name}: median {statistics.median(found):.3f} s, longest {max(found):.3f} s")
    assert max(found) < SOON
