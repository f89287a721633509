"""The object cache: what is damaged, foreign or unsafe is as if it were absent."""

import os
import stat
import threading

import pytest

from glassgrad.engines.native.arena import Interval, plan
from glassgrad.engines.native.cache import ObjectCache, compiled, key
from glassgrad.engines.native.emit import VOID, Module
from glassgrad.engines.native.target import Target

TARGET = Target.host()


def text():
    module = Module(TARGET)
    module.function("go", VOID, []).ret()
    return module.text()


@pytest.fixture
def cache(tmp_path):
    return ObjectCache(tmp_path / "a" / "objects")


def test_the_second_time_is_a_hit_with_the_same_bytes(cache):
    first, hit = compiled(text(), TARGET, cache, "1")
    again, hit_again = compiled(text(), TARGET, cache, "1")
    assert (hit, hit_again, again) == (False, True, first)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert len(list(cache.folder.iterdir())) == 1


def test_the_key_changes_with_version_target_and_text():
    keys = {
        key(text(), TARGET, "1"), key(text(), TARGET, "2"), key(text() + " ", TARGET, "1"),
        key(text(), TARGET.restricted("sse2"), "1"),
    }  # fmt: skip
    assert len(keys) == 4


@pytest.mark.parametrize("where", [0, 10, 30, 60, 200, -1])
def test_a_changed_byte_means_compile_again(cache, where):
    first, _ = compiled(text(), TARGET, cache, "1")
    (entry,) = cache.folder.iterdir()
    content = bytearray(entry.read_bytes())
    content[where] ^= 0x40
    entry.write_bytes(content)
    again, hit = compiled(text(), TARGET, cache, "1")
    assert (again, hit) == (first, False)
    assert compiled(text(), TARGET, cache, "1") == (first, True)


@pytest.mark.parametrize("length", [0, 5, 40, 300])
def test_a_cut_entry_means_compile_again(cache, length):
    compiled(text(), TARGET, cache, "1")
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:length])
    assert not compiled(text(), TARGET, cache, "1")[1]


def test_an_entry_under_another_name_is_foreign(cache):
    compiled(text(), TARGET, cache, "1")
    (entry,) = cache.folder.iterdir()
    entry.rename(entry.with_name(key(text(), TARGET, "2")))
    assert not compiled(text(), TARGET, cache, "2")[1]


def test_a_folder_that_others_may_write_is_not_used(cache):
    compiled(text(), TARGET, cache, "1")
    cache.folder.chmod(0o777)
    assert not compiled(text(), TARGET, cache, "1")[1]
    assert len(list(cache.folder.iterdir())) == 1


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path):
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(real)
    assert not ObjectCache(tmp_path / "link").put("x", b"y")
    assert not list(real.iterdir())


def test_a_file_in_place_of_the_folder_is_survived(tmp_path):
    (tmp_path / "objects").write_text("not a folder")
    cache = ObjectCache(tmp_path / "objects")
    assert compiled(text(), TARGET, cache, "1")[0] == compiled(text(), TARGET, cache, "1")[0]
    assert cache.clear() == 0


def test_an_entry_that_is_a_folder_is_survived(cache):
    (cache.folder / key(text(), TARGET, "1")).mkdir(parents=True)
    cache.folder.chmod(0o700)
    assert not compiled(text(), TARGET, cache, "1")[1]


def test_clear(cache):
    compiled(text(), TARGET, cache, "1")
    assert (cache.clear(), cache.clear()) == (1, 0)


def test_an_entry_that_others_may_write_is_not_used(cache):
    cache.put("a", b"code")
    (cache.folder / "a").chmod(0o620)
    assert cache.get("a") is None
    assert cache.damaged() == ["a"]


def test_a_link_or_a_pipe_in_place_of_an_entry_is_not_read(cache):
    cache.put("a", b"code")
    (cache.folder / "a").rename(cache.folder.parent / "elsewhere")
    (cache.folder / "a").symlink_to(cache.folder.parent / "elsewhere")
    os.mkfifo(cache.folder / "b")
    assert cache.get("a") is None
    assert cache.get("b") is None
    assert cache.entries() == []


def test_another_users_entry_is_not_used(cache, monkeypatch):
    cache.put("a", b"code")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert cache.get("a") is None
    assert cache.entries() == []


def test_a_folder_that_cannot_be_written_is_survived(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    cache = ObjectCache(tmp_path / "objects")
    monkeypatch.setattr(os, "mkdir", refuse)
    assert not compiled(text(), TARGET, cache, "1")[1]
    assert cache.entries() == cache.damaged() == []
    assert cache.size() == cache.clear() == cache.trim() == 0


def test_what_is_kept_can_be_listed(cache):
    cache.put("old", b"1" * 100)
    cache.put("new", b"2" * 300)
    os.utime(cache.folder / "old", (1000, 1000))
    assert [e.name for e in cache.entries()] == ["new", "old"]
    assert cache.entries()[1].used == 1000
    assert cache.size() == sum(e.size for e in cache.entries()) > 400
    assert cache.damaged() == []
    (cache.folder / "old").write_bytes(b"cut")
    assert cache.damaged() == ["old"]


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache = ObjectCache(tmp_path / "objects", bound=1100)
    for i, name in enumerate("abcde"):
        cache.put(name, bytes(200))
        os.utime(cache.folder / name, (1000 + i, 1000 + i))
    assert cache.get("a") == bytes(200)  # used now
    cache.put("00", bytes(200))  # looks at the bound
    assert {e.name for e in cache.entries()} == {"00", "a", "e", "d"}
    assert cache.size() <= 1100


def test_what_a_killed_process_left_is_swept(cache):
    cache.put("a", b"code")
    for name, age in ((".new-old", 1000), (".new-young", None)):
        (cache.folder / name).write_bytes(b"half")
        if age:
            os.utime(cache.folder / name, (age, age))
    assert [e.name for e in cache.entries()] == ["a"]
    assert cache.trim() == 1
    assert sorted(p.name for p in cache.folder.iterdir()) == [".new-young", "a"]


def test_many_writers_of_one_name_leave_one_whole_entry(cache):
    def write():
        for _ in range(20):
            cache.put("a", b"code" * 10_000)
            assert cache.get("a") in (None, b"code" * 10_000)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [e.name for e in cache.entries()] == ["a"]
    assert cache.get("a") == b"code" * 10_000
    assert len(list(cache.folder.iterdir())) == 1


def test_buffers_alive_together_never_overlap():
    buffers = [Interval(64 * (1 + i * 37 % 11), i, i + i * 7 % 5) for i in range(60)]
    offsets, size = plan(buffers)
    for i, a in enumerate(buffers):
        assert offsets[i] % 64 == 0
        assert offsets[i] + a.size + 64 <= size
        for j, b in enumerate(buffers[:i]):
            if a.meets(b):
                apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
                assert apart, (i, j)
