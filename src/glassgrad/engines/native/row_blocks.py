"""Steps over the same rows, joined so that each row is read and written once.

A normalisation is three or four passes over a matrix: sums of rows, what is computed from them, and
loops that use it. Where rows do not depend on each other, all passes are made over a few rows, then
over the next few: what one pass leaves for another stays in the cache, and what nobody else needs
is never written to memory. Each step remains what it was, over fewer rows, so no bit changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from glassgrad.engines.native import cost
from glassgrad.engines.native.emit import I8, VOID, Function, Value, of_dtype
from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Store,
    loads,
    walk,
)
from glassgrad.engines.native.row_step import Rows, Turns
from glassgrad.engines.native.row_sums import RowSums, with_sums
from glassgrad.engines.native.step import Loop, Reduction, Step
from glassgrad.engines.native.strided import Strided, row_major

_LARGE = 65536  # bytes: smaller matrices stay in the cache anyway
_TURN = 49152  # bytes of all rows of one turn
_LOCAL = 131072  # bytes of what lies on the stack
_FAR = 524288  # bytes: of smaller matrices the next row is near already
_WAITING = 8  # steps that may be put off until the rows are done

Pairs = Mapping[Buffer, Buffer]


def in_row_blocks(steps: Sequence[Step], pairs: Pairs, copies: Sequence[Step] = ()) -> list[Step]:
    """The steps, with those over the same rows joined; `pairs` lie in the same memory.

    The `copies` stay at the end: they write over what any step may read.
    """
    steps = [s for s in steps if s not in copies]
    if not any(_starts(s) for s in steps):
        return [*steps, *copies]
    users: dict[Buffer, set[Step]] = {}
    for step in (*steps, *copies):
        for b in (*step.reads(), *step.writes()):
            users.setdefault(b, set()).add(step)
    found: list[Step] = []
    waiting = deque(steps)
    while waiting:
        first = waiting.popleft()
        if not _starts(first):
            found.append(first)
            continue
        group = _Group(pairs, _rows(first))
        group.add(first)
        while waiting and len(group.later) < _WAITING:
            step = waiting.popleft()
            if group.takes(step):
                group.add(step)
            else:
                group.later.append(step)
        waiting.extendleft(reversed(group.later))
        found += group.joined(users)
    return [*found, *copies]


def _rows(step: Step) -> int:
    """The rows over which a step runs one by one; 0 where it does not."""
    if isinstance(step, Loop | Reduction) and not (isinstance(step, Reduction) and 0 in step.axes):
        space = step.space if isinstance(step, Reduction) else step.shape
        if space and 0 not in space and step.shape:
            return space[0]
    return 0


def _starts(step: Step) -> bool:
    if _rows(step) < 2:
        return False
    return any(x.dtype.itemsize * prod(x.view.shape) >= _LARGE for x in loads(step.roots()))


def _within(view: Strided, row: int) -> bool:
    """Whether each row of a view lies within a row of the buffer."""
    inner = list(zip(view.shape[1:], view.strides[1:]))
    last = view.offset + sum((n - 1) * s for n, s in inner)
    forward = view.offset >= 0 and all(s >= 0 for _, s in inner)
    return view.strides[0] == row and forward and last < row


@dataclass
class _Group:
    """Steps that may become one; `later` are those between them that run afterwards."""

    pairs: Pairs
    rows: int
    steps: list[Step] = field(default_factory=list)
    later: list[Step] = field(default_factory=list)
    row: dict[Buffer, int] = field(default_factory=dict)  # elements of a row of what is written
    read: dict[Buffer, list[Load | Gather]] = field(default_factory=dict)

    def add(self, step: Step) -> None:
        """Takes a step in."""
        self.steps.append(step)
        for x in loads(step.roots()):
            self.read.setdefault(x.buffer, []).append(x)
        for store in step.stores:
            self.row[store.buffer] = store.view.strides[0]

    def takes(self, step: Step) -> bool:
        """Whether a step has the same rows, works on the same memory, and waits for no other."""
        if _rows(step) != self.rows or self._must_wait(step):
            return False
        read = loads(step.roots())
        if not any(x.buffer in self.row or x.buffer in self.read for x in read):
            return False
        return all(map(self._reads_own_rows, read)) and all(
            self._writes_own_rows(s, read) for s in step.stores
        )

    def _must_wait(self, step: Step) -> bool:
        """Whether a step needs, or spoils, what steps that were put off read or write."""
        mine = {*step.writes()} | {self.pairs[b] for b in step.writes() if b in self.pairs}
        seen = mine | {*step.reads()}
        return any(
            not seen.isdisjoint(s.writes()) or not mine.isdisjoint(s.reads()) for s in self.later
        )

    def _reads_own_rows(self, x: Load | Gather) -> bool:
        if x.buffer not in self.row:
            return True
        return isinstance(x, Load) and _within(x.view, self.row[x.buffer])

    def _writes_own_rows(self, store: Store, read: Sequence[Load | Gather]) -> bool:
        row = store.view.strides[0]
        if not _within(store.view, row) or self.row.get(store.buffer, row) != row:
            return False
        if store.buffer in self.read and store.buffer not in self.row:
            return False
        argument = self.pairs.get(store.buffer)
        if argument is None:
            return True
        others = [*self.read.get(argument, ()), *(x for x in read if x.buffer is argument)]
        return all(isinstance(x, Load) and _within(x.view, row) for x in others)

    # -- the joined step ------------------------------------------------------

    def joined(self, users: Mapping[Buffer, set[Step]]) -> list[Step]:
        """One step where that saves memory traffic, else the steps as they are."""
        own = set(self.steps)
        local = [b for b in self.row if b.kind == "arena" and users[b] <= own]
        reads = [b for b in self.read if b not in self.row and b.nbytes >= _LARGE]
        again = [b for b in reads if sum(b in s.reads() for s in self.steps) > 1]
        one = sum(self.row[b] * b.dtype.itemsize for b in local)
        if len(self.steps) < 2 or sum(b.nbytes for b in (*local, *again)) < _LARGE or one > _LOCAL:
            return self.steps
        if not all(_within(s.view, s.view.strides[0]) for s in self.steps[0].stores):
            return self.steps
        row = sum(b.nbytes // self.rows for b in (*self.row, *reads))
        turn = _turn_rows(self.rows, max(1, _TURN // max(1, row)))
        return [_Windows(self, local, turn).step()]


def _turn_rows(rows: int, most: int) -> int:
    """How many rows at a time: a divisor where there is one that is not much smaller."""
    most = min(rows, most)
    return next((n for n in range(most, most * 2 // 3, -1) if rows % n == 0), most)


class _Windows:
    """The steps of a group over a few rows: the same expressions on windows of their buffers."""

    def __init__(self, group: _Group, local: Sequence[Buffer], turn: int) -> None:
        self.group, self.turn = group, turn
        self.local = {b: Buffer("local", b.dtype, (turn * group.row[b],)) for b in local}
        self.windows: dict[Buffer, tuple[Buffer, int]] = {}
        self.known: dict[tuple[Buffer, int], Buffer] = {}

    def step(self) -> Rows:
        """The joined step."""
        rows, turn = self.group.rows, self.turn
        whole, rest = divmod(rows, turn)
        turns = [Turns(0, whole, turn, self._steps(turn))]
        self._fetch_ahead(turns[0])
        if rest:
            turns.append(Turns(rows - rest, 1, rest, self._steps(rest)))
        nodes = [n for s in self.group.steps for n in s.nodes]
        used = {b for t in turns for s in t.steps for b in (*s.reads(), *s.writes())}
        local = [b for b in self.local.values() if b in used]
        return Rows(nodes, [], rows, turns, self.windows, local)

    def _steps(self, rows: int) -> list[Step]:
        steps = [self._moved(s, rows) for s in self.group.steps]
        fresh = {w for w, (b, _) in self.windows.items() if b not in self.group.pairs}
        return with_sums(steps, {*self.local.values()}, fresh)

    def _fetch_ahead(self, turns: Turns) -> None:
        """The step that takes longest asks for the rows of the next turn meanwhile."""
        longest = max(turns.steps, key=cost.of_step)
        if not isinstance(longest, Loop | RowSums) or turns.count < 2:
            return
        space = longest.space if isinstance(longest, RowSums) else longest.shape
        inside = row_major(space)[1:]
        for window, (buffer, row) in self.windows.items():
            if buffer.nbytes >= _FAR and row == prod(space[1:]):
                view = Strided(space, (row, *inside), turns.rows * row)
                longest.ahead.append(Load(window, view))

    def _moved(self, step: Step, rows: int) -> Step:
        """A step over `rows` rows."""
        assert isinstance(step, Loop | Reduction)
        memo: dict[Expr, Expr] = {}
        for x in walk(step.roots()):
            memo[x] = self._expression(x, rows, memo)
        stores = [Store(memo[s.expr], *self._window(s.buffer, s.view, rows)) for s in step.stores]
        if isinstance(step, Loop):
            made: Step = Loop(step.nodes, stores)
        else:
            space, operand = (rows, *step.space[1:]), memo[step.operand]
            made = Reduction(
                step.nodes, stores, space, step.axes, step.kind, operand, step.seed
            )  # fmt: skip
        made.overwrites = [w for w, (b, _) in self.windows.items() if b in step.overwrites]
        return made

    def _expression(self, x: Expr, rows: int, memo: Mapping[Expr, Expr]) -> Expr:
        args = tuple(memo[a] for a in x.args)
        if isinstance(x, Load):
            return Load(*self._window(x.buffer, x.view, rows))
        if isinstance(x, Gather):
            buffer, view = self._window(x.buffer, x.view, rows)
            return Gather(buffer, view, args, x.extents, x.strides)
        return x.on(args) if isinstance(x, Apply) else x

    def _window(self, buffer: Buffer, view: Strided, rows: int) -> tuple[Buffer, Strided]:
        """What stands for a buffer, and the view of it for some rows."""
        some = Strided((rows, *view.shape[1:]), view.strides, view.offset)
        if buffer in self.local:
            return self.local[buffer], some
        key = buffer, view.strides[0]
        if key not in self.known:
            self.known[key] = Buffer("window", buffer.dtype, buffer.shape)
            self.windows[self.known[key]] = key
        return self.known[key], some


def emit_rows(
    f: Function, step: Rows, pointers: Mapping[Buffer, Value], status: Value,
    function: Callable[[Step, int, list[Buffer]], Function], wanted: int = 1,
    part: Value | None = None,
) -> int:  # fmt: skip
    """All turns, each a call of every step's function; `function` gives that, by its number.

    With a `part` it is the turns of that part, of about as many as are wanted. Gives their number.
    """
    total = step.turns[0].count
    each = -(-total // wanted)
    count = -(-total // each)
    size = {b: -(-b.nbytes // 64) * 64 for b in step.local}
    stack = f.stack(I8, max(1, sum(size.values())))
    place: dict[Buffer, Value] = {}
    start = 0
    for b in step.local:
        place[b] = f.at(stack, I8, start)
        start += size[b]

    def where(b: Buffer, row: Value) -> Value:
        if b in place:
            return place[b]
        outside, stride = step.windows[b]
        return f.at(pointers[outside], of_dtype(b.dtype), row * stride)

    number = 0
    for turns in step.turns:
        calls: list[tuple[Function, list[Buffer]]] = []
        for inner in turns.steps:
            ahead = (x.buffer for x in inner.ahead)
            used = list(dict.fromkeys([*inner.writes(), *inner.reads(), *ahead]))
            calls.append((function(inner, number, used), used))
            number += 1

        def turn(i: Value, turns: Turns = turns, calls: list = calls) -> None:
            row = i * turns.rows + turns.start
            for callee, used in calls:
                f.call(callee, VOID, *(where(b, row) for b in used), status)

        if part is None:
            f.loop(0, turns.count, 1, turn)
        elif turns is step.turns[0]:
            low, stop = part * each, part * each + each
            f.loop(low, f.select(f.compare("slt", stop, total), stop, total), 1, turn)
        else:
            f.branch(f.compare("eq", part, count - 1), lambda turn=turn: turn(f.index(0)))
    return count


__all__ = ["emit_rows", "in_row_blocks"]
