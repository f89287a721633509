"""A history as a picture: losses, metrics and learning rate over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import cycle
from typing import NamedTuple

from glassgrad.train.history import Epoch

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 36
COLOURS = ("#1f77b4", "#d95f02", "#2a9d55", "#8e44ad", "#b8860b", "#c2185b", "#5d6d7e")
STEEP = 20
"""A logarithmic scale is used where the largest value is so many times the smallest."""


class Curve(NamedTuple):
    """A named series; nan where there is no value."""

    name: str
    values: tuple[float, ...]


def draw_history(history: Sequence[Epoch]) -> str:
    """The SVG of a history: a panel for the losses, one for the metrics, if there are any.

    A third one shows the learning rate, if it changed.
    """
    numbers = [e.number for e in history]
    losses = [
        Curve("training loss", tuple(e.loss for e in history)),
        Curve("validation loss", tuple(e.validation for e in history)),
    ]
    names = [name for name, _ in history[0].figures] if history else []
    metrics = [Curve(n, tuple(dict(e.figures)[n] for e in history)) for n in names]
    rates = [Curve("learning rate", tuple(e.rate for e in history))]
    if len(set(rates[0].values)) < 2:
        rates = []
    panels = [
        [c for c in group if any(map(math.isfinite, c.values))]
        for group in (losses, metrics, rates)
    ]
    drawn = [panel for panel in panels if panel]
    body = "".join(_panel(numbers, curves, i * WIDTH) for i, curves in enumerate(drawn))
    width = WIDTH * max(1, len(drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="training history"><rect width="100%" height="100%" fill="white"/>'
        f"{body}</svg>\n"
    )


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high: multiples of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 1.0), ticks(3.0, 47.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [10.0, 20.0, 30.0, 40.0])
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * m for m in (1, 2, 5, 10) if (high - low) / (power * m) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


class _Scale(NamedTuple):
    """From values to places on the paper, evenly or by logarithms."""

    low: float
    high: float
    logarithmic: bool

    @staticmethod
    def fit(curves: Sequence[Curve]) -> _Scale:
        values = [v for c in curves for v in c.values if math.isfinite(v)]
        low, high = min(values), max(values)
        if low > 0 and high > STEEP * low:
            return _Scale(math.log10(low), math.log10(high), True)
        room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.04
        return _Scale(low - room, high + room, False)

    def y(self, value: float) -> float:
        place = math.log10(value) if self.logarithmic else value
        part = (place - self.low) / ((self.high - self.low) or 1.0)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            return ticks(self.low, self.high)
        decades = self.high - self.low
        powers = range(math.floor(self.low), math.ceil(self.high) + 1, 1 + int(decades / 8))
        marks = [m * 10.0**p for p in powers for m in ((1, 2, 5) if decades < 3 else (1,))]
        return [v for v in marks if self.low <= math.log10(v) <= self.high]


def _panel(numbers: Sequence[int], curves: Sequence[Curve], left: float) -> str:
    scale = _Scale.fit(curves)
    first, last = numbers[0], numbers[-1]
    begin, end = left + LEFT, left + WIDTH - RIGHT

    def x(epoch: float) -> float:
        return begin + (end - begin) * (epoch - first) / ((last - first) or 1)

    parts = [_level(scale.y(v), v, begin, end) for v in scale.ticks()]
    for v in sorted({round(t) for t in ticks(first, last)}):
        place = f'x="{x(v):.1f}" y="{HEIGHT - BOTTOM + 17}"'
        parts.append(f'<text {place} text-anchor="middle">{v}</text>')
    parts.append(
        f'<text x="{(begin + end) / 2:.1f}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>'
    )
    room = (end - begin) / max(2, len(curves))
    for i, (curve, colour) in enumerate(zip(curves, cycle(COLOURS))):
        points = [(x(n), scale.y(v)) for n, v in zip(numbers, curve.values) if math.isfinite(v)]
        parts.append(_line(points, colour))
        parts.append(
            f'<text x="{begin + room * i:.1f}" y="20" fill="{colour}">{escape(curve.name)}</text>'
        )
    return "".join(parts)


def _level(y: float, value: float, begin: float, end: float) -> str:
    """A grid line with its value."""
    return (
        f'<path d="M{begin:.1f} {y:.1f}H{end:.1f}" stroke="#ddd"/>'
        f'<text x="{begin - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    )


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    if len(points) == 1:
        return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3" fill="{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
