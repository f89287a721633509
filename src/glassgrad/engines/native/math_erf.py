"""The error function: an odd polynomial near 0, 1 - exp(-L(|x|)) else, with L = -log erfc.

All minimax: relative errors 2**-27.1 and 2**-28.8 (float32), 2**-56.3 and 2**-57.7 (float64).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassgrad.graph.dtype import FLOAT32, FLOAT64, DType

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

BORDER = 0.85


@dataclass(frozen=True)
class _Table:
    """Where 1 is reached, erf(x)/x - 1 in x**2 for |x| < BORDER, -log erfc(x) beyond."""

    top: float
    near: tuple[float, ...]
    far: tuple[float, ...]


TABLES: dict[DType, _Table] = {
    FLOAT32: _Table(
        4.0,
        (0.12837916612625122, -0.37612587213516235, 0.1128283143043518, -0.026806039735674858,
         0.005055809393525124, -0.000633839750662446),
        (0.00010383245535194874, 1.1280642747879028, 0.6365126371383667, 0.10453225672245026,
         -0.022522544488310814, 0.0031188558787107468, -0.0002037934318650514),
    ),
    FLOAT64: _Table(
        6.0,
        (0.1283791670955126, -0.37612638903184115, 0.11283791670972924, -0.02686617064858644,
         0.005223977660134516, -0.0008548329068194831, 0.00012055408345965405,
         -1.4927430944193694e-05, 1.648883955703636e-06, -1.6606633023368364e-07,
         1.58973425630095e-08, -1.2968256580988296e-09),
        (3.730788921638041e-08, 1.1283787668578684, 0.6366217221065649, 0.10276696744351446,
         -0.019117987742584677, -0.00022123954290647558, 0.0017017706505352613,
         -0.0005816810719376064, 3.2103162683442907e-06, 9.354240962529426e-05,
         -5.533846160199275e-05, 2.015897902344008e-05, -5.346182631520887e-06,
         1.072668428862336e-06, -1.6259857348025227e-07, 1.8134610959809456e-08,
         -1.407231069503886e-09, 6.792144880312624e-11, -1.5355109525959312e-12),
    ),
}  # fmt: skip


def erf(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """The error function; -0 of -0."""
    table, size = TABLES[x.dtype], k.abs(x)
    square = x * x
    near = k.fma(size, k.horner(square, table.near), size)
    inside = k.where(k.less(table.top, size), table.top, size)
    far = 1 - k.exp(-k.horner(inside, table.far))
    return k.copysign(k.where(k.less(size, BORDER), near, far), x)
