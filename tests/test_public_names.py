"""The public names: every one is there, is listed once, and is known to type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import glassgrad as gg

SOURCE = ast.parse(Path(gg.__file__).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", gg.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name):
    assert getattr(gg, name).__doc__
    assert name in dir(gg)


def test_type_checkers_see_the_same_names():
    declared = {
        alias.asname
        for block in ast.walk(SOURCE)
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert declared == set(gg.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'gradient'"):
        gg.gradient


def test_the_core_imports_without_networks_text_or_compiler():
    program = (
        "import sys, glassgrad as gg; gg.grad(lambda x: x * x)(3.0); "
        "print([m for m in sys.modules if m.startswith(('glassgrad.nn', 'glassgrad.train', "
        "'glassgrad.cli', 'llvmlite', 'rich', 'safetensors', 'sklearn'))])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
