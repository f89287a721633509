"""The object cache: what is damaged, foreign or unsafe is as if it were absent."""

import stat

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
