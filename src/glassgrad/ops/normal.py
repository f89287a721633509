"""The error function and the normal distribution, right in both tails.

exp(x²)·erfc(x)·(1 + 2x) is smooth on [0, ∞) as a function of t = (x − 3.75)/(x + 3.75) (Shepherd
and Laframboise 1981), and erf(x)/x near 0 as one of x². The coefficients are those of Chebyshev
interpolation in 60-digit arithmetic; the polynomials are within 1e-17 of the functions.
"""

from __future__ import annotations

import math
from typing import Any

from glassgrad.graph.family import Elementwise

_TAIL = (
    1.2375126308378275, -0.14024059858554702, 0.0035854154854644583, 0.08227673849015109,
    -0.10880393014175023, 0.09230432116019638, -0.05869339858961116, 0.02836227742154398,
    -0.009746579558275152, 0.0017556258321915355, 0.0002937136669846131, -0.0002901539781378384,
    5.1649093885821704e-05, 2.238390827660038e-05, -1.1444134389658475e-05,
    -9.728413451815077e-07, 1.7516189406943677e-06, -5.827501862768691e-08,
    -2.586489910718322e-07, 2.4301839484503084e-08, 3.866242066283792e-08, -4.396921916762906e-09,
    -5.169080644815932e-09, 5.485084520083625e-10, 4.2433038251096756e-10,
    -3.7980647235900285e-11,
)  # fmt: skip
_NEAR = (
    0.1283791670955126, -0.3761263890318375, 0.11283791670954685, -0.02686617064501726,
    0.005223977623916789, -0.0008548326902886471, 0.00012055326932054655, -1.4925450090912942e-05,
    1.6457676496214065e-06, -1.6300495998065118e-07, 1.4189584294135369e-08,
    -8.837207342835496e-10,
)  # fmt: skip
_BORDER = 0.85  # below it erf is an odd polynomial
_ROOT_HALF = math.sqrt(0.5)


def polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, lowest power first, by Horner's scheme."""
    total: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _scaled_tail(k: Any, z: Any) -> Any:
    """exp(z²)·erfc(z) for z >= 0."""
    return polynomial((z - 3.75) / (z + 3.75), _TAIL) / (1 + 2 * z)


def _gauss(k: Any, z: Any, half: float) -> Any:
    """exp(−half·z²) for 0 <= z <= 40: of z = h + d the part h has few bits, so that h² is exact."""
    h = k.floor(z * 256) * 0.00390625
    whole = k.exp(-half * (h * h))
    return whole + whole * k.expm1(-half * ((z - h) * (z + h)))


def _erfc_positive(k: Any, z: Any) -> Any:
    return _gauss(k, z, 1.0) * _scaled_tail(k, z)


def _erf(k: Any, x: Any) -> Any:
    size = k.abs(x)
    near = x + x * polynomial(x * x, _NEAR)
    far = 1 - _erfc_positive(k, k.minimum(size, 6.0))  # erf(6) is 1 to the last bit
    return k.where(k.less(size, _BORDER), near, k.where(k.less(x, 0), -far, far))


def _erfc(k: Any, x: Any) -> Any:
    upper = _erfc_positive(k, k.minimum(k.abs(x), 28.0))  # erfc(28) is 0 in float64
    return k.where(k.less(x, 0), 2 - upper, upper)


def _normal_cdf(k: Any, x: Any) -> Any:
    size = k.minimum(k.abs(x), 40.0)  # beyond, the tail is 0 in float64
    z = size * _ROOT_HALF
    upper = 0.5 * (_gauss(k, size, 0.5) * _scaled_tail(k, z))
    half = 0.5 * (z + z * polynomial(z * z, _NEAR))
    upper = k.where(k.less(size, 0.8), 0.5 - half, upper)
    return k.where(k.less(x, 0), upper, 1 - upper)


erf = Elementwise(
    "erf", form="erf({0})",
    math=lambda k, x: k.erf(x),
    scalar=_erf,
    partials=lambda k, y, x: (2 / math.sqrt(math.pi) * k.exp(-(x * x)),),
    verb="squashes: scales by the bell exp(-x**2)*2/sqrt(pi)",
)  # fmt: skip

erfc = Elementwise(
    "erfc", form="erfc({0})",
    math=lambda k, x: k.erfc(x),
    scalar=_erfc,
    partials=lambda k, y, x: (-2 / math.sqrt(math.pi) * k.exp(-(x * x)),),
    verb="squashes, with its sign turned: scales by the bell -exp(-x**2)*2/sqrt(pi)",
)  # fmt: skip

normal_pdf = Elementwise(
    "normal_pdf", form="normal_pdf({0})",
    math=lambda k, x: k.normal_pdf(x),
    scalar=lambda k, x: 1 / math.sqrt(2 * math.pi) * _gauss(k, k.minimum(k.abs(x), 40.0), 0.5),
    partials=lambda k, y, x: (-x * y,),
)  # fmt: skip

normal_cdf = Elementwise(
    "normal_cdf", form="normal_cdf({0})",
    math=lambda k, x: k.normal_cdf(x),
    scalar=_normal_cdf,
    partials=lambda k, y, x: (k.normal_pdf(x),),
    verb="squashes: scales by the density of the normal distribution",
)  # fmt: skip

gelu = Elementwise(
    "gelu", form="gelu({0})",
    math=lambda k, x: x * k.normal_cdf(x),
    scalar=lambda k, x: k.maximum(x, -50.0) * k.normal_cdf(x),  # -50*0, never -inf*0
    partials=lambda k, y, x: (k.normal_cdf(x) + x * k.normal_pdf(x),),
    verb="gates softly: passes the gradient where x > 0, little of it where x < 0",
    samples=((-0.4, 3.0),),  # the derivative crosses 0 at -0.752
)  # fmt: skip
