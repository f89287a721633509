"""The sign of zero, and of what becomes zero, is as NumPy gives it."""

import numpy as np
import pytest

import glassgrad as gg

NAMES = (
    "sin", "tan", "tanh", "sinh", "arcsin", "arctan", "arcsinh", "arctanh", "cbrt", "expm1",
    "log1p", "rint", "trunc", "floor", "ceil", "negative", "sign", "sqrt", "deg2rad",
)  # fmt: skip


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", NAMES)
def test_the_sign_is_numpy_s(name, dtype, engine):
    least = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, 0.3, -0.3, 0.5, -0.5, least, -least] * 5, dtype)
    f = getattr(np, name)
    with np.errstate(all="ignore"):
        want = f(x)
    got = gg.jit(lambda x: f(x), engine=engine)(x)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    real = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[real], np.signbit(want)[real])


@pytest.mark.parametrize("name", NAMES)
def test_infinities_and_nan_stay_what_they_are(name):
    x = np.array([np.inf, -np.inf, np.nan, 2.5, -2.5, 3.5, -3.5, 1e300, -1e300])
    f = getattr(np, name)
    with np.errstate(all="ignore"):
        want = f(x)
    np.testing.assert_allclose(gg.jit(lambda x: f(x))(x), want, rtol=1e-14)
