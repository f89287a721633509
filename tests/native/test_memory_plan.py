"""The plan of a program's memory: what it says is used, and what does not fit is refused."""

import mmap
import tracemalloc

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.memory import told_bytes
from glassgrad.engines.native import arena, memory
from glassgrad.engines.native.memory import limits
from glassgrad.graph.errors import PlanTooLargeError


def program_of(compiled):
    ((made,),) = compiled.programs.values()
    return made.program


def deep(x, ws):
    for w in ws:
        x = np.tanh(x @ w)
    return np.sum(x**2)


def weights(n, width, dtype="f4"):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((width, width)).astype(dtype) / width for _ in range(n)]


@pytest.mark.parametrize("n", [1, 4])
def test_the_plan_is_what_is_used(n, monkeypatch):
    """Counted: the block of the arena, and what NumPy allocates for results."""
    blocks = []
    real = mmap.mmap

    def counted(fileno, size, **options):
        blocks.append(size)
        return real(fileno, size, **options)

    x, ws = np.ones((400, 300), np.float32), weights(n, 300)
    for f in (gg.jit(gg.grad(deep, 1)), gg.jit(gg.grad(deep, 1), donate=1)):
        blocks.clear()
        with monkeypatch.context() as patched:
            patched.setattr(arena.mmap, "mmap", counted)
            f.prepare(x, ws)
        planned = program_of(f).memory
        tracemalloc.start()
        held = f(x, ws)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(held) == n
        assert abs(sum(blocks) + most - planned.peak) < 0.05 * planned.peak
        assert planned.results == (0 if f.donate else sum(w.nbytes for w in ws))


def test_the_plan_is_known_before_the_run():
    f = gg.jit(lambda x: np.sum(np.sin(x) @ np.cos(x).T))
    x = np.ones((100, 50))
    assert f.prepare(x) is f
    assert f.prepare(x) is f
    told = f.report()
    assert str(program_of(f).memory) in told
    assert "memory of a call" in told
    assert program_of(f).memory.peak >= 2 * x.nbytes


def test_a_plan_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "limits", lambda: iter([(1 << 40, "a"), (1 << 27, "the test")]))
    x, ws = np.ones((20000, 300)), weights(6, 300, "f8")
    with pytest.raises(PlanTooLargeError) as caught:
        gg.jit(gg.grad(deep, 1))(x, ws)
    told = str(caught.value)
    assert isinstance(caught.value, MemoryError)
    assert "the test leaves 128.0 MiB" in told
    assert "45.8 MiB: float64[20000, 300] of tanh at test_memory_plan.py:" in told
    assert "in deep: x = np.tanh(x @ w)" in told
    assert all(word in told for word in ("smaller batch", "float32", "budget=", "donate"))
    small = gg.jit(gg.grad(deep, 1))
    small(x[:10], ws)


def test_a_refusal_names_the_user_s_line_of_what_was_written_out(monkeypatch):
    monkeypatch.setattr(memory, "limits", lambda: iter([(1 << 27, "the test")]))
    with pytest.raises(PlanTooLargeError) as caught:
        gg.jit(lambda x: np.broadcast_to(x, (1 << 40, 1 << 10)).sum())(1.0)
    told = [line for line in str(caught.value).splitlines() if " of reduce" in line]
    assert told
    assert all("test_memory_plan.py" in line for line in told)


def test_a_refusal_says_where_it_is_the_result_that_is_large(monkeypatch):
    monkeypatch.setattr(memory, "limits", lambda: iter([(1 << 27, "the test")]))
    with pytest.raises(PlanTooLargeError, match="It is what the function returns"):
        gg.jit(lambda x: np.outer(x, x))(np.ones(6000))


def test_limits_of_this_machine_are_found():
    found = {whose: left for left, whose in limits()}
    assert found["free memory of the machine"] > 1 << 20
    assert min(found.values()) > 1 << 20


@pytest.mark.parametrize("version", [1, 2])
def test_limits_of_containers(tmp_path, version):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    top = tmp_path / "sys/fs/cgroup" / ("memory" if version == 1 else "")
    (tmp_path / "proc/self").mkdir(parents=True)
    inside = "4:memory:/a/b\n" if version == 1 else "0::/a/b\n"
    (tmp_path / "proc/self/cgroup").write_text(inside)
    for group in (top / "a" / "b", top / "a", top):  # its own, and those that it lies in
        assert not _of_the_container(tmp_path)
        group.mkdir(parents=True, exist_ok=True)
        (group / names[0]).write_text("1000000\n")
        (group / names[1]).write_text("400000\n")
        (group / "memory.stat").write_text(f"anon 5\n{names[2]} 100000\nother x\n")
        ((left, whose),) = _of_the_container(tmp_path)
        assert left == 700000
        assert str(group / names[0]) in whose
        unlimited = "max\n" if version == 2 else "9223372036854771712\n"
        (group / names[0]).write_text(unlimited)
        assert not _of_the_container(tmp_path)


def _of_the_container(root):
    return [(left, whose) for left, whose in limits(root) if "container" in whose]


def test_bytes_are_told_to_be_read():
    told = [told_bytes(n) for n in (0, 1023, 1024, 3 << 20, 5 << 30, 7 << 40, 1 << 60)]
    assert told == [
        "0 bytes", "1023 bytes", "1.0 KiB", "3.0 MiB", "5.0 GiB", "7.0 TiB", "1048576.0 TiB",
    ]  # fmt: skip
