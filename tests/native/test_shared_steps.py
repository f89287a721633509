"""Steps that are cut into parts: the same bits for any number of threads, and uncut."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import inf

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import optim
from glassgrad.engines.native import cost, crew, program, threads
from glassgrad.graph.errors import IndexRangeError
from glassgrad.transform.tree import flatten

COUNTS = (1, 2, 4, 8)


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = threads._wanted
    yield
    threads._wanted = before
    threads.start()


@pytest.fixture(autouse=True)
def no_kernel_is_recalled(monkeypatch):
    monkeypatch.setattr(program, "user_cache_folder", lambda: None)


@pytest.fixture
def fine(monkeypatch):
    """Every step is cut that can be, into as many parts as it can be."""
    monkeypatch.setattr(cost, "LONG", 0.0)
    monkeypatch.setattr(cost, "SHARED", 0.0)
    monkeypatch.setattr(cost, "PART", 0.1)


def leaves(x):
    """All numbers of a nested result, as bytes."""
    return b"".join(np.asarray(leaf).tobytes() for leaf in flatten(x)[0])


def agree(f, *args, monkeypatch=None):
    """The bits of `f`, compiled: equal for all numbers of threads and, if asked for, uncut."""
    step = gg.jit(f)
    found = set()
    for count in COUNTS:
        gg.threads(count)
        found |= {leaves(step(*args)) for _ in range(3)}
    assert len(found) == 1
    ((made,),) = step.programs.values()
    assert made.program.shared
    if monkeypatch is not None:
        monkeypatch.setattr(cost, "SHARED", inf)
        whole = gg.jit(f)
        assert leaves(whole(*args)) in found
        ((other,),) = whole.programs.values()
        assert not other.program.shared


def network(sizes, batch, activation=np.tanh, dtype=np.float32):
    rng = np.random.default_rng(7)
    params = tuple(
        (rng.standard_normal((a, b)).astype(dtype) / a**0.5, np.zeros(b, dtype))
        for a, b in pairwise(sizes)
    )
    x = rng.standard_normal((batch, sizes[0])).astype(dtype)
    y = np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], batch)]

    def loss(params, x, y):
        for w, b in params[:-1]:
            x = activation(x @ w + b)
        z = x @ params[-1][0] + params[-1][1]
        return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(z * y, axis=1))

    rule = optim.Adam(lr=1e-2)

    def step(params, state, x, y):
        value, slope = gg.value_and_grad(loss)(params, x, y)
        params, state = rule.step(params, slope, state)
        return value, params, state

    return step, (params, rule.init(params), x, y)


def test_a_network_of_products_and_long_loops():
    step, args = network([300, 333, 10], 200)
    agree(step, *args)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("sizes", [(20, 33, 5), (64, 64, 64, 3), (7, 130, 2)])
def test_networks_cut_finely(sizes, dtype, fine, monkeypatch):
    step, args = network(sizes, 37, dtype=np.dtype(dtype).type)
    agree(step, *args, monkeypatch=monkeypatch)


def rows(x):
    return x - np.max(x, axis=-1, keepdims=True)


UNARY = [np.tanh, np.sqrt, lambda x: x * x, np.transpose, lambda x: x[::-1], rows]
BINARY = [np.add, np.multiply, np.maximum, lambda x, y: np.where(x > y, x, -y)]
REDUCTIONS = [np.sum, np.max, np.mean, np.min]


def random_function(seed):
    """A chain of operations on a matrix, a batch of products and a gather, with its gradient."""
    rng = np.random.default_rng(seed)
    m, n, k = rng.integers(1, 60, 3)
    dtype = rng.choice(["f4", "f8"])
    x = (rng.random((m, k)) + 0.1).astype(dtype)
    y = rng.standard_normal((k, n)).astype(dtype)
    batch = rng.standard_normal((3, n, 5)).astype(dtype)
    places = rng.integers(0, m, 2 * m)
    plan = rng.integers(0, 1000, (6, 3))

    def loss(x, y):
        z = x @ y
        others = [z]
        for which, what, mate in plan:
            if which % 4 == 0:
                z = BINARY[what % len(BINARY)](z, others[mate % len(others)] * 0.5)
            elif which % 4 == 1:
                axis = int(mate % 2)
                z = z - REDUCTIONS[what % len(REDUCTIONS)](z, axis=axis, keepdims=True)
            else:
                unary = UNARY[what % len(UNARY)]
                z = unary(np.abs(z) + 0.1) if unary is np.sqrt else unary(z)
            if z.shape != others[0].shape:
                z = np.transpose(z)
            others.append(z)
        total = np.sum(np.tanh(z[places]), axis=0)
        return np.mean(total * np.mean((z @ batch) ** 2))

    def both(x, y):
        return gg.value_and_grad(loss, argnums=(0, 1))(x, y)

    return both, (x, y)


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_cut_finely(seed, fine, monkeypatch):
    f, args = random_function(seed)
    agree(f, *args, monkeypatch=monkeypatch)


@pytest.mark.parametrize("shape", [(3,), (17,), (64,), (37, 41), (5, 1003)])
@pytest.mark.parametrize("draw", [gg.random.normal, gg.random.uniform])
def test_random_words_cut_finely(draw, shape, fine, monkeypatch):
    agree(lambda key: draw(key, shape), gg.random.key(3), monkeypatch=monkeypatch)


def test_many_random_words(monkeypatch):
    key = gg.random.key(5)
    agree(lambda key: gg.random.uniform(key, (700, 1003)), key, monkeypatch=monkeypatch)
    expected = gg.jit(lambda key: gg.random.uniform(key, (700, 1003)), engine="reference")(key)
    found = gg.jit(lambda key: gg.random.uniform(key, (700, 1003)))(key)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("columns", [64, 65, 200, 203])
@pytest.mark.parametrize("part", [0.1, 500.0])
def test_sums_over_columns(columns, part, fine, monkeypatch):
    monkeypatch.setattr(cost, "PART", part)
    x = np.random.default_rng(columns).standard_normal((200, columns)).astype("f4")
    agree(lambda x: np.sum(x * x, axis=0), x, monkeypatch=monkeypatch)
    found = gg.jit(lambda x: np.sum(x * x, axis=0))(x)
    np.testing.assert_allclose(found, (x.astype("f8") ** 2).sum(axis=0), rtol=1e-5)


def test_a_loop_with_shared_steps_in_its_body(fine, monkeypatch):
    def f(w, x):
        def turn(h, row):
            h = np.tanh(h @ w + row)
            return h, np.sum(h, axis=0)

        return gg.scan(turn, x[0], x)

    rng = np.random.default_rng(1)
    w, x = rng.standard_normal((40, 40)) / 8, rng.standard_normal((9, 30, 40))
    agree(f, w, x, monkeypatch=monkeypatch)


@pytest.mark.parametrize("count", COUNTS)
def test_an_index_out_of_range_is_reported_by_any_part(count, fine):
    gg.threads(count)
    step = gg.jit(lambda table, i: np.exp(table[i]))
    table = np.arange(60.0).reshape(20, 3)
    assert np.allclose(step(table, np.arange(20)), np.exp(table))
    for bad in (0, 7, 19):
        index = np.arange(20)
        index[bad] = 20
        for _ in range(20):
            with pytest.raises(IndexRangeError):
                step(table, index)


def test_several_callers_and_one_crew():
    gg.threads(4)
    step = gg.jit(lambda x: np.sum(np.tanh(x) * x, axis=1))
    inputs = [np.random.default_rng(i).standard_normal((300, 700)) for i in range(8)]
    expected = [step(x).tobytes() for x in inputs]
    ((made,),) = step.programs.values()
    assert made.program.shared

    def work(i):
        return {step(inputs[i]).tobytes() for _ in range(60)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [{b} for b in expected]


def test_the_number_of_threads():
    assert gg.threads(3) == 3
    assert gg.threads() == 3
    threads._wanted = None
    assert gg.threads() == threads.cores() >= 1
    for wrong in (0, -1, crew.MOST + 2):
        with pytest.raises(ValueError, match="from 1 to"):
            gg.threads(wrong)
    for wrong in (2.0, "2", True):
        with pytest.raises(TypeError, match="a number of threads"):
            gg.threads(wrong)


SECOND, FIRST = "0::/a/b\n", "3:cpu,cpuacct:/a\n0::/\n"
CPUS = "devices/system/cpu"


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        (SECOND, {}, 4),
        (SECOND, {"fs/cgroup/cpu.max": "max 100000"}, 4),
        (SECOND, {"fs/cgroup/cpu.max": "150000 100000"}, 2),
        (SECOND, {"fs/cgroup/a/cpu.max": "20000 100000"}, 1),
        (SECOND, {"fs/cgroup/a/b/cpu.max": "300000 100000"}, 3),
        (
            SECOND,
            {"fs/cgroup/a/b/cpu.max": "300000 100000", "fs/cgroup/a/cpu.max": "200000 100000"},
            2,
        ),
        (FIRST, {"cfs_quota_us": "300000", "cfs_period_us": "100000"}, 3),
        (FIRST, {"cfs_quota_us": "-1", "cfs_period_us": "100000"}, 4),
        (SECOND, {f"{CPUS}/cpu{i}/topology/thread_siblings_list": f"{i % 2}" for i in range(4)}, 2),
    ],
)
def test_the_cores_that_a_process_may_use(group, files, expected, monkeypatch, tmp_path):
    written = {"proc/self/cgroup": group}
    for name, text in files.items():
        place = f"fs/cgroup/cpu/a/cpu.{name}" if name.startswith("cfs") else name
        written[f"sys/{place}"] = text
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert threads.cores.__wrapped__(tmp_path) == expected


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


STEP = """
    import os, threading
    import numpy as np
    import glassgrad as gg

    gg.threads(4)
    x = np.random.default_rng(0).standard_normal((500, 600))
    step = gg.jit(lambda x: np.sum(np.tanh(x) * np.exp(-x * x), axis=1))
    first = step(x).tobytes()
    ((made,),) = step.programs.values()
    assert made.program.shared
