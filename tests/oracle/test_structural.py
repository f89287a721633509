"""Every structural op against its meaning in long doubles, and identities in random shapes."""

import pytest

from oracle import structural as s
from oracle.instances import ELSEWHERE, INSTANCES, classes, random_instances

NUMBERS = [pytest.param(i, id=str(x)) for i, x in enumerate(INSTANCES)]
REAL = [pytest.param(i, id=str(x)) for i, x in enumerate(INSTANCES) if s.is_real(x)]


def test_every_structural_op_has_an_instance():
    assert classes() - {x.op.name for x in INSTANCES} == ELSEWHERE


@pytest.mark.parametrize("number", NUMBERS)
def test_value_in_every_layout_and_dtype(number):
    instance = INSTANCES[number]
    s.check_value(instance)
    s.check_layouts(instance)
    s.check_integers(instance)
    s.check_float32(instance)


@pytest.mark.parametrize("check", [s.check_vjp, s.check_jvp, s.check_second])
@pytest.mark.parametrize("number", REAL)
def test_derivatives(number, check):
    check(number)


@pytest.mark.parametrize("block", range(8))
def test_adjoint_identity_in_random_shapes(block):
    for i, instance in enumerate(random_instances(150, block)):
        s.check_adjoint(instance, i)
