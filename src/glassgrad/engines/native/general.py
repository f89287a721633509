"""A program for arrays of any size along some axes: compiled once, laid out for each size.

It is planned and emitted for two examples, whose code must be the same to the letter.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from glassgrad.engines.native import memory, outside, underway
from glassgrad.engines.native.cache import ObjectCache, user_cache_folder
from glassgrad.engines.native.calling import Calling, Slot, address
from glassgrad.engines.native.donation import Donation
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import Extents, FixedSizeError
from glassgrad.engines.native.kernel import Code
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.memory import Memory
from glassgrad.engines.native.planner import Planner
from glassgrad.engines.native.step import Step
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.telling import told
from glassgrad.engines.native.underway import Arenas, Kernel
from glassgrad.engines.native.units import assembled
from glassgrad.graph.node import Node


class Example(NamedTuple):
    """A graph in which primes stand for the extents that vary."""

    outputs: Sequence[Node]
    inputs: Sequence[Node]
    extents: Extents


class GeneralProgram:
    """Machine code for two examples of a graph; `at` makes it a program for some sizes."""

    def __init__(
        self, examples: Sequence[Example], donated: Mapping[int, int], name: str = "step",
        target: Target | None = None, cache: ObjectCache | None = None,
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        self.name, self.donated = name, dict(donated)
        self.target = target or Target.host()
        self.extents = examples[0].extents
        self.planner, self.steps, code = self._planned(examples[0])
        if self._planned(examples[1])[2].units != code.units:
            raise FixedSizeError("the code depends on the size")
        self.places, self.long, self.shared = code.places, code.long, bool(code.parts)
        self.cache = ObjectCache(user_cache_folder()) if cache is None else cache
        objects, self.cache_hit = assembled(code.units, self.target, self.cache)
        self.code_size = sum(map(len, objects))
        self.constants = [np.ascontiguousarray(b.value) for b in self.planner.constants]
        known = {f"const_{i}": c.ctypes.data for i, c in enumerate(self.constants)}
        known |= outside.addresses(code.module.foreign())
        known |= underway.addresses() if self.long else {}
        imports = {n: known[n] for n in code.module.foreign()}
        self._linked = Linked(objects, self.target, ["kernel"], imports)
        self._arenas: dict[int, Arenas] = {}  # by size, a power of two
        self.compile_seconds = time.perf_counter() - started

    def _planned(self, example: Example) -> tuple[Planner, list[Step], Code]:
        planner = Planner(example.outputs, example.inputs, extents=example.extents)
        steps = Donation(planner.plan(), self.donated, self.target).settled()
        layout = Layout(steps, self.target, lambda n: n)
        code = Code(steps, layout, self.target, example.extents, len(example.inputs))
        return planner, steps, code

    def at(
        self, sizes: Sequence[int], outputs: Sequence[Node], inputs: Sequence[Node],
        values: Sequence[np.ndarray],
    ) -> SizedProgram:  # fmt: skip
        """The program for these sizes.

        `outputs` and `inputs` are the graph at these sizes, which is not kept; `values` are the
        constants that are others for other sizes: they follow the inputs.
        """
        layout = Layout(self.steps, self.target, lambda n: self.extents.at(n, sizes))
        fresh = (n for o, n in enumerate(outputs) if o not in self.donated)
        results = sum(n.size * n.dtype.itemsize for n in fresh)
        need = Memory(layout.size, results, sum(c.nbytes for c in (*self.constants, *values)))
        memory.check(self.name, need, lambda: (self.steps, layout), self._shown)
        size = 1 << (layout.size - 1).bit_length()
        arenas = self._arenas.get(size) or self._arenas.setdefault(size, Arenas(size))
        kernel = Kernel(self._linked.address["kernel"], arenas, self.long)
        assert self.places is not None
        block = self.places.block(layout, sizes)
        return SizedProgram(self, need, kernel, (*values, block), outputs, inputs)

    def report(self) -> str:
        """What was compiled, fused and called, and what it took."""
        how = "from the cache" if self.cache_hit else "assembled"
        lines = [
            f"{self.name} for any size: {len(self.planner.order)} nodes in {len(self.steps)} steps",
            f"code {self.code_size} bytes, {how} in {1e3 * self.compile_seconds:.1f} ms",
            *told(self.steps, "  "),
        ]
        return "\n".join(self.extents.renamed(line) for line in lines)

    def _shown(self, buffer: Buffer) -> Sequence[Node]:
        return self.planner.buffers.shown.get(buffer, ())


class SizedProgram(Calling):
    """A general program for some sizes."""

    def __init__(
        self, general: GeneralProgram, need: Memory, kernel: Kernel,
        more: Sequence[np.ndarray], outputs: Sequence[Node], inputs: Sequence[Node],
    ) -> None:  # fmt: skip
        self.general, self.memory, self._kernel = general, need, kernel
        self._more = [np.array(x, order="C") for x in more]
        self._addresses = [address(x) for x in self._more]
        self.takes, self.gives = Slot.of(inputs), Slot.of(outputs)
        self.name, self.donated = general.name, general.donated
        self.kernel, self.shared = self._run, general.shared

    def _run(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        return self._kernel([*inputs, *self._addresses], outputs)

    def report(self) -> str:
        """What was compiled for every size, and what this size needs."""
        return f"{self.general.report()}\nmemory of a call: {self.memory}"


__all__ = ["Example", "GeneralProgram", "SizedProgram"]