"""


def test_a_process_with_workers_ends_in_peace():
    assert run(STEP + "    print(all(step(x).tobytes() == first for _ in range(50)))") == ["True"]


def test_workers_start_when_more_than_one_thread_is_wanted_later():
    code = (
        STEP.replace("gg.threads(4)", "gg.threads(1)")
        + """
    from glassgrad.engines.native import threads as crew
    before = crew._running
    gg.threads(3)
    print(before, crew._running, step(x).tobytes() == first)
    """
    )
    assert run(code) == ["0", "2", "True"]


def test_the_child_of_a_fork_has_workers_of_its_own():
    code = (
        STEP
        + """
    from glassgrad.engines.native import threads as crew
    stop = threading.Event()

    def on():
        while not stop.is_set():
            step(x)

    others = [threading.Thread(target=on) for _ in range(3)]
    for t in others:
        t.start()
    bad = 0
    for _ in range(10):
        child = os.fork()
        if child == 0:
            none = crew._running == 0
            same = all(step(x).tobytes() == first for _ in range(12))
            os._exit(0 if none and same and crew._running == 3 else 1)
        bad += os.waitpid(child, 0)[1] != 0
    stop.set()
    for t in others:
        t.join()
    print(bad, step(x).tobytes() == first)
    """
    )
    assert run(code) == ["0", "True"]


def test_passes_over_the_same_rows(monkeypatch):
    def norm(x, g):
        centred = x - np.mean(x, axis=1, keepdims=True)
        scale = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)
        return np.mean((np.tanh(x) * g + centred / scale) ** 2)

    rng = np.random.default_rng(2)
    x, g = (rng.standard_normal((301, 640)).astype(np.float32) for _ in range(2))
    agree(gg.value_and_grad(norm, argnums=(0, 1)), x, g, monkeypatch=monkeypatch)
