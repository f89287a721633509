"""What memory a machine and its container have, from files as Linux writes them."""

import pytest

from glassgrad.engines.memory import Memory, memory

MIB = 1 << 20
MACHINE = "MemTotal:  2048 kB\nMemFree:  100 kB\nMemAvailable:  1024 kB\nHugePages_Total:  0\n"


@pytest.fixture
def write(tmp_path):
    def write_files(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return memory(tmp_path)

    return write_files


def test_a_machine_without_container(write):
    found = write(proc__meminfo=MACHINE)
    assert found == Memory(2048 * 1024, 1024 * 1024)
    assert found.available == 1024 * 1024


def test_the_second_kind_of_groups_and_those_around(write, tmp_path):
    group = tmp_path / "sys/fs/cgroup/a/b"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("7\n")
    (group.parent / "memory.max").write_text(f"{MIB}\n")
    (group.parent / "memory.current").write_text(f"{MIB // 2}\n")
    (group.parent / "memory.stat").write_text(f"anon 5\ninactive_file {MIB // 4}\n")
    found = write(proc__meminfo=MACHINE, proc__self__cgroup="0::/a/b\n")
    assert (found.limit, found.used) == (MIB, MIB // 4)
    assert found.available == 3 * MIB // 4


def test_the_first_kind_of_groups(write, tmp_path):
    group = tmp_path / "sys/fs/cgroup/memory/box"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(f"{MIB}\n")
    (group / "memory.usage_in_bytes").write_text(f"{MIB // 2}\n")
    (group.parent / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (group.parent / "memory.usage_in_bytes").write_text("5\n")
    found = write(proc__meminfo=MACHINE, proc__self__cgroup="4:memory:/box\n3:cpu:/\n0::/\n")
    assert (found.limit, found.used) == (MIB, MIB // 2)


def test_another_system_says_nothing(write):
    assert write() == Memory()
    assert write().available is None
