"""gg.jit: a function traced once for each signature, compiled whole, and called again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import update_wrapper
from itertools import count
from types import MethodType
from typing import Any, NamedTuple

import numpy as np

from glassgrad.array import Array
from glassgrad.array.creation import tracing
from glassgrad.array.handle import as_node
from glassgrad.engines.integer_division import noted, tell
from glassgrad.engines.program import Program
from glassgrad.graph.dtype import as_dtype, as_plain
from glassgrad.graph.errors import CalculusError
from glassgrad.graph.node import ACTIVE, Guard, Node, Trace, new_input
from glassgrad.rewrite.pipeline import finish
from glassgrad.transform.anew import MANY, Change, Course, changes, warn_of_many
from glassgrad.transform.at_rest import collector_at_rest
from glassgrad.transform.checked import Traced, check_engines, check_traces
from glassgrad.transform.closed import closed, stable
from glassgrad.transform.direct import direct_call, native_call, takes
from glassgrad.transform.donate import (
    Chosen,
    as_chosen,
    chosen_leaves,
    donated_pairs,
)
from glassgrad.transform.engine import ENGINES, check_budget, present
from glassgrad.transform.leaves import check_arguments, check_result, kind, leaf_names, signature
from glassgrad.transform.sizes import Graph, Shape, Sizes, Wanted, first_axes, varying_axes
from glassgrad.transform.trace import Function, label_of
from glassgrad.transform.tree import Tree, flatten, unflatten

Key = tuple[Any, ...]
CHAINED = 8  # programs that are tried in turn before the general way


_making = threading.RLock()  # one program is made at a time, since LLVM makes one at a time


def _renew() -> None:
    """In the child of a fork, whose other threads are gone."""
    global _making
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class Specialisation(NamedTuple):
    """One compiled program: what it returns, and what must hold for it to be the right one."""

    program: Program
    result: Tree
    guards: tuple[Any, ...]  # observed values; the program's last outputs are compared with them
    changes: list[Change]  # from the program before
    any_size: bool = False  # whether it is one for every size, laid out for one


class Jit:
    """A compiled function. New shapes, dtypes or guarded values trace and compile anew.

    `__call__` is a slot: it holds the builtin of the newest program, which Python then calls
    without a frame of its own, and which gives calls of other signatures to the ones before it.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")

    def __init__(
        self, f: Function, engine: str, check: bool, donate: Chosen = (), batch: Chosen = (),
        budget: int | None = None,
    ) -> None:  # fmt: skip
        if engine not in ENGINES:
            raise CalculusError(f"gg.jit: engine is one of {', '.join(ENGINES)}, not {engine!r}")
        if budget is not None:
            check_budget(budget, engine, bool(batch))
        if not callable(f):
            raise TypeError(f"gg.jit takes a function, not {f!r}")
        update_wrapper(self, f, updated=())
        self.f = f
        self.engine = engine
        self.check = check
        self.donate = donate
        self.batch = batch
        self.budget = budget
        self.sizes = Sizes()
        self.programs: dict[Key, list[Specialisation]] = {}
        self.latest: Course | None = None
        self.__call__: Callable[..., Any] = self._general

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        """Of a function in a class, the method of an object, as of any function."""
        return self if owner is None else MethodType(self, owner)

    def __repr__(self) -> str:
        count = len(self._compiled()) + len(self.sizes.made())
        return f"<{label_of(self.f)} compiled for the {self.engine} engine, {count} programs>"

    def _compiled(self) -> list[Specialisation]:
        """The programs that were compiled for the shapes of their arguments."""
        return [p for group in self.programs.values() for p in group if not p.any_size]

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        """A call of any signature: the program that fits is found, or made."""
        leaves, tree = flatten((args, kwargs))
        if ACTIVE.get() is not None or any(isinstance(v, Array) for v in leaves):
            return self.f(*args, **kwargs)  # part of a larger trace
        key = (tree, *map(signature, leaves))
        arrays = [as_plain(v, "an argument") for v in leaves if not isinstance(v, bool)]
        group = self.programs.setdefault(key, [])
        for known in group:
            values = self._tried(known, arrays, leaves, tree)
            if values is not None:
                return _result(known, values)
        tried = len(group)
        self.engine = present(self.engine)
        traced = self._trace(leaves, tree)
        if self.check:
            first, second = map(_stable, (traced, self._trace(leaves, tree)))
            check_traces(first, second, label_of(self.f))
            if self.engine == "native":
                check_engines(first, arrays)
        with _making:
            for known in group[tried:]:  # made by another thread meanwhile
                values = self._tried(known, arrays, leaves, tree)
                if values is not None:
                    return _result(known, values)
            made = self._sized(leaves, tree, *traced) or self._compile(leaves, tree, *traced)
            group.append(made)
        return _result(made, self._values(made, arrays, leaves, tree))

    def _tried(
        self, known: Specialisation, arrays: Sequence[Any], leaves: Sequence[Any], tree: Tree
    ) -> list[Any] | None:
        """What a program gives; None, and nothing is told, where its guards do not hold."""
        if not known.guards:
            return self._values(known, arrays, leaves, tree)
        with noted() as faults:
            values = self._values(known, arrays, leaves, tree)
        if not _holds(known, values):
            return None
        tell(faults)
        return values

    def _values(
        self, known: Specialisation, arrays: Sequence[Any], leaves: Sequence[Any], tree: Tree
    ) -> list[Any]:
        """What a program gives; one for every size fails without knowing where."""
        if not known.any_size:
            return known.program(arrays)
        from glassgrad.engines.native.calling import UnexplainedError

        try:
            return known.program(arrays)
        except UnexplainedError as failed:
            error = failed
        inputs, outputs, _, trace = self._trace(leaves, tree)
        raise error.explained(finish(stable(outputs, inputs, trace)), inputs, arrays)

    @collector_at_rest
    def prepare(self, *args: Any, **kwargs: Any) -> Jit:
        """Compiles for arguments like these without running, to read `report` first; itself."""
        leaves, tree = flatten((args, kwargs))
        group = self.programs.setdefault((tree, *map(signature, leaves)), [])
        self.engine = present(self.engine)
        traced = None if group else self._trace(leaves, tree)
        with _making:
            if traced is not None and not group:
                made = self._sized(leaves, tree, *traced) or self._compile(leaves, tree, *traced)
                group.append(made)
        return self

    @collector_at_rest
    def _sized(
        self, leaves: Sequence[Any], tree: Tree, inputs: list[Node], outputs: list[Node],
        result: Tree, trace: Trace,
    ) -> Specialisation | None:  # fmt: skip
        """A program that takes any size along the axes that vary; None where none is called for."""
        if self.engine != "native" or self.budget is not None:
            return None
        call = (tree, *map(kind, leaves))
        shapes = [x.shape for x in inputs]
        if self.batch:
            chosen = self._batch_leaves(leaves, tree)
            varying = first_axes(chosen, shapes)
            if varying is None:
                given = ", ".join(str(shapes[i]) for i in sorted(chosen)) or "no arrays"
                self.sizes.refuse(call, f"the batch has no first axis of one size: {given}")
        else:
            varying = varying_axes(self.sizes.first.setdefault(call, shapes), shapes)
        if varying is None:
            return None
        if any(g.node.bound for g in trace.guards):
            self.sizes.refuse(call, "it looks at values")
            return None

        def again(shapes: Sequence[Shape] | None) -> Graph | None:
            traced = self._trace(leaves, tree, shapes)
            return None if any(g.node.bound for g in traced[3].guards) else _finished(*traced)

        graph = _finished(inputs, outputs, result, trace)
        wanted = Wanted(
            self._donated(leaves, tree, inputs, result, outputs), label_of(self.f),
            direct_call(leaves, tree, result, ()), takes(leaves), self._receiver(),
        )  # fmt: skip
        known = len(self.sizes.made())
        program = self.sizes.program(call, varying, graph, again, wanted)
        trace.root().values.clear()
        if program is None:
            return None
        is_new = len(self.sizes.made()) > known
        if is_new and program.general.fast is not None:
            self.__call__ = program.general.fast
        found = self._changes(leaves, tree, []) if is_new else []
        return Specialisation(program, result, (), found, True)

    def _batch_leaves(self, leaves: Sequence[Any], tree: Tree) -> set[int]:
        """Which of the arrays have a batch as their first axis."""
        places = chosen_leaves(self.f, self.batch, tree, "batch")
        number = count()
        numbers = [None if isinstance(leaf, bool) else next(number) for leaf in leaves]
        return {n for i, n in enumerate(numbers) if n is not None and i in places}

    @collector_at_rest
    def _compile(
        self, leaves: Sequence[Any], tree: Tree, inputs: list[Node], outputs: list[Node],
        result: Tree, trace: Trace,
    ) -> Specialisation:  # fmt: skip
        guards = [g for g in trace.guards if g.node.bound]
        looked_at = closed([g.node for g in guards], inputs, trace)
        direct = self.engine == "native" and all(g.node.shape == () for g in guards)
        if direct and (call := direct_call(leaves, tree, result, guards)):
            donated = {} if guards else self._donated(leaves, tree, inputs, result, outputs)
            raw = len(outputs)
            if closed(outputs, inputs, trace) != outputs:  # laws see variables there, not arrays
                outputs, raw = stable(outputs, inputs, trace), 0
            program, self.__call__ = native_call(
                [*outputs, *looked_at], inputs, call, takes(leaves), self._receiver(), donated,
                self.budget, raw,
            )  # fmt: skip
        else:
            final = finish([*stable(outputs, inputs, trace), *looked_at])
            program = ENGINES[self.engine](final, inputs, self.budget)
        trace.root().values.clear()  # the program outlives the arrays that it was traced with
        observed = tuple(np.asarray(g.value) for g in guards)
        return Specialisation(program, result, observed, self._changes(leaves, tree, guards))

    def _receiver(self) -> Callable[..., Any]:
        """Who gets the calls that do not fit the next program."""
        chained = len(self._compiled()) + len(self.sizes.made()) < CHAINED
        return self.__call__ if chained else self._general

    def _changes(
        self, leaves: Sequence[Any], tree: Tree, guards: Sequence[Guard]
    ) -> list[Change]:  # fmt: skip
        """What differs from the program before; a warning where there are very many."""
        course = Course(tree, leaf_names(self.f, tree), list(map(signature, leaves)), guards)
        found = [] if self.latest is None else changes(self.latest, course)
        self.latest = course
        before = self._compiled()
        if len(before) == MANY:
            warn_of_many(label_of(self.f), [*(c for p in before for c in p.changes), *found])
        return found

    def _donated(
        self, leaves: Sequence[Any], tree: Tree, inputs: Sequence[Node], result: Tree,
        outputs: Sequence[Node],
    ) -> dict[int, int]:  # fmt: skip
        """Which outputs take which inputs' memory."""
        if not self.donate:
            return {}
        numbered = iter(inputs)
        nodes = [None if isinstance(leaf, bool) else next(numbered) for leaf in leaves]
        return donated_pairs(self.f, self.donate, tree, nodes, result, outputs)

    @collector_at_rest
    def _trace(
        self, leaves: Sequence[Any], tree: Tree, shapes: Sequence[Shape] | None = None
    ) -> tuple[list[Node], list[Node], Tree, Trace]:
        """The graph of a call, as the function returned it: not stable yet, nor closed.

        With `shapes` it is that of arrays of these shapes, whose values nobody knows.
        """
        trace = Trace()
        names = leaf_names(self.f, tree)
        inputs: list[Node] = []
        handles: list[Any] = []
        for leaf, name in zip(leaves, names):
            if isinstance(leaf, bool):
                handles.append(leaf)
                continue
            array = as_plain(leaf, f"argument {name!r}")
            dtype = as_dtype(array.dtype, f"argument {name!r}")
            shape = array.shape if shapes is None else shapes[len(inputs)]
            node = new_input(trace, name, shape, dtype)
            if shapes is None:
                trace.values[node] = array
            inputs.append(node)
            handles.append(Array(node, weak=type(leaf) in (int, float)))
        check_arguments(self.f, tree)
        args, kwargs = unflatten(tree, handles)
        with tracing(trace):
            returned = self.f(*args, **kwargs)
        found, result = flatten(returned)
        check_result(self.f, result)
        return inputs, [as_node(v, trace) for v in found], result, trace.root()

    def report(self) -> str:
        """What was compiled, for each signature, and why more than once."""
        lines = [repr(self)]
        for group in self.programs.values():
            for number, made in enumerate(group):
                guards = f", {len(made.guards)} guarded values" if made.guards else ""
                if not made.any_size:
                    lines.append(f"program {number}{guards}: {made.program.report()}")
                lines.extend(f"compiled anew: {c.text}" for c in made.changes)
        for template in self.sizes.made():
            lines.append(template.program.report())
            lines.append(f"sizes so far: {template.told()}")
        lines.extend(f"compiled for each size by itself: {r}" for r in self.sizes.reasons())
        return "\n".join(lines)


