"""`glassgrad doctor` says what it found, and tells every trouble with what to do."""

import os
import re
import sys
from pathlib import Path

import pytest

from glassgrad.cli.main import main
from glassgrad.engines.native import pyabi, target
from glassgrad.engines.native.cache import ObjectCache, user_cache_folder
from glassgrad.engines.native.target import Target


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache of its own."""
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return user_cache_folder()


def said(capsys, *words, code=0):
    assert main(["doctor", *words]) == code
    return capsys.readouterr().out


def fact(text, name):
    return re.search(rf"^{name} +(.*)$", text, re.M).group(1)


def test_what_was_found(capsys, folder):
    text = said(capsys)
    assert "numpy" in fact(text, "versions") and "llvmlite" in fact(text, "versions")
    assert Target.host().cpu in fact(text, "target")
    assert fact(text, "cache") == f"{folder} (not made yet)"
    assert fact(text, "programs").startswith("0, 0 bytes")
    assert "nothing is wrong" in text


def test_check_runs_both_engines(capsys, folder):
    assert float(fact(said(capsys, "--check"), "check").rsplit(" ", 1)[1]) < 1e-12


def test_a_check_that_fails(capsys, monkeypatch):
    from glassgrad.transform import jit as module

    wrong = module.jit

    def broken(f, *, engine="native"):
        made = wrong(f, engine=engine)
        return made if engine == "reference" else lambda *args: (made(*args)[0] + 1, made(*args)[1])

    monkeypatch.setattr(module, "jit", broken)
    assert "other numbers" in said(capsys, "--check", code=1)


def test_entries_are_counted_and_deleted(capsys, folder):
    cache = ObjectCache(folder)
    assert cache.put("a" * 64, b"x" * (1 << 20)) and cache.put("b" * 64, b"y")
    text = said(capsys)
    assert fact(text, "programs").startswith("2, 1.0 MiB")
    assert fact(text, "cache").endswith("(mode 0700)")
    text = said(capsys, "--clear-cache")
    assert "deleted 2 compiled programs" in text and fact(text, "programs").startswith("0,")


def test_a_damaged_entry_is_named(capsys, folder):
    cache = ObjectCache(folder)
    cache.put("a" * 64, b"one")
    cache.put("b" * 64, b"two")
    path = folder / ("b" * 64)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    text = said(capsys, code=1)
    assert fact(text, "damaged") == f"1 ({'b' * 12})"
    assert "--clear-cache" in text and "1 found wrong" in text
    assert "nothing is wrong" in said(capsys, "--clear-cache")


def test_a_folder_that_others_may_write(capsys, folder):
    ObjectCache(folder).put("a" * 64, b"one")
    folder.chmod(0o777)
    text = said(capsys, code=1)
    assert "mode is 0777" in fact(text, "cache") and f"delete {folder}" in text
    folder.chmod(0o700)
    assert "nothing is wrong" in said(capsys)


def test_a_folder_of_another_user(capsys, folder, monkeypatch):
    ObjectCache(folder).put("a" * 64, b"one")
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    text = said(capsys, code=1)
    assert f"belongs to user {owner}, not to {owner + 1}" in fact(text, "cache")


def test_a_file_and_a_link_in_place_of_the_folder(capsys, folder, tmp_path):
    folder.parent.mkdir(parents=True)
    folder.write_text("not a folder")
    assert "it is not a folder" in fact(said(capsys, code=1), "cache")
    folder.unlink()
    folder.symlink_to(tmp_path)
    assert "it is a link" in fact(said(capsys, code=1), "cache")


def test_without_llvmlite(capsys, monkeypatch):
    monkeypatch.setattr(target, "absence", lambda: "llvmlite cannot be imported")
    text = said(capsys, "--check", code=1)
    assert fact(text, "native engine") == "not there"
    assert "pip install llvmlite" in text and fact(text, "check") == "there is only one engine"


def test_calls_without_the_fast_path(capsys, monkeypatch):
    monkeypatch.setattr(pyabi, "usable", lambda: False)
    assert fact(said(capsys), "calls") == "through ctypes, slower"


def test_unknown_options_are_refused(capsys):
    assert main(["doctor", "--chek"]) == 2
    assert "Did you mean '--check'?" in capsys.readouterr().err


def test_a_user_without_a_home_has_no_cache(capsys, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert user_cache_folder() is None
    assert "set HOME" in said(capsys, "--check", code=1)
    assert "deleted 0 compiled programs" in said(capsys, "--clear-cache", code=1)


def test_a_relative_folder_is_no_cache(folder, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    assert user_cache_folder() == folder.parents[1] / ".cache" / "glassgrad" / "objects"
    monkeypatch.setenv("HOME", "here")
    assert user_cache_folder() is None
