"""The truth about an elementwise op at points: its value and derivatives, from `math` in mpmath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf

from glassgrad.graph.family import Elementwise
from oracle.mp_algebra import DIGITS, MP, NAN, OutsideDomain, real

STEP = mpf("1e-60")
ROOTS = mpf("2e-30")  # a larger change by one step from 0 is a jump, or a cube root
HUGE = (mpf("1e40"), mpf("1e80"))  # what infinity stands for, where a formula says inf/inf


def digits(point: Sequence[Any]) -> int:
    """How many digits differences need at a point: more where operands or values are extreme."""
    sizes = [abs(x) for x in point if not isinstance(x, bool) and x != 0]
    if all(mpf("1e-30") < size < 12 for size in sizes):
        return DIGITS // 2
    return DIGITS if all(mpf("1e-30") < size < 1e30 for size in sizes) else 4 * DIGITS


def value(op: Elementwise, point: Sequence[Any]) -> Any:
    """The op's mathematics at a point, to 50 digits and more; raises where it has no real value."""
    with mp.workdps(digits(point)):
        try:
            found = real(op.math(MP, *point))
        except ZeroDivisionError:
            raise OutsideDomain from None
    return found


def limit(op: Elementwise, point: Sequence[Any]) -> Any:
    """The value; of one operand also its limit at infinity, where the formula says inf/inf."""
    found = value(op, point)
    if isinstance(found, bool) or not mp.isnan(found) or op.arity > 1 or not mp.isinf(point[0]):
        return found
    near, far = (value(op, [mp.sign(point[0]) * h]) for h in HUGE)
    if near == far or abs(near - far) <= abs(far) * mpf("1e-50"):
        return far
    if abs(far) < mpf("1e-350"):
        return mpf(0)
    return mp.sign(far) * mp.inf if abs(near) > mpf("1e350") else NAN


class Slope(NamedTuple):
    """The one-sided derivatives by one operand; None where the op has no value on that side."""

    left: Any
    right: Any

    @property
    def smooth(self) -> bool:
        """Whether both sides agree, so that there is a derivative."""
        if not all(s is not None and mp.isfinite(s) for s in self):
            return False
        scale = max(abs(self.left), abs(self.right))
        return bool(abs(self.left - self.right) <= scale * mpf("1e-40") + mpf("1e-50"))

    @property
    def mean(self) -> Any:
        """The central difference."""
        return (self.left + self.right) / 2


def step(x: Any) -> Any:
    """A step that is small against the number, and against 1."""
    return STEP * min(abs(x), 1) if x else STEP


def cleaned(x: Any, *parts: Any) -> Any:
    """Zero for what is rounding alone, against the values that it is the difference of."""
    rounding = max(abs(part) for part in parts) * mpf(10) ** (140 - mp.dps)
    return mpf(0) if abs(x) < rounding else x


def moved(point: Sequence[Any], **by: Any) -> list[Any]:
    """The point with some operands (o0, o1, …) moved."""
    return [x + by[f"o{i}"] if f"o{i}" in by else x for i, x in enumerate(point)]


def slope(op: Elementwise, point: Sequence[Any], i: int) -> Slope:
    """The derivatives by operand i from the left and from the right, by differences."""
    with mp.workdps(digits(point)):
        h = step(point[i])
        here = value(op, point)
        sides = []
        for sign in (-1, 1):
            try:
                there = value(op, moved(point, **{f"o{i}": sign * h}))
                least = mpf("1e-20") * (1 + max(abs(there), abs(here))) if point[i] else ROOTS
                rise = sign * (there - here)
                sides.append(mp.sign(rise) * mp.inf if abs(rise) > least else rise / h)
            except OutsideDomain:
                sides.append(None)
        return Slope(*sides)


def first(op: Elementwise, point: Sequence[Any], i: int) -> Any:
    """The derivative by operand i: a central difference, exact to more than 50 digits."""
    with mp.workdps(digits(point)):
        h = step(point[i])
        up, down = (value(op, moved(point, **{f"o{i}": d})) for d in (h, -h))
        return cleaned((up - down) / (2 * h), up, down)


def second(op: Elementwise, point: Sequence[Any], i: int, j: int) -> Any:
    """The second derivative by operands i and j, by central differences; None for none."""
    with mp.workdps(digits(point)):
        if i == j:
            found, check = (_curve(op, point, i, scale) for scale in (1, 3))
            return mpf(0) if abs(found - check) > 0.1 * abs(found) else found  # rounding alone
        found = _mixed(op, point, i, j, 1)
        if found is None or not op.kinks:
            return found
        check = _mixed(op, point, i, j, 3)
        same = check is not None and abs(found - check) <= mpf("1e-40") * abs(found)
        return found if same else None


def _curve(op: Elementwise, point: Sequence[Any], i: int, scale: int) -> Any:
    h = scale * step(point[i])
    up, here, down = (value(op, moved(point, **{f"o{i}": d})) for d in (h, 0, -h))
    return cleaned((up - 2 * here + down) / (h * h), up, here, down)


def _mixed(op: Elementwise, point: Sequence[Any], i: int, j: int, scale: int) -> Any:
    h, s = scale * step(point[i]), step(point[j])
    corners = [
        a * b * value(op, moved(point, **{f"o{i}": a * h, f"o{j}": b * s}))
        for a in (-1, 1)
        for b in (-1, 1)
    ]
    whole = sum(corners) / (4 * h * s)
    if whole and not cleaned(whole, *corners):
        return None  # terms that cancel here: no float64 has a relative precision
    return whole
