"""Draws graph.svg: (a + b)(b + 1) at a = 2, b = 1, with the value and the gradient at each node.

    python docs/pictures/graph.py

The numbers come from the graph, the places from the table below.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import glassgrad as gg

WIDTH, HEIGHT = 760, 330
BOX = (150, 76)
FORWARD, BACKWARD, INK, PAPER = "#1f6feb", "#c2410c", "#1f2328", "#ffffff"
LABEL = 'text-anchor="middle" font-size='
END = 'text-anchor="end" font-size='
FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"


class Place(NamedTuple):
    """Where a node stands, and what it is called."""

    x: int
    y: int
    name: str
    node: gg.Array


def number(value: float) -> str:
    """2.0 as 2."""
    return f"{float(value):g}"


def box(place: Place, g: gg.ComputationalGraph) -> str:
    """A node: its formula, its value and its gradient."""
    w, h = BOX
    x, y = place.x - w // 2, place.y - h // 2
    value, gradient = number(g.values[place.node]), number(g.gradients[place.node])
    return f"""\
<g>
<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="10" fill="#f6f8fa" stroke="{INK}"/>
<text x="{place.x}" y="{y + 26}" {LABEL}"17" fill="{INK}">{place.name}</text>
<line x1="{x}" y1="{y + 38}" x2="{x + w}" y2="{y + 38}" stroke="{INK}" stroke-width="0.5"/>
<text x="{x + 12}" y="{y + 61}" font-size="14" fill="{FORWARD}">value {value}</text>
<text x="{x + w - 12}" y="{y + 61}" {END}"14" fill="{BACKWARD}">∂e {gradient}</text>
</g>"""


def arrow(start: Place, end: Place, local: str) -> str:
    """An arrow from an argument to what is computed from it, with the local derivative."""
    w = BOX[0] // 2
    x1, y1, x2, y2 = start.x + w, start.y, end.x - w - 8, end.y
    bend = (x1 + x2) // 2
    middle = (y1 + y2) / 2
    return f"""\
<path d="M {x1} {y1} C {bend} {y1}, {bend} {y2}, {x2} {y2}" fill="none" stroke="{INK}" \
marker-end="url(#head)"/>
<rect x="{bend - 24}" y="{middle - 11}" width="48" height="22" rx="4" fill="{PAPER}"/>
<text x="{bend}" y="{middle + 5}" {LABEL}"13" fill="{BACKWARD}">×{local}</text>"""


def picture() -> str:
    """The whole drawing as SVG."""
    a, b = gg.variables("a b")
    r, s = a + b, b + 1
    e = r * s
    g = gg.ComputationalGraph(e)
    g.forward({a: 2.0, b: 1.0})
    g.backward()
    places = {
        "a": Place(110, 100, "a", a),
        "b": Place(110, 250, "b", b),
        "r": Place(380, 100, "r = a + b", r),
        "s": Place(380, 250, "s = b + 1", s),
        "e": Place(650, 175, "e = r · s", e),
    }
    local = {
        ("a", "r"): "1",
        ("b", "r"): "1",
        ("b", "s"): "1",
        ("r", "e"): number(g.values[s]),
        ("s", "e"): number(g.values[r]),
    }
    parts = f"{number(g.gradients[r])}·1 + {number(g.gradients[s])}·1"
    arrows = [arrow(places[x], places[y], text) for (x, y), text in local.items()]
    boxes = [box(place, g) for place in places.values()]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" {FONT} role="img" '
        'aria-label="The graph of (a + b)(b + 1), values forward, gradients backward">',
        '<defs><marker id="head" viewBox="0 0 10 10" refX="2" refY="5" markerWidth="9" '
        'markerHeight="9" orient="auto">'
        f'<path d="M 0 0 L 10 5 L 0 10 z" fill="{INK}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        f'<text x="36" y="34" font-size="16" fill="{INK}">'
        "e = (a + b)(b + 1) at a = 2, b = 1</text>",
        f'<text x="470" y="34" text-anchor="end" font-size="14" fill="{FORWARD}">values →</text>',
        f'<text x="{WIDTH - 36}" y="34" text-anchor="end" font-size="14" fill="{BACKWARD}">'
        "← gradients, times slopes</text>",
        f'<text x="36" y="316" font-size="13" fill="{BACKWARD}">b feeds two nodes, so its gradient '
        f"is a sum: {parts} = {number(g.gradients[b])}</text>",
        *arrows,
        *boxes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("graph.svg").write_text(picture(), encoding="utf-8")
