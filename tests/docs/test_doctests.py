"""The examples in the docstrings of the installed package."""

import doctest
import importlib
import pkgutil
import sys

import pytest

import glassgrad

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(glassgrad.__path__, "glassgrad.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in(name):
    module = importlib.import_module(name)
    assert sys.modules[name] is module
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0
