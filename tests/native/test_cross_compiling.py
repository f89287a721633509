"""A whole training step is code for every target, whether or not it can run here."""

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401  (fills the registry)
from glassgrad.diff.reverse import gradients
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.step import Multiply, Reduction
from glassgrad.engines.native.target import Target
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.contract import matmul
from glassgrad.ops.reduce import mean, reduce

TARGETS = {
    "neon": Target.neon(), "baseline": Target.baseline(), "avx2": Target.host().restricted("avx2"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_training_step_with_products_rows_and_long_sums(target, dtype, monkeypatch):
    monkeypatch.setattr(NativeProgram, "_link", lambda *arguments: None)
    trace = Trace()
    x, w = (
        new_input(trace, n, s, np.dtype(dtype)) for n, s in (("x", (300, 200)), ("w", (200, 90)))
    )
    h = k.tanh(matmul(x, w))
    logits = h - mean(h, (1,), keepdims=True)
    loss = mean(reduce(logits, "logsumexp", (1,)) - reduce(k.erf(x) * x, "sum", (1,)), (0,))
    total = loss + reduce(k.sigmoid(x), "sum", (0, 1))
    grads = gradients(total, [x, w])
    outputs = [total, *(v - g * 0.1 for v, g in zip((x, w), grads))]
    program = NativeProgram(outputs, [x, w], target=target, cache=ObjectCache(None))
    assert program.code_size > 1000
    kinds = {type(step) for step in program.steps}
    assert {Multiply, Reduction, Rows} <= kinds
