"""The normal distribution and the soft gates as vector instructions, in float32."""

import math

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401  (fills the registry)
from glassgrad.engines.native.flat_map import FlatMap
from glassgrad.engines.native.target import Target

HOST = Target.host()
LEVELS = {"host": HOST, "avx2": HOST.restricted("avx2"), "sse2": HOST.restricted("sse2")}
ROOT_HALF = math.sqrt(0.5)


def cdf(x):
    return 0.5 * math.erfc(-x * ROOT_HALF)


EXACT = {
    "normal_cdf": (cdf, 6.0),
    "normal_pdf": (lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi), 3.0),
    "gelu": (lambda x: x * cdf(x), 6.0),
    "silu": (lambda x: x / (1 + math.exp(-x)) if x > -700 else 0.0, 4.0),
}  # name -> the function in float64, and the ULPs allowed


def arguments():
    rng = np.random.default_rng(0)
    parts = [
        rng.uniform(-15, 15, 20_000), rng.normal(0, 1, 20_000), rng.uniform(-105, -80, 5000),
        np.array([0.0, -0.0, 1.2, -1.2, 14.5, -14.5, 1e-40, -1e-40, 88.0, -88.0, -104.0]),
    ]  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", EXACT)
def test_error_in_ulps(name, level):
    exact, allowed = EXACT[name]
    x = arguments()
    found = FlatMap(lambda k, v: getattr(k, name)(v), [np.float32], LEVELS[level])(x)
    wanted = np.array([exact(v) for v in x.astype(float).tolist()])
    unit = np.spacing(np.abs(wanted).astype(np.float32)).astype(float)
    if name == "gelu":  # x times what may be a subnormal number
        unit = np.maximum(unit, 4 * np.finfo(np.float32).smallest_subnormal.astype(float))
    error = np.abs(found - wanted) / unit
    worst = error.argmax()
    assert error[worst] <= allowed + 2 * (level == "sse2"), (x[worst], found[worst], wanted[worst])


@pytest.mark.parametrize("level", LEVELS)
def test_special_values(level):
    x = np.array([np.inf, -np.inf, np.nan, 0.0, 3e38, -3e38], np.float32)
    nan, large = np.float32(np.nan), np.float32(3e38)
    wanted = {
        "normal_cdf": [1, 0, nan, 0.5, 1, 0], "normal_pdf": [0, 0, nan, 0.3989423, 0, 0],
        "gelu": [np.inf, 0, nan, 0, large, 0], "silu": [np.inf, 0, nan, 0, large, 0],
    }  # fmt: skip
    for name, values in wanted.items():
        found = FlatMap(lambda k, v, n=name: getattr(k, n)(v), [np.float32], LEVELS[level])(x)
        np.testing.assert_allclose(found, np.array(values, np.float32), rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["normal_cdf", "normal_pdf", "silu"])
def test_float64_is_as_good_as_its_body(name):
    x = arguments().astype(np.float64)
    found = FlatMap(lambda k, v: getattr(k, name)(v), [np.float64])(x)
    wanted = np.array([EXACT[name][0](v) for v in x.tolist()])
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-300)
