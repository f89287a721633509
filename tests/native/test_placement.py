"""Workers run on other processors than their caller, among those that they may use, and on any."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from glassgrad.engines.native import placement, underway

PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@pytest.fixture
def placed():
    """`placed(name, processor, saved)`: for this thread; (whether it was, what was kept)."""
    types = ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p
    known = underway.addresses()

    def called(name, processor, saved=()):
        kept = ctypes.create_string_buffer(
            sum(1 << i for i in saved).to_bytes(placement.MASK, "little"), placement.MASK
        )
        function = ctypes.CFUNCTYPE(ctypes.c_bool, *types)(known[f"gg_{name}"])
        done = function(threading.get_ident(), processor, ctypes.addressof(kept))
        number = int.from_bytes(kept.raw, "little")
        return done, {i for i in range(8 * placement.MASK) if number >> i & 1}

    yield called
    if PROCESSORS:
        os.sched_setaffinity(0, PROCESSORS)


def test_a_thread_is_kept_off_one_processor_and_let_go(placed):
    for processor in PROCESSORS:
        done, saved = placed("keep_off", processor)
        assert done == (len(PROCESSORS) > 1)
        assert saved == set(PROCESSORS)
        left = set(PROCESSORS) - {processor} or set(PROCESSORS)
        assert os.sched_getaffinity(0) == left
        assert placed("let_go", processor, saved)[0] == done
        assert os.sched_getaffinity(0) == set(PROCESSORS)


def test_what_somebody_else_has_said_meanwhile_stays(placed):
    for processor in PROCESSORS:
        _, saved = placed("keep_off", processor)
        os.sched_setaffinity(0, {processor})
        assert not placed("let_go", processor, saved)[0]
        assert os.sched_getaffinity(0) == {processor}
        os.sched_setaffinity(0, PROCESSORS)


def test_a_thread_keeps_its_last_processor(placed):
    for processor in PROCESSORS:
        os.sched_setaffinity(0, {processor})
        assert placed("keep_off", processor) == (False, {processor})
        assert os.sched_getaffinity(0) == {processor}


@pytest.mark.parametrize("processor", [-1, 8 * placement.MASK, 8 * placement.MASK - 1])
def test_a_processor_that_it_may_not_use_changes_nothing(processor, placed):
    assert not placed("keep_off", processor)[0]
    if PROCESSORS:
        assert os.sched_getaffinity(0) == set(PROCESSORS)


def test_a_system_that_does_not_tell_processors(monkeypatch):
    monkeypatch.setattr(underway, "user_cache_folder", lambda: None)
    known = {*placement.addresses()}
    assert known <= {*underway.assembled()[1]}
    monkeypatch.setattr(placement, "addresses", dict)
    assert not known & {*underway.assembled()[1]}


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


STEP = """
    import ctypes, os, time
    import numpy as np
    import glassgrad as gg
    from glassgrad.engines.native import crew, threads

    may = getattr(os, "sched_getaffinity", lambda _: set())(0)
    first = min(may, default=0)

    def only(thread, processors):
        if may:
            os.sched_setaffinity(thread, processors)

    x = np.random.default_rng(0).standard_normal((500, 600))
    step = gg.jit(lambda x: np.sum(np.tanh(x) * np.exp(-x * x), axis=1))

    def started(count):
        before = set(os.listdir("/proc/self/task")) if may else set()
        gg.threads(count)
        step(x)
        after = set(os.listdir("/proc/self/task")) if may else set()
        return [int(t) for t in after - before]

    def within(workers, processors):
        "Whether the workers may use just these, soon."
        for _ in range(1000):
            if all(os.sched_getaffinity(w) == processors for w in workers):
                return True
            time.sleep(0.005)
            step(x)
        return False

    def last():
        return ctypes.c_int64.from_address(threads.MEMORY + crew.LAST).value
"""


def test_workers_may_use_again_what_the_process_may():
    code = """
    workers = started(4)
    found = {step(x).tobytes() for _ in range(300)}
    print(len(found), within(workers, may))
    """
    assert run(STEP + code) == ["1", "True"]


def test_a_process_of_one_processor():
    code = """
    only(0, {first})
    print(threads.cores() if may else 1)
    workers = started(4)
    found = {step(x).tobytes() for _ in range(300)}
    print(len(found), within(workers, {first}))
    """
    assert run(STEP + code) == ["1", "1", "True"]


def test_a_process_that_is_moved_to_one_processor_and_back():
    code = """
    gg.threads(1)
    alone = step(x).tobytes()
    workers = started(3)
    found = {step(x).tobytes() for _ in range(50)}
    for thread in (0, *workers):
        only(thread, {first})
    found |= {step(x).tobytes() for _ in range(50)}
    narrow = within(workers, {first})
    for thread in (0, *workers):
        only(thread, may)
    found |= {step(x).tobytes() for _ in range(50)}
    print(found == {alone}, narrow, within(workers, may))
    """
    assert run(STEP + code) == ["True", "True", "True"]


def test_a_worker_that_slept_on_its_callers_processor_wakes_on_another():
    code = """
    (worker, *_) = started(2) or [0]
    only(0, {first})
    only(worker, {first})
    while may and last() != first:  # until it sleeps there
        gg.threads(2)  # the crew does not rest
        step(x)
        time.sleep(0.01)
    only(worker, may)
    gg.threads(2)
    step(x)
    for _ in range(1000):
        if len(may) < 2 or last() != first:
            break
        time.sleep(0.005)
    print(len(may) < 2 or last() != first)
    """
    assert run(STEP + code) == ["True"]
