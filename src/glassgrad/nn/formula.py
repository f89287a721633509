"""How many weights a chain of linear layers has, as a formula in the names of its widths.

A number is a polynomial: {monomial: coefficient} with a monomial the sorted tuple of its symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Width = str | int
Polynomial = dict[tuple[str, ...], int]


def parameter_formula(widths: Sequence[Width], biases: Sequence[bool]) -> str:
    """The weights of layers from width to width, by layer and collected.

    `biases` says of each layer whether it adds an offset, one for each output.

    >>> parameter_formula(["n", "m", 3], [True, False])
    'm(n + 1) + 3m = m(n + 4)'
    >>> parameter_formula([2, 4], [True])
    '12'
    """
    layers = list(zip(pairwise(widths), biases))
    total: Polynomial = {}
    for (inputs, outputs), bias in layers:
        for monomial, count in _weights(inputs, outputs, bias).items():
            total[monomial] = total.get(monomial, 0) + count
    by_layer = " + ".join(_layer(inputs, outputs, bias) for (inputs, outputs), bias in layers)
    collected = _collected(total)
    plain = by_layer == collected or set(total) == {()}
    return collected if plain else f"{by_layer} = {collected}"


def _weights(inputs: Width, outputs: Width, bias: bool) -> Polynomial:
    found = _times(_value(inputs), _value(outputs))
    if bias:
        for monomial, count in _value(outputs).items():
            found[monomial] = found.get(monomial, 0) + count
    return found


def _value(width: Width) -> Polynomial:
    return {(width,): 1} if isinstance(width, str) else {(): width}


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    return {tuple(sorted(x + y)): m * n for x, m in a.items() for y, n in b.items()}


def _layer(inputs: Width, outputs: Width, bias: bool) -> str:
    """The weights of one layer: outputs times inputs, and one more where there is an offset."""
    if isinstance(inputs, int):
        return _collected(_weights(inputs, outputs, bias))
    if bias:
        return f"{outputs}({inputs} + 1)"
    return _term((outputs, inputs), 1) if isinstance(outputs, str) else _term((inputs,), outputs)


def _collected(total: Polynomial) -> str:
    """The polynomial, with a symbol that all its terms share before a bracket."""
    shared = set.intersection(*(set(m) for m in total)) if len(total) > 1 else set[str]()
    if not shared:
        return _sum(total)
    symbol = min(shared)
    rest = {_without(m, symbol): count for m, count in total.items()}
    return f"{symbol}({_sum(rest)})"


def _without(monomial: tuple[str, ...], symbol: str) -> tuple[str, ...]:
    i = monomial.index(symbol)
    return monomial[:i] + monomial[i + 1 :]


def _sum(total: Polynomial) -> str:
    ordered = sorted(total, key=lambda m: (-len(m), m))
    return " + ".join(_term(m, total[m]) for m in ordered)


def _term(symbols: tuple[str, ...], count: int) -> str:
    product = ("" if all(len(s) == 1 for s in symbols) else "·").join(symbols)
    return str(count) if not symbols else f"{'' if count == 1 else count}{product}"
