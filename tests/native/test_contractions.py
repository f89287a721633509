"""Contractions of operands with several row axes: one product, or many, and no copies."""

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401  (fills the registry)
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.step import Multiply
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.contract import einsum
from glassgrad.ops.view import transpose

SPECS = [
    ("pbi,bj->pij", (7, 32, 16), (32, 9)), ("bpi,bj->pij", (32, 7, 16), (32, 9)),
    ("qpbi,qbj->qpij", (2, 3, 40, 12), (2, 40, 9)), ("bj,pbi->pij", (33, 20), (5, 33, 17)),
    ("pbi,qbj->piqj", (3, 20, 12), (2, 20, 6)), ("pbi,bj->pij", (7, 32, 3), (32, 9)),
    ("pib,bj->pij", (7, 16, 32), (32, 9)), ("pbci,bcj->pij", (4, 6, 5, 24), (6, 5, 11)),
    ("pbi,bj->pji", (7, 32, 16), (32, 9)), ("bi,pbj->pij", (32, 16), (7, 32, 9)),
    ("bi,pbj->jip", (32, 16), (7, 32, 9)), ("qpbi,qbj->qpji", (2, 3, 40, 12), (2, 40, 9)),
    ("pbi,bj->pji", (7, 32, 2), (32, 3)), ("abc,deb->dcae", (8, 33, 2), (7, 16, 33)),
    ("pbi,rbjs->prsij", (3, 40, 12), (5, 40, 9, 8)),
    ("pbi,bjrs->prjsi", (3, 40, 12), (40, 9, 10, 8)), ("pbi,jbr->pjri", (3, 40, 12), (9, 40, 8)),
]  # fmt: skip
IN_PLACE = {0, 1, 2, 3, 6, 7, 8, 9, 11}  # of the specs: nothing is copied


@pytest.mark.parametrize("number", range(len(SPECS)))
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_against_numpy(number, dtype):
    spec, left, right = SPECS[number]
    rng = np.random.default_rng(number)
    x, y = (rng.standard_normal(s).astype(dtype) for s in (left, right))
    trace = Trace()
    nodes = [new_input(trace, name, a.shape, a.dtype) for name, a in (("x", x), ("y", y))]
    program = NativeProgram([einsum(spec, *nodes)], nodes, cache=ObjectCache(None))
    (found,) = program([x, y])
    wide = [a.astype(np.longdouble) for a in (x, y)]
    exact, size = np.einsum(spec, *wide), np.einsum(spec, *map(np.abs, wide))
    assert (np.abs(found - exact) <= 64 * np.finfo(dtype).eps * size).all()
    if number in IN_PLACE:
        assert all(isinstance(step, Multiply) for step in program.steps)


@pytest.mark.parametrize("kept", [False, True], ids=["alone", "with the other order"])
def test_an_order_that_is_wanted_at_once_is_computed_at_once(kept):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 32, 16)), rng.standard_normal((32, 9))
    trace = Trace()
    nodes = [new_input(trace, name, a.shape, a.dtype) for name, a in (("x", x), ("y", y))]
    plain = einsum("pbi,bj->pij", *nodes)
    turned = transpose(plain, (0, 2, 1)) + 1.0
    program = NativeProgram([turned, plain][: 1 + kept], nodes, cache=ObjectCache(None))
    (expected,) = NativeProgram([plain], nodes, cache=ObjectCache(None))([x, y])
    found = program([x, y])
    assert (found[0] == expected.transpose(0, 2, 1) + 1.0).all()
    assert ("->adc" in program.report()) is not kept
