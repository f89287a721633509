"""Extents that are known only when a program runs, such as the rows of a batch.

A graph holds plain numbers, so a program for every size is planned for an example: each extent that
may change is a large prime there, and a number that it divides stands for a multiple of that
extent. Two examples must give the same code to the letter: then no number of one of them is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassgrad.engines.native.irtype import I64

if TYPE_CHECKING:
    from glassgrad.engines.native.function import Function
    from glassgrad.engines.native.value import Value

EXAMPLES = (
    (1061, 4133), (1069, 4157), (1093, 4229), (1109, 4253), (1117, 4261),
)  # fmt: skip
"""Two primes for each extent, larger than what decides how code looks, and of other bit lengths.

None is one less or one more than a multiple of 8, as numbers of the code's own are that round up to
vectors and tiles: these would be taken for the extent.
"""

BLOCK, SIZES = 16, 24
"""Where an arena has the address of the block of places, and then the extents of a call; the bytes
before them say how the call goes."""


class FixedSizeError(Exception):
    """Raised inside the engine: this program can be made for one size at a time only."""


@dataclass(frozen=True)
class Extents:
    """The primes that stand for the extents of an example.

    >>> Extents((1061, 1069)).factors(2 * 1061), Extents((1061,)).factors(784)
    ((2, (1, 0)), None)
    >>> Extents((1061,)).at(784 * 1061, [64])
    50176
    """

    primes: tuple[int, ...]

    @staticmethod
    def examples(count: int, fixed: Iterable[int] = ()) -> tuple[Extents, Extents]:
        """Two examples of so many extents, by primes that none of the `fixed` ones is divided by.

        >>> Extents.examples(1, [784, 2 * 1061])[0]
        Extents(primes=(1069,))
        """
        fixed = [n for n in fixed if n]
        free = [pair for pair in EXAMPLES if all(n % p for p in pair for n in fixed)]
        if count > len(free):
            raise FixedSizeError(f"{count} extents vary, {len(free)} may")
        first, second = zip(*free[:count])
        return Extents(first), Extents(second)

    def factors(self, number: int) -> tuple[int, tuple[int, ...]] | None:
        """A number as a multiple of powers of the extents; None where it holds none of them."""
        if number == 0:
            return None
        powers: list[int] = []
        for prime in self.primes:
            power = 0
            while number % prime == 0:
                number, power = number // prime, power + 1
            powers.append(power)
        return (number, tuple(powers)) if any(powers) else None

    def varies(self, *numbers: int) -> bool:
        """Whether one of the numbers holds an extent."""
        return any(self.factors(n) is not None for n in numbers)

    def at(self, number: int, sizes: Sequence[int]) -> int:
        """What a number of the example is where the extents are these."""
        found = self.factors(number)
        if found is None:
            return number
        result, powers = found
        for size, power in zip(sizes, powers):
            result *= size**power
        return result

    def told(self, number: int) -> str:
        """A number as text that is the same for every example."""
        found = self.factors(number)
        if found is None:
            return str(number)
        coefficient, powers = found
        names = (f"n{i}" * power for i, power in enumerate(powers))
        return f"{coefficient if coefficient != 1 else ''}{''.join(names)}"

    def renamed(self, text: str) -> str:
        """A text with the extents' names in the place of the example's numbers.

        >>> Extents((1061,)).renamed("loop over [1061, 3, 2122]")
        'loop over [n0, 3, 2n0]'
        """
        return re.sub(r"\d{4,}", lambda found: self.told(int(found[0])), text)


NONE = Extents(())
"""No extent varies."""


def hand_on(f: Function, arena: Value, inner: Value) -> None:
    """Gives the arena of a program inside another what the outer one has at its start."""
    count = len(f.module.extents.primes)
    for i in range(count + 1 if count else 0):
        f.store(f.load(I64, f.at(arena, I64, BLOCK // 8 + i)), f.at(inner, I64, BLOCK // 8 + i))
