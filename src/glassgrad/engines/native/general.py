"""A program for arrays of any size along some axes: compiled once, laid out for each size.

It is planned and emitted for two examples, whose code must be the same to the letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from glassgrad.engines.integer_division import Fault
from glassgrad.engines.native import memory, outside, pyabi, underway
from glassgrad.engines.native.cache import ObjectCache, user_cache_folder
from glassgrad.engines.native.call import ENTRY, Signature
from glassgrad.engines.native.calling import Calling, Slot, Teller, address
from glassgrad.engines.native.donation import Donation
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import Extents, FixedSizeError
from glassgrad.engines.native.fast_call import FastCall, Tables
from glassgrad.engines.native.keeping import keep
from glassgrad.engines.native.kernel import Code
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.memory import Memory
from glassgrad.engines.native.places import Places
from glassgrad.engines.native.planner import Planner
from glassgrad.engines.native.recall import Made, name_of, recalled
from glassgrad.engines.native.step import Step
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.telling import told
from glassgrad.engines.native.underway import Arenas, Kernel
from glassgrad.graph.node import Node


class Example(NamedTuple):
    """A graph in which primes stand for the extents that vary."""

    outputs: Sequence[Node]
    inputs: Sequence[Node]
    extents: Extents


class GeneralProgram:
    """Machine code for two examples of a graph; `at` makes it a program for some sizes.

    With a `signature`, of an example, `fast` is a builtin that serves the size that was called
    last; all else it gives to the `receiver`.
    """

    def __init__(
        self, examples: Sequence[Example], donated: Mapping[int, int], name: str = "step",
        target: Target | None = None, cache: ObjectCache | None = None,
        signature: Signature | None = None, receiver: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        self.name, self.donated = name, dict(donated)
        signature = signature and signature.donating(self.donated)
        self.target = target or Target.host()
        self.extents = examples[0].extents
        self.cache = ObjectCache(user_cache_folder()) if cache is None else cache
        self.planner, self.steps, layout = self._planned(examples[0])
        self.places = Places(layout, len(examples[0].inputs), len(self.extents.primes))
        self._first = layout, len(examples[0].inputs)
        self._faults: Sequence[Fault] | None = None
        made = self._made(examples, layout)
        objects, self.long, self.shared = list(made.objects), made.long, made.shared
        self.code_size = sum(map(len, objects))
        self.constants = [np.ascontiguousarray(b.value) for b in self.planner.constants]
        known = outside.addresses(made.foreign) | (underway.addresses() if self.long else {})
        imports = {n: known[n] for n in made.foreign if n in known}
        imports |= {f"const_{i}": c.ctypes.data for i, c in enumerate(self.constants)}
        self.call: FastCall | None = None
        exports = ["kernel"]
        if signature is not None and pyabi.usable():
            count = len(examples[0].inputs) - len(signature.inputs) + 1  # and the places
            place = self.target, self.cache
            teller = Teller(self) if made.faults else None
            self.call = FastCall(signature, *place, self.long, self.shared, None, count, teller)
            objects.append(self.call.object)
            imports |= self.call.imports(known)
            exports.append(ENTRY)
        self._linked = Linked(objects, self.target, exports, imports)
        self.fast = receiver
        if self.call is not None and receiver is not None:
            self.fast = self.call.bind(self._linked.address[ENTRY], receiver, name, self)
        self._arenas: dict[int, Arenas] = {}  # by size, a power of two
        self.compile_seconds = time.perf_counter() - started

    def __del__(self) -> None:
        call = getattr(self, "call", None)
        if call is not None:
            call.release()

    def _planned(self, example: Example) -> tuple[Planner, list[Step], Layout]:
        planner = Planner(example.outputs, example.inputs, extents=example.extents)
        steps = Donation(planner.plan(), self.donated, self.target).settled()
        return planner, steps, Layout(steps, self.target, lambda n: n)

    def _made(self, examples: Sequence[Example], layout: Layout) -> Made:
        """The kernel: recalled by the first example's graph, or emitted for both and compared.

        The other example is the first one in other numbers, or there would be no program.
        """
        outputs, inputs, extents = examples[0]
        graph = outputs, inputs, self.donated, self.target
        name = None
        if self.cache.folder is not None:
            name = name_of(*graph, primes=extents.primes)
        found = recalled(self.cache, name, outputs)
        self.cache_hit = found is not None
        if found is not None and not outside.missing(found.foreign):
            return found
        code = self._code(self.steps, *self._first, extents)
        _, steps, other = self._planned(examples[1])
        if self._code(steps, other, len(inputs), examples[1].extents).units != code.units:
            raise FixedSizeError("the code depends on the size")
        self._faults = code.module.faults
        place = self.target, self.cache, name, outputs
        made, self.cache_hit = keep(code, *place, layout.size)
        return made

    def _code(self, steps: Sequence[Step], layout: Layout, inputs: int, extents: Extents) -> Code:
        return Code(steps, layout, self.target, extents, inputs, self.planner.divides)

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
        block = self.places.block(layout, sizes)
        return SizedProgram(self, need, arenas, (*values, block), outputs, inputs)

    def faults(self) -> Sequence[Fault]:
        """The integer divisions that its status may tell of, as of a `NativeProgram`."""
        if self._faults is None:
            self._faults = self._code(self.steps, *self._first, self.extents).module.faults
        return self._faults

    def kernel(self, arenas: Arenas) -> Kernel:
        """The kernel as Python calls it."""
        return Kernel(self._linked.address["kernel"], arenas, self.long)

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
        self, general: GeneralProgram, need: Memory, arenas: Arenas,
        more: Sequence[np.ndarray], outputs: Sequence[Node], inputs: Sequence[Node],
    ) -> None:  # fmt: skip
        self.general, self.memory, self._kernel = general, need, general.kernel(arenas)
        self._more = [np.array(x, order="C") for x in more]
        self._addresses = [address(x) for x in self._more]
        self.takes, self.gives = Slot.of(inputs), Slot.of(outputs)
        self.name, self.donated = general.name, general.donated
        self.kernel, self.shared = self._run, general.shared
        self._tables: Tables | None = None
        if general.call is not None:
            signature = _sized(general.call.signature, self.takes, self.gives)
            self._tables = Tables(signature, arenas, self._more)
        self.come()

    def come(self) -> None:
        """The builtin serves arrays of this size from now on."""
        if self._tables is not None and self.general.call is not None:
            self.general.call.turn_to(self._tables)

    def __call__(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """As of every program; more calls of this size are expected."""
        self.come()
        return super().__call__(arrays)

    def _run(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        return self._kernel([*inputs, *self._addresses], outputs)

    def faults(self) -> Sequence[Fault]:
        """The integer divisions that its status may tell of."""
        return self.general.faults()

    def report(self) -> str:
        """What was compiled for every size, and what this size needs."""
        return f"{self.general.report()}\nmemory of a call: {self.memory}"


def _sized(signature: Signature, takes: Sequence[Slot], gives: Sequence[Slot]) -> Signature:
    """The signature of an example, with the shapes of other sizes."""
    inputs = tuple(replace(spec, shape=slot.shape) for spec, slot in zip(signature.inputs, takes))
    outputs = tuple(replace(spec, shape=slot.shape) for spec, slot in zip(signature.outputs, gives))
    return replace(signature, inputs=inputs, outputs=outputs)


__all__ = ["Example", "GeneralProgram", "SizedProgram"]
