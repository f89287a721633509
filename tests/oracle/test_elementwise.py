"""Every registered elementwise op against 50-digit mathematics."""

import pytest

from oracle import elementwise as e

OPS = {op.name: op for op in e.ops()}
REAL = {op.name: op for op in e.differentiable()}
STOPPED = sorted(OPS.keys() - REAL.keys())
GRIDS = ("samples", "edges")


@pytest.mark.parametrize("at", GRIDS)
@pytest.mark.parametrize("name", OPS)
def test_value(name, at):
    e.check_value(OPS[name], at)


@pytest.mark.parametrize("at", GRIDS)
@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.scalar])
def test_body(name, at):
    e.check_body(OPS[name], at)


@pytest.mark.parametrize("at", GRIDS)
@pytest.mark.parametrize("name", REAL)
def test_vjp(name, at):
    e.check_vjp(REAL[name], at)


@pytest.mark.parametrize("at", GRIDS)
@pytest.mark.parametrize("name", REAL)
def test_jvp(name, at):
    e.check_jvp(REAL[name], at)


@pytest.mark.parametrize("at", GRIDS)
@pytest.mark.parametrize("name", REAL)
def test_second_order(name, at):
    e.check_second(REAL[name], at)


@pytest.mark.parametrize("name", REAL)
def test_kinks(name):
    e.check_kinks(REAL[name])


@pytest.mark.parametrize("name", STOPPED)
def test_no_derivative_passes(name):
    e.check_stopped(OPS[name])


@pytest.mark.parametrize("name", OPS)
def test_float32(name):
    e.check_float32(OPS[name])
