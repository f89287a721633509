"""The code of a kernel: the steps of a program called one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.engines.native import cost
from glassgrad.engines.native.emit import I8, I32, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.interrupt import (
    PULSE,
    begin,
    pulse,
    stop_if,
    stop_with,
    turn_goes_on,
)
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.loops import emit_step
from glassgrad.engines.native.nest import Part
from glassgrad.engines.native.places import Places
from glassgrad.engines.native.products import cut_of, emit_multiply, parts_of
from glassgrad.engines.native.renewal import emit_renewal
from glassgrad.engines.native.renewal_step import Renewal
from glassgrad.engines.native.repeat import PROGRAMS
from glassgrad.engines.native.routines import CALLS
from glassgrad.engines.native.row_blocks import emit_rows
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.runs import operands, runs
from glassgrad.engines.native.shape_key import Key, key_of
from glassgrad.engines.native.shares import emit_share, wanted_parts
from glassgrad.engines.native.step import Draw, Loop, Multiply, Reduction, Spin, Step
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.units import units

_PART = 256


class Code:
    """The text of a kernel.

    Where `extents` vary, the number of `inputs` says which of them is the block of places. Where
    it `divides` integers, the status tells of divisions by zero too.
    """

    def __init__(
        self, steps: Sequence[Step], layout: Layout, target: Target, extents: Extents = NONE,
        inputs: int = 0, divides: bool = False,
    ) -> None:  # fmt: skip
        self.target = target
        self.module = Module(self.target, extents)
        self.module.divides = divides
        self.places = Places(layout, inputs, len(extents.primes)) if extents.primes else None
        self.long = cost.of_steps(steps) >= cost.LONG or bool(extents.primes)
        self.module.interruptible = self.long
        self.emitted: dict[str, Function] = {}
        self.shared: dict[Key, Function] = {}
        self.parts: dict[str, int] = {}  # of the functions of steps that are cut
        self._kernel("kernel", steps, layout)
        self.units = units(self.module)
        self.size = sum(len(u.text) for u in self.units)

    def _kernel(self, name: str, steps: Sequence[Step], layout: Layout) -> Function:
        """The function ``i32 (arena, inputs, outputs)`` that runs some steps."""
        inner = {
            id(s): [
                self._kernel(f"{name}_{i}{'abc'[j]}", program, layout.inner[s][j])
                for j, program in enumerate(s.programs)
            ]
            for i, s in enumerate(steps)
        }
        linkage = "" if name == "kernel" else "internal"
        f = self.module.function(name, I32, [PTR, PTR, PTR], linkage)
        f.glue = self.long and not linkage
        arena = f.params[0]
        checked = self.module.interruptible or any(step.checked for step in steps)
        if checked:
            f.store(f.const(I32, 0), arena)
        begin(f, arena)
        f.sizes = arena
        if self.places is not None and name == "kernel":
            self.places.bring(f)
        if len(steps) <= _PART:
            self._calls(f, name, list(enumerate(steps)), layout, inner)
        else:
            numbered = list(enumerate(steps))
            for start in range(0, len(steps), _PART):
                part = f"{name}_part{start}"
                g = self.module.function(part, VOID, [PTR, PTR, PTR], "internal")
                g.glue = f.glue
                g.sizes = g.params[0]
                self._calls(g, name, numbered[start : start + _PART], layout, inner)
                g.ret()
                f.call(g, VOID, *f.params)
                stop_with(f, arena)
        f.ret(f.load(I32, arena) if checked else f.const(I32, 0))
        return f

    def _calls(
        self, f: Function, name: str, steps: Sequence[tuple[int, Step]], layout: Layout,
        inner: dict[int, list[Function]],
    ) -> None:  # fmt: skip
        """Calls the functions of some steps, in order."""
        arena, inputs, outputs = f.params
        tables: dict[tuple[str, int], Value] = {}

        places = layout if self.places is None else self.places.here(f, layout, arena)

        def pointer(buffer: Buffer) -> Value:
            if buffer.kind == "arena":
                return f.at(arena, I8, places.offsets[buffer])
            key = (buffer.kind, buffer.index)
            if key not in tables:
                if buffer.kind == "const":
                    tables[key] = f.symbol(f"const_{buffer.index}")
                else:
                    table = inputs if buffer.kind == "input" else outputs
                    tables[key] = f.load(PTR, f.at(table, PTR, buffer.index))
            return tables[key]

        spent, size = 0.0, layout.size if self.places is None else None
        for i, (step, *others), kind, offsets in runs(steps, layout.offsets, size):
            spent += cost.of_step(step) * (1 + len(others))
            if spent > PULSE or self.places is not None:
                pulse(f, arena)
                spent = 0.0
            if offsets is not None:
                self._run(f, f"{name}_row{i}", step, kind, offsets)
                continue
            known = {b: pointer(b) for b in operands(step)}
            if isinstance(step, Multiply) and cut_of(step, self.target) is None:
                scratch = f.at(arena, I8, places.scratch)
                emit_multiply(self.module, f, step, known, scratch, f"{name}_product{i}")
                continue
            function = self._function(step, f"{name}_step{i}", list(known), layout, inner)
            pointers = list(known.values())
            if (parts := self.parts.get(function.name)) is not None:
                table = f.at(arena, I8, places.table)
                count = parts or self._wanted(f, step)
                emit_share(f, function, count, pointers, arena, table, step.checked)
            else:
                f.call(function, VOID, *pointers, arena)
            if step.programs or isinstance(step, Spin):
                stop_with(f, arena)

    def _wanted(self, f: Function, step: Step) -> Value:
        """In how many parts a step is cut whose extents are known at run time."""
        if isinstance(step, Multiply):
            return parts_of(f, step)
        assert isinstance(step, Loop | Reduction | Draw | Renewal)
        return wanted_parts(f, step)

    def _run(
        self, f: Function, name: str, step: Step, key: Key | None, offsets: np.ndarray
    ) -> None:
        """A call for each row of offsets, of the function that all these steps share."""
        g, width = self.shared.get(("rows", key)), offsets.shape[1]
        if g is None:
            g = self.module.function(name, VOID, [PTR, PTR], "internal")
            arena, row = g.params
            places = (g.load(I32, g.at(row, I32, j)) for j in range(width))
            known = {b: g.at(arena, I8, place) for b, place in zip(operands(step), places)}
            emit_step(g, step, known, arena)
            g.ret()
            self.shared["rows", key] = g
        table = f.symbol(self.module.data(offsets.astype("<i4").tobytes()))
        arena, rows = f.params[0], len(offsets)
        each = cost.of_step(step)

        def one(i: Value) -> None:
            f.call(g, VOID, arena, f.at(table, I32, i * width))
            if rows * each > PULSE:
                stop_if(f, ~turn_goes_on(f, arena, each), arena)

        f.loop(0, rows, 1, one)

    def _function(
        self, step: Step, name: str, buffers: Sequence[Buffer], layout: Layout,
        inner: dict[int, list[Function]], cuts: bool = True,
    ) -> Function:  # fmt: skip
        """The function of a step; equal ones have one."""
        wanted = cost.parts(step) if cuts else 1
        if (
            cuts
            and self.places is not None
            and isinstance(step, Loop | Reduction | Multiply | Draw | Renewal)
        ):
            wanted = 0 if self.module.extents.varies(cost.per_point(step)[1]) else wanted
        key = key_of(step, buffers)
        if key is None:
            return self._emitted(step, name, buffers, layout, inner, wanted)
        key = wanted, key
        if key not in self.shared:
            self.shared[key] = self._emitted(step, name, buffers, layout, inner, wanted)
        return self.shared[key]

    def _emitted(
        self, step: Step, name: str, buffers: Sequence[Buffer], layout: Layout,
        inner: dict[int, list[Function]], wanted: int,
    ) -> Function:  # fmt: skip
        """The function ``(*buffers, status)``, and a number where the step is cut into parts.

        0 parts mean as many as it then takes.
        """
        part = [I64] if wanted != 1 else []
        g = self.module.function(name, VOID, [PTR] * (len(buffers) + 1) + part, "internal")
        status, *index = g.params[len(buffers) :]
        g.sizes = status
        known = dict(zip(buffers, g.params))
        emit_programs = PROGRAMS.get(type(step)) or CALLS.get(type(step))
        if emit_programs is not None:
            emit_programs(g, step, known, status, *inner.get(id(step), ()))
        elif isinstance(step, Rows):

            def function(s: Step, i: int, used: Sequence[Buffer]) -> Function:
                return self._function(s, f"{name}_{i}", used, layout, inner, cuts=False)

            count = emit_rows(g, step, known, status, function, wanted, *index)
            if index:
                self.parts[name] = count
        elif isinstance(step, Multiply):
            cut = cut_of(step, self.target)
            assert cut is not None
            g.glue = not step.batch
            self.parts[name] = cut.count
            places = layout if self.places is None else self.places.here(g, layout, status)
            scratch = g.at(status, I8, places.scratch)
            emit_multiply(self.module, g, step, known, scratch, f"{name}_product", *index)
        else:
            range_ = Part(g, index[0], wanted or self._wanted(g, step)) if index else None
            if isinstance(step, Renewal):
                emit_renewal(g, step, known, status, range_)
            else:
                emit_step(g, step, known, status, range_)
            if range_ is not None:
                self.parts[name] = range_.count
        g.ret()
        text = g.text().replace(f"@{name}(", "@(")
        if text in self.emitted:
            del self.module.functions[name]
            return self.emitted[text]
        self.emitted[text] = g
        return g


__all__ = ["Code"]
