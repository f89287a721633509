"""A graph compiled to one native call.

`compile` plans the steps, lays out the arena, emits the code, takes the object from the cache or
assembles it, and links; of a graph that was compiled before only the last is left to do. The
program is called with arrays and gives fresh arrays; `fast` is a Python builtin that does the same
without any Python code between.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from glassgrad.engines import reference
from glassgrad.engines.native import cost, memory, pyabi, threads, underway
from glassgrad.engines.native.cache import ObjectCache, compiled, key, user_cache_folder
from glassgrad.engines.native.call import ENTRY, ArraySpec, Entry, FastCall, Signature
from glassgrad.engines.native.donation import Donation
from glassgrad.engines.native.emit import I8, I32, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.expression import Apply, Buffer, walk
from glassgrad.engines.native.interrupt import (
    PULSE,
    begin,
    pulse,
    stop_if,
    stop_with,
    turn_goes_on,
)
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.loops import emit_step
from glassgrad.engines.native.memory import Memory
from glassgrad.engines.native.nest import Part
from glassgrad.engines.native.planner import Planner
from glassgrad.engines.native.products import cut_of, emit_multiply
from glassgrad.engines.native.recall import Made, name_of, recalled, remember
from glassgrad.engines.native.repeat import PROGRAMS
from glassgrad.engines.native.row_blocks import emit_rows, in_row_blocks
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.runs import operands, runs
from glassgrad.engines.native.shape_key import Key, key_of
from glassgrad.engines.native.shares import emit_share
from glassgrad.engines.native.step import Multiply, Spin, Step
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.underway import Arenas, Kernel
from glassgrad.graph.errors import DTypeError, GraphError, ShapeError
from glassgrad.graph.node import Input, Node
from glassgrad.version import __version__

_PART = 256


class NativeProgram:
    """Machine code for some outputs of a graph; call it with one array for each input.

    `donated` maps numbers of outputs to numbers of inputs of the same shape and dtype: the output
    is returned in that input's memory, as the same object. An argument that cannot be written to
    (read-only, of another layout, or in the memory of another argument) is copied first.
    """

    fast: Callable[..., Any]

    def __init__(
        self, outputs: Sequence[Node], inputs: Sequence[Node], *, target: Target | None = None,
        cache: ObjectCache | None = None, signature: Signature | None = None,
        receiver: Callable[..., Any] | None = None, name: str = "step",
        donated: Mapping[int, int] | None = None,
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        self.outputs, self.inputs, self.name = list(outputs), list(inputs), name
        self.target = target or Target.host()
        for node in inputs:
            if not isinstance(node.op, Input):
                raise GraphError(f"a program's inputs must be variables, not {node!r}")
        self.donated = dict(donated or {})
        self._check_donated()
        specs = [[ArraySpec(n.shape, n.dtype) for n in nodes] for nodes in (inputs, outputs)]
        self.signature = (signature or Signature.flat(*specs)).donating(self.donated)
        self.cache = ObjectCache(user_cache_folder()) if cache is None else cache
        made = self._made()
        self.long, self.shared, self.text_size = made.long, made.shared, made.text_size
        self.copied_back, self.code_size = made.copied_back, len(made.obj)
        self._link(made, receiver or self._converted)
        self.compile_seconds = time.perf_counter() - started

    def _check_donated(self) -> None:
        if len(set(self.donated.values())) < len(self.donated):
            raise GraphError(f"two outputs cannot be in the memory of one input: {self.donated}")
        for o, i in self.donated.items():
            y, x = self.outputs[o], self.inputs[i]
            if (y.shape, y.dtype) != (x.shape, x.dtype):
                raise ShapeError(
                    f"output {o} is {y.dtype}{list(y.shape)} and cannot be in the memory of input "
                    f"{i}, which is {x.dtype}{list(x.shape)}"
                )

    # -- planning -------------------------------------------------------------

    def _made(self) -> Made:
        """The kernel: recalled by its graph, or planned and emitted."""
        keeps = self.cache.folder is not None
        name = name_of(self.outputs, self.inputs, self.donated, self.target) if keeps else None
        found = recalled(self.cache, name, self.outputs)
        self.cache_hit = found is not None
        if found is not None:
            self._check_memory(found.arena_bytes, found.constants)
            return found
        planner, steps, layout, copied_back = self._planned
        constants = [np.ascontiguousarray(b.value) for b in planner.constants]
        self._check_memory(layout.size, constants)
        code = _Code(steps, layout, self.target)
        obj, self.cache_hit = compiled(code.text, self.target, self.cache, __version__)
        made = Made(
            obj, layout.size, len(code.text), copied_back, code.long, bool(code.parts),
             [n for n in code.module.foreign() if not n.startswith("const_")],
            constants,
        )  # fmt: skip
        remember(self.cache, name, made, key(code.text, self.target, __version__), self.outputs)
        return made

    @cached_property
    def _planned(self) -> tuple[Planner, list[Step], Layout, int]:
        planner = Planner(self.outputs, self.inputs)
        donation = Donation(planner.plan(), self.donated, self.target)
        steps = in_row_blocks(donation.settled(), donation.pairs)
        return planner, steps, Layout(steps, self.target), len(donation.copies)

    @property
    def planner(self) -> Planner:
        """What planned the steps; of a kernel that was recalled it plans them when asked."""
        return self._planned[0]

    @property
    def steps(self) -> list[Step]:
        """The steps, in order."""
        return self._planned[1]

    def _check_memory(self, arena_bytes: int, constants: Sequence[np.ndarray]) -> None:
        """What a call needs of memory; refused where there is less."""
        fresh = (n for o, n in enumerate(self.outputs) if o not in self.donated)
        results = sum(n.size * n.dtype.itemsize for n in fresh)
        self.memory = Memory(arena_bytes, results, sum(c.nbytes for c in constants))
        memory.check(self.name, self.memory, lambda: self._planned[1:3], self._shown)

    def _shown(self, buffer: Buffer) -> Sequence[Node]:
        return self.planner.buffers.shown.get(buffer, ())

    # -- linking --------------------------------------------------------------

    def _link(self, made: Made, receiver: Callable[..., Any]) -> None:
        self.constants = made.constants
        imports = {f"const_{i}": c.ctypes.data for i, c in enumerate(self.constants)}
        self.arena = Arenas(made.arena_bytes)
        self.fast = receiver
        objects, exports, foreign = [made.obj], ["kernel"], made.foreign
        known = underway.addresses() if self.long else {}
        if pyabi.usable():
            module = Module(self.target)
            entry = Entry(module, self.signature, self.long, self.shared)
            objects.append(compiled(module.text(), self.target, self.cache, __version__)[0])
            self._call = FastCall(self.signature, entry.keys, self.arena)
            known = known | self._call.symbols()
            foreign = [*foreign, *module.foreign()]
            exports.append(ENTRY)
        imports |= {n: known[n] for n in foreign if n in known}
        self._linked = Linked(objects, self.target, exports, imports)
        address = self._linked.address
        self._kernel = Kernel(address["kernel"], self.arena, self.long)
        if pyabi.usable():
            self.fast = self._call.bind(address[ENTRY], receiver, self.name, self)

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None:
            call.release()

    # -- calling --------------------------------------------------------------

    def __call__(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The outputs for these inputs; arguments are converted where no number changes."""
        if len(arrays) != len(self.inputs):
            raise TypeError(
                f"{self.name}() takes {len(self.inputs)} arrays, {len(arrays)} were given"
            )
        if self.shared:
            threads.ready()
        ready = [argument(x, node) for x, node in zip(arrays, self.inputs)]
        for i in self.donated.values():
            if ready[i] is not arrays[i] or not _is_free(ready, i):
                ready[i] = ready[i].copy()
        results = [
            ready[self.donated[o]] if o in self.donated else np.empty(node.shape, node.dtype)
            for o, node in enumerate(self.outputs)
        ]
        if self._kernel(*([a.ctypes.data for a in arrays] for arrays in (ready, results))):
            self._explain(ready)
        return results

    def _converted(self, *arrays: Any) -> tuple[np.ndarray, ...]:
        """What the builtin does with arguments that are not ready as they are."""
        return tuple(self(arrays))

    def _explain(self, arrays: Sequence[np.ndarray]) -> None:
        """Raises the error that the same computation raises on the reference engine."""
        reference.evaluate(self.outputs, dict(zip(self.inputs, arrays)))
        raise IndexError(f"{self.name}: an index is out of range")

    # -- telling --------------------------------------------------------------

    def report(self) -> str:
        """What was compiled, fused and called, and what it took."""
        kinds = Counter(type(s).__name__.lower() for s in self.steps)
        made = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds.items())
        lines = [
            f"{self.name}: {len(self.planner.order)} nodes in {len(self.steps)} steps "
            f"({made or 'none'}), {self.planner.fused} joined to the step before them",
            f"memory of a call: {self.memory}",
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
        return "\n".join([*lines, *_told(self.steps, "  ")])


def _told(steps: Sequence[Step], indent: str) -> Iterator[str]:
    """A line for each step, with those of the programs inside it below."""
    for i, step in enumerate(steps):
        ops = " ".join(repr(n.op) if n.inputs else n.name for n in step.nodes)
        inside = Counter(x.op.name for x in walk(step.roots()) if isinstance(x, Apply))
        fused = ", ".join(f"{name} x{n}" if n > 1 else name for name, n in inside.items())
        yield f"{indent}{i}: {step.said()}: {ops}" + (f"; inside: {fused}" if fused else "")
        for letter, program in zip("abc", step.programs):
            yield from _told(program, f"{indent}{i}{letter if len(step.programs) > 1 else ''}.")


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


def argument(x: Any, node: Node) -> np.ndarray:
    """An argument as the code reads it: contiguous, aligned, of the node's dtype and shape."""
    label = getattr(node.op, "label", "?")
    if not isinstance(x, np.ndarray):
        x = np.asarray(x, node.dtype) if isinstance(x, (bool, int, float)) else np.asarray(x)
    if x.dtype.newbyteorder("=") != node.dtype:
        raise DTypeError(
            f"argument {label!r} has dtype {x.dtype}, the program was compiled for {node.dtype}: "
            f"convert it with .astype(np.{node.dtype})"
        )
    if x.shape != node.shape:
        raise ShapeError(
            f"argument {label!r} has shape {x.shape}, the program was compiled for {node.shape}"
        )
    return np.require(x, node.dtype, ["C", "A"])


def _is_free(arrays: Sequence[np.ndarray], i: int) -> bool:
    """Whether an argument may be written to, and none of the others lies in its memory."""
    others = (x for j, x in enumerate(arrays) if j != i)
    return arrays[i].flags.writeable and not any(np.may_share_memory(arrays[i], x) for x in others)


class _Code:
    """The text of a kernel."""

    def __init__(self, steps: Sequence[Step], layout: Layout, target: Target) -> None:
        self.target = target
        self.module = Module(self.target)
        self.long = cost.of_steps(steps) >= cost.LONG
        self.module.interruptible = self.long
        self.emitted: dict[str, Function] = {}
        self.shared: dict[Key, Function] = {}
        self.parts: dict[str, int] = {}  # of the functions of steps that are cut
        self._kernel("kernel", steps, layout)
        self.text = self.module.text()

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
        arena = f.params[0]
        checked = self.module.interruptible or any(step.checked for step in steps)
        if checked:
            f.store(f.const(I32, 0), arena)
        begin(f, arena)
        if len(steps) <= _PART:
            self._calls(f, name, list(enumerate(steps)), layout, inner)
        else:
            numbered = list(enumerate(steps))
            for start in range(0, len(steps), _PART):
                part = f"{name}_part{start}"
                g = self.module.function(part, VOID, [PTR, PTR, PTR], "internal")
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

        def pointer(buffer: Buffer) -> Value:
            if buffer.kind == "arena":
                return f.at(arena, I8, layout.offsets[buffer])
            key = (buffer.kind, buffer.index)
            if key not in tables:
                if buffer.kind == "const":
                    tables[key] = f.symbol(f"const_{buffer.index}")
                else:
                    table = inputs if buffer.kind == "input" else outputs
                    tables[key] = f.load(PTR, f.at(table, PTR, buffer.index))
            return tables[key]

        spent = 0.0
        for i, (step, *others), kind, offsets in runs(steps, layout.offsets, layout.size):
            spent += cost.of_step(step) * (1 + len(others))
            if spent > PULSE:
                pulse(f, arena)
                spent = 0.0
            if offsets is not None:
                self._run(f, f"{name}_row{i}", step, kind, offsets)
                continue
            known = {b: pointer(b) for b in operands(step)}
            if isinstance(step, Multiply) and cut_of(step, self.target) is None:
                scratch = f.at(arena, I8, layout.scratch)
                emit_multiply(self.module, f, step, known, scratch, f"{name}_product{i}")
                continue
            function = self._function(step, f"{name}_step{i}", list(known), layout, inner)
            pointers = list(known.values())
            if parts := self.parts.get(function.name):
                table = f.at(arena, I8, layout.table)
                emit_share(f, function, parts, pointers, arena, table, step.checked)
            else:
                f.call(function, VOID, *pointers, arena)
            if step.programs or isinstance(step, Spin):
                stop_with(f, arena)

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
        """The function ``(*buffers, status)``, and a number where the step is cut into parts."""
        part = [I64] if wanted > 1 else []
        g = self.module.function(name, VOID, [PTR] * (len(buffers) + 1) + part, "internal")
        status, *index = g.params[len(buffers) :]
        known = dict(zip(buffers, g.params))
        emit_programs = PROGRAMS.get(type(step))
        if emit_programs is not None:
            emit_programs(g, step, known, status, *inner[id(step)])
        elif isinstance(step, Rows):

            def function(s: Step, i: int, used: Sequence[Buffer]) -> Function:
                return self._function(s, f"{name}_{i}", used, layout, inner, cuts=False)

            count = emit_rows(g, step, known, status, function, wanted, *index)
            if index:
                self.parts[name] = count
        elif isinstance(step, Multiply):
            cut = cut_of(step, self.target)
            assert cut is not None
            self.parts[name] = cut.count
            scratch = g.at(status, I8, layout.scratch)
            emit_multiply(self.module, g, step, known, scratch, f"{name}_product", *index)
        else:
            range_ = Part(g, index[0], wanted) if index else None
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


__all__ = ["NativeProgram", "argument", "compile"]