def _stable(traced: tuple[list[Node], list[Node], Tree, Trace]) -> Traced:
    inputs, outputs, _, trace = traced
    return inputs, stable(outputs, inputs, trace)


def _finished(inputs: list[Node], outputs: list[Node], result: Tree, trace: Trace) -> Graph:
    return Graph(inputs, finish(stable(outputs, inputs, trace)), result)


def _holds(known: Specialisation, values: Sequence[Any]) -> bool:
    return all(
        np.array_equal(v, g, equal_nan=g.dtype.kind == "f")
        for v, g in zip(values[-len(known.guards) :], known.guards)
    )


def _result(known: Specialisation, values: Sequence[Any]) -> Any:
    return unflatten(known.result, [v if v.ndim else v[()] for v in values])


def jit(
    f: Callable[..., Any] | None = None,
    *,
    engine: str = "native",
    check: bool = False,
    donate: int | str | Sequence[int | str] = (),
    batch: int | str | Sequence[int | str] = (),
    budget: int | None = None,
) -> Any:
    """The function compiled whole: traced at the first call of a signature, then run as a program.

    `engine` is "native" (machine code) or "reference" (NumPy, node by node). Nothing falls back
    silently: what an engine cannot run is an error that names the op. Values that the function
    looked at (`if x > 0`) are checked at each call, and another course is compiled when they
    differ. On a machine without llvmlite the reference engine runs, and says so once. With `check`
    the function is traced twice, and a difference (random numbers, a changing global) is an error;
    then both engines compute every node, and the first on which they differ beyond its bound is
    named. `.report()` says what was compiled, and why it was compiled anew.

    `donate` names arguments (positions, names, or several) whose arrays may be overwritten: a
    result of the same structure, shape and dtype is then returned in their memory, as the same
    array objects, which saves memory and time. Whoever still holds a donated array sees the new
    numbers in it, and after an error in the call it may hold any numbers. An array that cannot be
    written over (read-only, not contiguous, sharing memory with another argument) is left as it
    is, and its result is a fresh array. So is every result of the reference engine, and of a
    function that looks at values: whether its course is right is known only after it has run.

    Another extent along some axis compiles once more, but then for every extent: the rows of a
    batch may be as many as they like. `batch` names arguments whose first axis is a batch, so that
    the first program is of that kind; it serves all sizes a little slower than one made for a size
    serves that. `.report()` says where there can be no such program, and why.

    With a `budget` a call needs at most so many bytes besides its arguments: what would wait for
    long, as activations do for the backward pass, is computed again when it is needed, as little as
    does. The result has the same bits. A budget that cannot be kept is refused, with the least that
    can; memory is then laid out for one size at a time.

    >>> import glassgrad as gg, numpy as np
    >>> gg.jit(lambda x: np.sum(x**2), engine="reference")(np.arange(3.0))
    np.float64(5.0)
    """
    chosen = as_chosen(donate, "donate"), as_chosen(batch, "batch")
    if f is None:
        return lambda function: Jit(function, engine, check, *chosen, budget)
    return Jit(f, engine, check, *chosen, budget)
