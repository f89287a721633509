"""Losses against their formulas, at the edges, and their refusals."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn

Z = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [0.25, 0.5, 0.75], [4.0, -2.0, 1.0]])
LABELS = np.array([1, 2, 0, 1])
SOFT = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [0.2, 0.3, 0.5], [1, 0, 0]])
WEIGHTS = np.array([1.0, 0.5, 3.0])
LOG_P = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))

PAIRED = (nn.squared_error, nn.absolute_error, nn.huber, nn.binary_cross_entropy)


@pytest.mark.parametrize("loss", PAIRED)
def test_pairs_of_other_shapes_are_refused(loss):
    with pytest.raises(ValueError, match=r"shape \(3,\) and the target \(3, 1\)"):
        loss(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"shape \(3, 1\) and the target \(3,\)"):
        gg.jit(loss, engine="reference")(np.zeros((3, 1)), np.zeros(3))


@pytest.mark.parametrize("loss", PAIRED)
def test_reductions(loss):
    y = np.abs(SOFT - 0.1)
    each = np.asarray(loss(Z[:, :], y, reduction="none"))
    assert each.shape == Z.shape
    assert float(loss(Z, y, reduction="sum")) == pytest.approx(each.sum(), rel=1e-14)
    assert float(loss(Z, y)) == pytest.approx(each.mean(), rel=1e-14)
    with pytest.raises(TypeError, match="reduction is 'mean', 'sum' or 'none', not 'avg'"):
        loss(Z, y, reduction="avg")


def test_huber():
    d = np.array([-3.0, -0.5, 0.0, 0.25, 2.0])
    found = nn.huber(d, np.zeros(5), delta=0.5, reduction="none")
    assert found.tolist() == [1.375, 0.125, 0, 0.03125, 0.875]
    slope = gg.grad(lambda d: nn.huber(d, np.zeros(5), delta=0.5, reduction="sum"))(d)
    assert slope.tolist() == [-0.5, -0.5, 0, 0.25, 0.5]
    with pytest.raises(TypeError, match="delta is positive"):
        nn.huber(d, d, delta=0.0)


def test_absolute_error_has_slope_zero_at_zero():
    slope = gg.grad(lambda x: nn.absolute_error(x, np.zeros(3), reduction="sum"))
    assert slope(np.array([-2.0, 0.0, 3.0])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_of_classes_and_probabilities(smoothing, weights):
    w = np.ones(3) if weights is None else weights
    for target, p in ((LABELS, np.eye(3)[LABELS]), (SOFT, SOFT)):
        smooth = (1 - smoothing) * p + smoothing / 3
        each = -(smooth * w * LOG_P).sum(axis=1)
        total = w[LABELS].sum() if target is LABELS else len(p)
        options = {"weights": weights, "smoothing": smoothing}
        for reduction, expected in (
            ("none", each), ("sum", each.sum()), ("mean", each.sum() / total)
        ):  # fmt: skip
            found = nn.cross_entropy(Z, target, reduction=reduction, **options)
            np.testing.assert_allclose(found, expected, rtol=1e-13)
        compiled = gg.jit(lambda z, t, o=options: nn.cross_entropy(z, t, **o))(Z, target)
        assert compiled == pytest.approx(each.sum() / total, rel=1e-13)


def test_cross_entropy_over_more_axes():
    z, labels = Z.reshape(2, 2, 3), LABELS.reshape(2, 2)
    assert float(nn.cross_entropy(z, labels)) == float(nn.cross_entropy(Z, LABELS))
    each = nn.cross_entropy(z, labels, reduction="none")
    assert each.shape == (2, 2)


def test_gradient_of_cross_entropy_is_the_difference_of_probabilities():
    found = gg.grad(lambda z: nn.cross_entropy(z, LABELS, reduction="sum"))(Z)
    np.testing.assert_allclose(found, np.exp(LOG_P) - np.eye(3)[LABELS], rtol=1e-12, atol=1e-15)
    found = gg.grad(lambda z: nn.cross_entropy(z, SOFT, reduction="sum"))(Z)
    np.testing.assert_allclose(found, np.exp(LOG_P) - SOFT, rtol=1e-12, atol=1e-15)


def test_wrong_targets_of_cross_entropy():
    with pytest.raises(IndexError, match="label 3 is no class; there are 3, from 0 to 2"):
        nn.cross_entropy(Z, np.array([0, 1, 2, 3]))
    with pytest.raises(IndexError, match="label -1 is no class"):
        nn.cross_entropy(Z, np.array([0, -1, 2, 1]))
    with pytest.raises(ValueError, match="one label an example"):
        nn.cross_entropy(Z, LABELS[:, None])
    with pytest.raises(ValueError, match="class numbers are whole numbers, not float64"):
        nn.cross_entropy(Z, LABELS.astype(float))
    with pytest.raises(ValueError, match="3 classes need one each"):
        nn.cross_entropy(Z, LABELS, weights=np.ones(2))


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_class_that_there_is_not_makes_a_compiled_loss_nan(engine, weights):
    compiled = gg.jit(
        lambda z, y: nn.cross_entropy(z, y, weights=weights, reduction="none"), engine=engine
    )
    z = np.zeros((4, 3), np.float32)
    assert np.isnan(compiled(z, np.array([0, 3, -1, 2]))).tolist() == [False, True, True, False]
    assert np.isnan(compiled(z, np.array([0, 3, 255, 2], np.uint8))).sum() == 2


def test_lists_are_arrays_too():
    assert nn.squared_error([1.0, 2.0], [1.0, 4.0]) == 2
    assert nn.absolute_error([1.0, 2.0], [1.0, 4.0]) == 1
    assert nn.huber([1.0, 2.0], [1.0, 4.0]) == 0.75
    assert nn.cross_entropy([[1000.0, 0.0]], [1]) == 1000
    many = np.array([2.0, 3.0])  # float64, beside logits of float32
    weighted = nn.binary_cross_entropy(np.zeros((1, 2), np.float32), [[1, 1]], positive_weight=many)
    assert weighted.dtype == np.float32 and weighted == pytest.approx(2.5 * np.log(2))


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_there_is_no_zero_times_infinity(engine):
    far = np.array([[-np.inf, 0.0, 1.0]])
    both = gg.jit(gg.value_and_grad(lambda z, p: nn.cross_entropy(z, p)), engine=engine)
    value, slope = both(far, np.array([[0.0, 1.0, 0.0]]))
    assert value == pytest.approx(np.log(1 + np.e)) and slope[0, 0] == 0
    both = gg.jit(gg.value_and_grad(nn.binary_cross_entropy), engine=engine)
    value, slope = both(np.array([-np.inf, np.inf]), np.array([0.0, 1.0]))
    assert value == 0 and slope.tolist() == [0, 0]


def test_binary_cross_entropy():
    z, y = np.array([0.3, -2.0, 4.0]), np.array([1.0, 0.25, 0.0])
    p = 1 / (1 + np.exp(-z))
    for weight in (1.0, 3.0):
        each = -(weight * y * np.log(p) + (1 - y) * np.log(1 - p))
        found = nn.binary_cross_entropy(z, y, positive_weight=weight, reduction="none")
        np.testing.assert_allclose(found, each, rtol=1e-13)
    smooth = 0.8 * y + 0.1
    found = nn.binary_cross_entropy(z, y, smoothing=0.2)
    assert float(found) == pytest.approx(float(nn.binary_cross_entropy(z, smooth)), rel=1e-13)
    slope = gg.grad(lambda z: nn.binary_cross_entropy(z, y, reduction="sum"))(z)
    np.testing.assert_allclose(slope, p - y, rtol=1e-13)
    assert float(nn.binary_cross_entropy(z, np.array([1, 0, 0]))) > 0  # whole numbers will do


def test_l2_is_a_term_that_one_sees():
    net = nn.MLP((nn.Linear(np.array([[1.0, 2.0]]), np.array([3.0])),))
    assert float(nn.l2(net)) == 5.0 and float(nn.l2(net, vectors=True)) == 14.0
    slope = gg.grad(lambda net: 0.5 * nn.l2(net))(net).layers[0]
    assert slope.weight.tolist() == [[1, 2]] and slope.bias.tolist() == [0]
    assert float(nn.l2(nn.LayerNorm.init(3))) == 0


def test_single_precision_stays():
    z, y = Z.astype(np.float32), SOFT.astype(np.float32)
    for loss in PAIRED:
        assert loss(z, y).dtype == np.float32
    assert nn.cross_entropy(z, y, smoothing=0.1, weights=WEIGHTS).dtype == np.float32
    assert nn.cross_entropy(z, SOFT).dtype == np.float32
