"""One function under construction: instructions in blocks, branches and structured loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glassgrad.engines.native.instructions import Instructions
from glassgrad.engines.native.irtype import Type
from glassgrad.engines.native.value import Value


class Function(Instructions):
    """One function under construction; control flow is written as it is nested."""

    def label(self, stem: str) -> str:
        """A block name that was not used before."""
        self._count += 1
        return f"{stem}{self._count}"

    def begin(self, label: str) -> None:
        """Starts the block `label`; the block before it must have ended in a jump or `ret`."""
        self._lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """Ends the block with a jump."""
        self._lines.append(f"  br label %{label}")

    def jump_if(self, condition: Value, yes: str, no: str) -> None:
        """Ends the block with a two-way jump."""
        self._lines.append(f"  br i1 {condition.text}, label %{yes}, label %{no}")

    def phi(self, type_: Type, incoming: Sequence[tuple[Value, str]]) -> Value:
        """A phi node; must come first in its block."""
        pairs = ", ".join(f"[ {v.text}, %{block} ]" for v, block in incoming)
        return self._emit(type_, f"phi {type_} {pairs}")

    def ret(self, x: Value | None = None) -> None:
        """Ends the block by returning."""
        self._lines.append("  ret void" if x is None else f"  ret {x.type} {x.text}")

    def ret_all(self, values: Sequence[Value]) -> None:
        """Ends the block by returning one value, or several together."""
        if len(values) == 1:
            self.ret(values[0])
            return
        self.result = Type.struct([v.type for v in values])
        together = Value(self, "poison", self.result)
        for i, v in enumerate(values):
            text = f"insertvalue {self.result} {together.text}, {v.type} {v.text}, {i}"
            together = self._emit(self.result, text)
        self.ret(together)

    def unreachable(self) -> None:
        """Ends the block where control never comes."""
        self._lines.append("  unreachable")

    def guard(self, condition: Value, fail: Callable[[], None]) -> None:
        """Runs `fail` (which must end in `ret` or a jump) unless `condition` holds."""
        bad, good = self.label("bad"), self.label("good")
        self.jump_if(condition, good, bad)
        self.begin(bad)
        fail()
        self.begin(good)

    def branch(
        self,
        condition: Value,
        then: Callable[[], Sequence[Value] | None],
        otherwise: Callable[[], Sequence[Value] | None] = lambda: None,
    ) -> list[Value]:
        """Runs one of two bodies; the values they return are joined."""
        yes, no, join = self.label("then"), self.label("else"), self.label("join")
        self.jump_if(condition, yes, no)
        self.begin(yes)
        a = list(then() or ())
        a_end = self.block
        self.jump(join)
        self.begin(no)
        b = list(otherwise() or ())
        b_end = self.block
        self.jump(join)
        self.begin(join)
        return [self.phi(x.type, [(x, a_end), (y, b_end)]) for x, y in zip(a, b)]

    def loop(
        self,
        start: Value | int,
        stop: Value | int,
        step: int,
        body: Callable[..., Sequence[Value] | None],
        carried: Sequence[Value] = (),
    ) -> list[Value]:
        """``for i in range(start, stop, step)`` (step > 0): ``carried = body(i, *carried)``.

        Returns the carried values after the last turn. With constant bounds a loop of one turn
        is emitted straight, one of no turn not at all.
        """
        if isinstance(stop, int) and (varying := self.varying(stop)) is not None:
            stop = varying
        if isinstance(start, int) and isinstance(stop, int):
            turns = len(range(start, stop, step))
            if turns <= 1:
                return list((body(self.index(start), *carried) or ()) if turns else carried)
            stop = start + turns * step
            return self._counted(self.index(start), self.index(stop), step, body, carried)
        first = self.index(start) if isinstance(start, int) else start
        last = self.index(stop) if isinstance(stop, int) else stop
        return self.branch(
            self.compare("slt", first, last),
            lambda: self._counted(first, last, step, body, carried),
            lambda: list(carried),
        )

    def _counted(
        self,
        start: Value,
        stop: Value,
        step: int,
        body: Callable[..., Sequence[Value] | None],
        carried: Sequence[Value],
    ) -> list[Value]:
        head, done, before = self.label("loop"), self.label("done"), self.block
        self.jump(head)
        self.begin(head)
        place = len(self._lines)
        initial = [start, *carried]
        phis = [self._emit(v.type, "") for v in initial]
        self.depth += 1
        after = list(body(*phis) or ())
        self.depth -= 1
        following = phis[0] + step
        for k, (phi, old, new) in enumerate(zip(phis, initial, [following, *after])):
            self._lines[place + k] = (
                f"  {phi.text} = phi {phi.type} [ {old.text}, %{before} ], "
                f"[ {new.text}, %{self.block} ]"
            )
        self.jump_if(self.compare("slt", following, stop), head, done)
        self.begin(done)
        return after

    def turns(
        self,
        test: Callable[..., Value],
        body: Callable[..., Sequence[Value]],
        carried: Sequence[Value],
    ) -> list[Value]:
        """``while test(*carried): carried = body(*carried)``; returns the last carried values."""
        head, more, done = self.label("while"), self.label("turn"), self.label("done")
        before = self.block
        self.jump(head)
        self.begin(head)
        place = len(self._lines)
        phis = [self._emit(v.type, "") for v in carried]
        self.depth += 1
        self.jump_if(test(*phis), more, done)
        self.begin(more)
        after = body(*phis)
        for i, (phi, old, new) in enumerate(zip(phis, carried, after)):
            self._lines[place + i] = (
                f"  {phi.text} = phi {phi.type} [ {old.text}, %{before} ], "
                f"[ {new.text}, %{self.block} ]"
            )
        self.jump(head)
        self.depth -= 1
        self.begin(done)
        return phis

    def text(self) -> str:
        """The function's definition."""
        params = ", ".join(
            f"{t}{' noalias' if i in self.noalias else ''} %p{i}"
            for i, t in enumerate(self.parameter_types)
        )
        linkage = f"{self.linkage} " if self.linkage else ""
        head = f"define {linkage}{self.result} @{self.name}({params}) #0 {{\nentry:\n"
        return head + "\n".join([*self._first, *self._lines]) + "\n}\n"

    def declaration(self) -> str:
        """What a unit that calls the function, and does not hold it, must know."""
        types = ", ".join(t.text for t in self.parameter_types)
        return f"declare {self.result} @{self.name}({types})"
