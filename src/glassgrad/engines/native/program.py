"""A graph compiled to one native call.

`compile` plans the steps, lays out the arena, emits the code, takes the object from the cache or
assembles it, and links; of a graph that was compiled before only the last is left to do. The
program is called with arrays and gives fresh arrays; `fast` is a Python builtin that does the same
without any Python code between.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from glassgrad.engines.integer_division import Fault
from glassgrad.engines.memory import told_bytes
from glassgrad.engines.native import cost, memory, outside, pyabi, underway
from glassgrad.engines.native.aside import begin
from glassgrad.engines.native.budget import within
from glassgrad.engines.native.cache import ObjectCache, user_cache_folder
from glassgrad.engines.native.call import ENTRY, ArraySpec, Signature
from glassgrad.engines.native.calling import Calling, Slot, Teller, UnexplainedError, argument
from glassgrad.engines.native.donation import Donation
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.fast_call import FastCall
from glassgrad.engines.native.keeping import keep
from glassgrad.engines.native.kernel import Code
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.ledger import Kept, ledger
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.memory import Memory
from glassgrad.engines.native.planner import Planner
from glassgrad.engines.native.recall import Made, name_of, recalled
from glassgrad.engines.native.row_blocks import in_row_blocks
from glassgrad.engines.native.step import Step
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.telling import told
from glassgrad.engines.native.underway import Arenas, Kernel
from glassgrad.graph.errors import GraphError, ShapeError
from glassgrad.graph.node import Input, Node
from glassgrad.rewrite.pipeline import finish, stabilise


class NativeProgram(Calling):
    """Machine code for some outputs of a graph; call it with one array for each input.

    `donated` maps numbers of outputs to numbers of inputs of the same shape and dtype: the output
    is returned in that input's memory, as the same object. An argument that cannot be written to
    (read-only, of another layout, or in the memory of another argument) is copied first.

    A call needs at most `budget` bytes besides its arguments: values are computed again for that.

    With `raw` the outputs are as they were traced, and are finished here, the first `raw` of them
    made stable before: a kernel that is recalled does without.
    """

    fast: Callable[..., Any]

    def __init__(
        self, outputs: Sequence[Node], inputs: Sequence[Node], *, target: Target | None = None,
        cache: ObjectCache | None = None, signature: Signature | None = None,
        receiver: Callable[..., Any] | None = None, name: str = "step",
        donated: Mapping[int, int] | None = None, budget: int | None = None,
        raw: int | None = None,
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        self._given, self._raw = list(outputs), raw
        self.inputs, self.name = list(inputs), name
        self.takes, self.gives = Slot.of(inputs), Slot.of(outputs)
        self.target = target or Target.host()
        for node in inputs:
            if not isinstance(node.op, Input):
                raise GraphError(f"a program's inputs must be variables, not {node!r}")
        self.donated, self.budget = dict(donated or {}), budget
        self._check_donated()
        specs = [[ArraySpec(n.shape, n.dtype) for n in nodes] for nodes in (inputs, outputs)]
        self.signature = (signature or Signature.flat(*specs)).donating(self.donated)
        self.cache = ObjectCache(user_cache_folder()) if cache is None else cache
        self._faults: Sequence[Fault] | None = None
        made = self._made()
        self.long, self.shared, self.text_size = made.long, made.shared, made.text_size
        self.copied_back, self.code_size = made.copied_back, sum(map(len, made.objects))
        self._link(made, receiver or self._converted)
        self.compile_seconds = time.perf_counter() - started

    def _check_donated(self) -> None:
        if len(set(self.donated.values())) < len(self.donated):
            raise GraphError(f"two outputs cannot be in the memory of one input: {self.donated}")
        for o, i in self.donated.items():
            y, x = self._given[o], self.inputs[i]
            if (y.shape, y.dtype) != (x.shape, x.dtype):
                raise ShapeError(
                    f"output {o} is {y.dtype}{list(y.shape)} and cannot be in the memory of input "
                    f"{i}, which is {x.dtype}{list(x.shape)}"
                )

    # -- planning -------------------------------------------------------------

    @cached_property
    def outputs(self) -> list[Node]:
        """The nodes that it computes, ready to run."""
        if self._raw is None:
            return self._given
        stable = stabilise(self._given[: self._raw])
        return finish([*stable, *self._given[self._raw :]])

    def _made(self) -> Made:
        """The kernel: recalled by its graph, or planned and emitted."""
        graph = self._given, self.inputs, self.donated, self.target, self.budget, self._raw
        name = None if self.cache.folder is None else name_of(*graph)
        found = recalled(self.cache, name, self._given)
        if found is not None and outside.missing(found.foreign):
            found = None
        self.cache_hit = found is not None
        if found is not None:
            self._check_memory(found.arena_bytes, found.constants)
            return found
        planner, steps, layout, copied_back = self._planned
        constants = [np.ascontiguousarray(b.value) for b in planner.constants]
        self._check_memory(layout.size, constants)
        if cost.of_steps(steps) >= cost.LONG:
            begin(underway.assembled)
        code = self._emitted()
        self._faults = code.module.faults
        place = self.target, self.cache, name, self._given
        made, self.cache_hit = keep(code, *place, layout.size, copied_back, constants)
        return made

    def _emitted(self) -> Code:
        planner, steps, layout, _ = self._planned
        return Code(steps, layout, self.target, divides=planner.divides)

    def faults(self) -> Sequence[Fault]:
        """The integer divisions that its status may tell of.

        Those of a kernel that was recalled are found when they are asked for.
        """
        if self._faults is None:
            self._faults = self._emitted().module.faults
        return self._faults

    @cached_property
    def _planned(self) -> tuple[Planner, list[Step], Layout, int]:
        planner = Planner(self.outputs, self.inputs)
        donation = Donation(planner.plan(), self.donated, self.target)
        settled, count = donation.settled(), len(donation.copies)
        last = donation.pairs, donation.copies
        if self.budget is not None:
            others = self._results() + sum(b.value.nbytes for b in planner.constants)
            plan = within(settled, *last, self.target, self.budget - others)
            return planner, *plan, count
        steps = in_row_blocks(settled, *last)
        return planner, steps, Layout(steps, self.target), count

    def _results(self) -> int:
        """The bytes of results that are fresh arrays."""
        fresh = (n for o, n in enumerate(self._given) if o not in self.donated)
        return sum(n.size * n.dtype.itemsize for n in fresh)

    @property
    def planner(self) -> Planner:
        """What planned the steps; of a kernel that was recalled it plans them when asked."""
        return self._planned[0]

    @property
    def steps(self) -> list[Step]:
        """The steps, in order."""
        return self._planned[1]

    def kept(self) -> list[Kept]:
        """What its arena holds, and for whom."""
        return ledger(*self._planned[1:3], self._shown)

    def _check_memory(self, arena_bytes: int, constants: Sequence[np.ndarray]) -> None:
        """What a call needs of memory; refused where there is less."""
        need = Memory(arena_bytes, self._results(), sum(c.nbytes for c in constants))
        self.memory = need
        if self.budget is not None:
            memory.keep(self.name, need, self.budget)
        memory.check(self.name, self.memory, lambda: self._planned[1:3], self._shown)

    def _shown(self, buffer: Buffer) -> Sequence[Node]:
        return self.planner.buffers.shown.get(buffer, ())

    # -- linking --------------------------------------------------------------

    def _link(self, made: Made, receiver: Callable[..., Any]) -> None:
        self.constants = made.constants
        imports = {f"const_{i}": c.ctypes.data for i, c in enumerate(self.constants)}
        self.arena = Arenas(made.arena_bytes)
        self.fast = receiver
        objects, exports, foreign = [*made.objects], ["kernel"], made.foreign
        known = outside.addresses(foreign) | (underway.addresses() if self.long else {})
        imports |= {n: known[n] for n in foreign if n in known}
        if pyabi.usable():
            signature = self.signature, self.target, self.cache
            teller = Teller(self) if made.faults else None
            self._call = FastCall(*signature, self.long, self.shared, self.arena, teller=teller)
            objects.append(self._call.object)
            imports |= self._call.imports(known)
            exports.append(ENTRY)
        self._linked = Linked(objects, self.target, exports, imports)
        address = self._linked.address
        self.kernel = Kernel(address["kernel"], self.arena, self.long)
        if pyabi.usable():
            self.fast = self._call.bind(address[ENTRY], receiver, self.name, self)

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None:
            call.release()

    # -- calling --------------------------------------------------------------

    def explain(self, arrays: Sequence[np.ndarray], status: int) -> None:
        """Raises the error that the same computation raises on the reference engine."""
        raise UnexplainedError(self.name, status).explained(self.outputs, self.inputs, arrays)

    def _converted(self, *arrays: Any) -> tuple[np.ndarray, ...]:
        """What the builtin does with arguments that are not ready as they are."""
        return tuple(self(arrays))

    # -- telling --------------------------------------------------------------

    def report(self) -> str:
        """What was compiled, fused and called, and what it took."""
        kinds = Counter(type(s).__name__.lower() for s in self.steps)
        many = (f"{n} {kind}{'s' * (n > 1 and kind[-1] != 's')}" for kind, n in kinds.items())
        made = ", ".join(many)
        lines = [
            f"{self.name}: {len(self.planner.order)} nodes in {len(self.steps)} steps "
            f"({made or 'none'}), {self.planner.fused} joined to the step before them",
            f"memory of a call: {self.memory}"
            + ("" if self.budget is None else f", budget {told_bytes(self.budget)}"),
            f"code {self.code_size} bytes, "
            f"{'from the cache' if self.cache_hit else 'assembled'} in "
            f"{1e3 * self.compile_seconds:.1f} ms",
            f"target {self.target.cpu}, vectors of {8 * self.target.vector_bytes} bits",
        ]
        if self.donated:
            lines.append(
                f"{len(self.donated)} results in the memory of arguments, "
                f"{self.copied_back} of them computed apart and copied there"
            )
        return "\n".join([*lines, *told(self.steps, "  ")])


def compile(outputs: Sequence[Node], inputs: Sequence[Node], **options: Any) -> NativeProgram:
    """The program that computes `outputs` from `inputs`; options as of `NativeProgram`.

    >>> from glassgrad.graph.node import Trace, new_input
    >>> import glassgrad.ops
    >>> x = new_input(Trace(), "x", (3,), "f8")
    >>> program = compile([x * x + 1.0], [x], cache=ObjectCache(None))
    >>> program.fast(np.arange(3.0))
    (array([1., 2., 5.]),)
    """
    return NativeProgram(outputs, inputs, **options)


__all__ = ["NativeProgram", "argument", "compile"]
