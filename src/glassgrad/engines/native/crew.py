"""The crew: workers that take parts of a step, in machine code.

A job is a function, a context and a number of parts. One word, the ticket, holds the number of the
job and which of its parts nobody has taken; whoever swaps it for the same with one part less may
run that part. The caller takes parts from the front, the workers from the back, so that each finds
in its cache what it wrote in the step before. The caller runs whatever is left itself: a worker
that sleeps, or that the system does not run, is not waited for, unless it has begun a part.

A worker without work looks at the ticket for a moment, then sleeps on a lock of its own. One that
finds itself on its caller's processor sleeps too, to be woken on another. A second caller does not
wait for the crew: it runs its parts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glassgrad.engines.native import atomic, placement
from glassgrad.engines.native.clock import now
from glassgrad.engines.native.emit import I1, I8, I32, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.runtime import need, python

MOST = 64  # workers
MOST_PARTS = 1 << 15
TICKET, DONE, JOB, BUSY, ADMITTED, READY = 0, 64, 128, 192, 256, 264  # in the crew's memory
MAIN, NEXT, STATE, ASK = 200, 208, 216, 224  # of the main thread, for interrupts
WAITS, WAIT_LOCK = 72, 272  # whether the caller sleeps, and on what
BALANCE, ALONE_UNTIL, REST = 280, 288, 296  # nanoseconds: saved of late; rests until, for
HOME = 304  # the processor of the caller
ASLEEP = 320  # from here on words for each worker
LOCKS, THREADS, LAST, KEPT_OFF, MASKS = (ASLEEP + 8 * MOST * i for i in range(1, 6))
BYTES = MASKS + placement.MASK * MOST
CREW = "crew"  # the symbol of that memory

_LOOKS = 3000  # at the ticket, before a worker sleeps: some 100 microseconds
_ENOUGH = 1_000_000  # nanoseconds of waiting for workers, more than they saved, and they rest
SHORTEST, _LONGEST = 20_000_000, 640_000_000  # rests, each twice the one before
_PATIENCE = 2  # times a part's time the caller waits awake: a worker at its last part needs less


def emit_crew(module: Module) -> None:
    """The functions ``gg_share``, ``gg_worker`` and those of `placement`."""
    placement.emit_placement(module)
    _emit_wake(module)
    _emit_share(module)
    _emit_worker(module)


def word(f: Function, offset: int, index: Value | int = 0) -> Value:
    """The address of a word of the crew's memory."""
    return f.at(f.at(f.symbol(CREW), I8, offset), I64, index)


def _until(f: Function, turn: Callable[[str], None]) -> None:
    """Repeats `turn(out)`, which jumps to the label `out` to end it."""
    head, out = f.label("again"), f.label("out")
    f.jump(head)
    f.begin(head)
    turn(out)
    f.jump(head)
    f.begin(out)


def _parts(f: Function, ticket: Value) -> tuple[Value, Value]:
    """The first part that nobody has taken, and the one after the last."""
    return f.binary("and", f.binary("lshr", ticket, 16), 0xFFFF), f.binary("and", ticket, 0xFFFF)


def _counted(f: Function, slot: Value) -> Value:
    """Adds one to a counter on the stack; what it was."""
    before = f.load(I64, slot)
    f.store(before + 1, slot)
    return before


# -- the caller ---------------------------------------------------------------


def _emit_share(module: Module) -> None:
    """``i1 (function, context, parts)``: the function, called for each part, by the crew.

    The result says whether the call should stop; some parts are then left out.
    """
    f = module.function("gg_share", I1, [PTR, PTR, I64])
    function, context, count = f.params
    mine, gone, stopped = (f.stack(I64) for _ in range(3))
    alone = f.label("alone")
    admitted = atomic.read(f, I64, word(f, ADMITTED))
    need(f, f.compare("sgt", count, 1), alone)
    need(f, f.compare("sgt", admitted, 0), alone)
    start = now(f)
    need(f, f.compare("sge", start, f.load(I64, word(f, ALONE_UNTIL))), alone)
    need(f, atomic.swap_if(f, word(f, BUSY), f.index(0), f.index(1)), alone)
    atomic.write(f, function, word(f, JOB))
    atomic.write(f, context, word(f, JOB, 1))
    atomic.write(f, placement.processor(f), word(f, HOME))
    atomic.write(f, f.index(0), word(f, DONE))
    number = f.binary("lshr", atomic.read(f, I64, word(f, TICKET)), 32) + 1
    atomic.write(f, f.binary("or", f.binary("shl", number, 32), count), word(f, TICKET))
    atomic.fence(f)
    f.call("gg_wake", VOID, f.select(f.compare("slt", admitted, count), admitted, count - 1))
    woken = now(f)
    for slot in (mine, gone, stopped):
        f.store(f.index(0), slot)
    _until(f, lambda out: _take(f, function, context, (mine, gone, stopped), out))
    taken, own = now(f), f.load(I64, mine)
    others = count - own - f.load(I64, gone)
    each = f.binary("sdiv", taken - woken, f.select(f.compare("sgt", own, 1), own, 1))
    patience = taken + each * _PATIENCE
    _until(f, lambda out: _wait(f, others, patience, out))
    _weigh(f, each * others - (now(f) - taken) - (woken - start))
    atomic.write(f, f.index(0), word(f, BUSY))
    f.ret(f.compare("ne", f.load(I64, stopped), 0))
    f.begin(alone)

    def one(i: Value) -> None:
        f.call_pointer(function, VOID, context, i)
        f.guard(~f.call("gg_pulse", I1), lambda: f.ret(f.const(I1, 1)))

    f.loop(0, count, 1, one)
    f.ret(f.const(I1, 0))


def _take(
    f: Function, function: Value, context: Value, slots: Sequence[Value], out: str
) -> None:  # fmt: skip
    """The caller takes the first part that is left; all of them, to drop them, if it must stop."""
    mine, gone, stopped = slots
    ticket = atomic.read(f, I64, word(f, TICKET))
    front, back = _parts(f, ticket)
    need(f, f.compare("ult", front, back), out)

    def run() -> None:
        atomic.write(f, placement.processor(f), word(f, HOME))
        f.call_pointer(function, VOID, context, front)
        _counted(f, mine)
        f.branch(f.call("gg_pulse", I1), drop)

    def drop() -> None:
        f.store(f.index(1), stopped)
        _until(f, dropped)

    def dropped(over: str) -> None:
        ticket = atomic.read(f, I64, word(f, TICKET))
        front, back = _parts(f, ticket)
        left = back - front
        f.store(f.select(f.compare("sgt", left, 0), left, 0), gone)
        empty = f.binary("shl", f.binary("lshr", ticket, 16), 16)
        need(f, ~atomic.swap_if(f, word(f, TICKET), ticket, empty), over)

    f.branch(atomic.swap_if(f, word(f, TICKET), ticket, ticket + (1 << 16)), run)


def _wait(f: Function, others: Value, patience: Value, out: str) -> None:
    """Until the workers have finished what they have begun; asleep from that time on."""

    def more() -> Value:
        return f.compare("slt", atomic.read(f, I64, word(f, DONE)), others)

    def sleep() -> None:  # woken by the next part that is finished
        atomic.exchange(f, word(f, WAITS), f.index(1))
        atomic.fence(f)
        f.branch(more(), rest, take_back)

    def rest() -> None:
        lock = f.load(PTR, word(f, WAIT_LOCK))
        python(f, "PyThread_acquire_lock", I32, lock, f.const(I32, 1))

    def take_back() -> None:
        had = atomic.exchange(f, word(f, WAITS), f.index(0))
        f.branch(f.compare("eq", had, 0), rest)

    need(f, more(), out)
    f.branch(f.compare("slt", now(f), patience), lambda: atomic.pause(f), sleep)


def _weigh(f: Function, saved: Value) -> None:
    """Whether the crew is worth its while; where it was not of late, it rests for some time.

    The parts of the workers would have taken the caller as long as its own have; it has woken them
    and waited instead.
    """
    balance = f.load(I64, word(f, BALANCE)) + saved
    good, poor = f.compare("sgt", balance, _ENOUGH), f.compare("slt", balance, -_ENOUGH)
    f.store(f.select(poor, f.index(0), f.select(good, _ENOUGH, balance)), word(f, BALANCE))
    rest = f.load(I64, word(f, REST))

    def pause() -> None:
        f.store(now(f) + rest, word(f, ALONE_UNTIL))
        longer = rest + rest
        f.store(f.select(f.compare("slt", longer, _LONGEST), longer, _LONGEST), word(f, REST))

    f.branch(poor, pause)
    f.branch(good, lambda: f.store(f.index(SHORTEST), word(f, REST)))


def _emit_wake(module: Module) -> None:
    """``void (count)``: wakes those of the first workers that sleep, on other processors."""
    f = module.function("gg_wake", VOID, [I64])
    here = placement.processor(f)

    def one(i: Value) -> None:
        asleep = word(f, ASLEEP, i)

        def wake() -> None:
            had = atomic.exchange(f, asleep, f.index(0))
            f.branch(f.compare("ne", had, 0), call)

        def call() -> None:
            f.branch(f.compare("eq", f.load(I64, word(f, LAST, i)), here), keep_off)
            python(f, "PyThread_release_lock", VOID, f.load(PTR, word(f, LOCKS, i)))

        def keep_off() -> None:
            thread, mask = f.load(I64, word(f, THREADS, i)), _mask(f, i)
            kept_off = f.call("gg_keep_off", I1, thread, here, mask)
            f.store(f.select(kept_off, here + 1, 0), word(f, KEPT_OFF, i))

        f.branch(f.compare("ne", atomic.read(f, I64, asleep), 0), wake)

    f.loop(0, f.params[0], 1, one)
    f.ret()


def _mask(f: Function, worker: Value) -> Value:
    """Where it is kept on which processors a worker may run."""
    return f.at(word(f, MASKS), I8, worker * placement.MASK)


# -- a worker -----------------------------------------------------------------


def _emit_worker(module: Module) -> None:
    """``void (number)``: the life of a worker; does not return."""
    f = module.function("gg_worker", VOID, [I64])
    (me,) = f.params
    looks = f.stack(I64)
    f.store(f.index(0), looks)

    def turn(out: str) -> None:
        del out
        ticket = atomic.read(f, I64, word(f, TICKET))
        f.branch(
            _has_work(f, ticket, me),
            lambda: _work(f, ticket, me, looks),
            lambda: _look_or_sleep(f, me, looks),
        )

    _until(f, turn)
    f.ret()


def _has_work(f: Function, ticket: Value, me: Value) -> Value:
    front, back = _parts(f, ticket)
    admitted = f.compare("slt", me, atomic.read(f, I64, word(f, ADMITTED)))
    return f.compare("ult", front, back) & admitted


def _work(f: Function, ticket: Value, me: Value, looks: Value) -> None:
    """Takes the last part that is left, and runs it."""
    function, context = (atomic.read(f, PTR, word(f, JOB, i)) for i in range(2))
    last = _parts(f, ticket)[1] - 1

    def run() -> None:
        f.call_pointer(function, VOID, context, last)
        atomic.add(f, word(f, DONE), f.index(1))
        atomic.fence(f)
        f.branch(f.compare("ne", atomic.read(f, I64, word(f, WAITS)), 0), wake)
        f.store(f.index(0), looks)

    def wake() -> None:
        had = atomic.exchange(f, word(f, WAITS), f.index(0))
        lock = f.load(PTR, word(f, WAIT_LOCK))
        release = "PyThread_release_lock"
        f.branch(f.compare("ne", had, 0), lambda: python(f, release, VOID, lock) and None)

    f.branch(
        _in_the_way(f),
        lambda: _sleep(f, me, looks),
        lambda: f.branch(atomic.swap_if(f, word(f, TICKET), ticket, ticket - 1), run),
    )


def _in_the_way(f: Function) -> Value:
    """Whether this is the processor that the caller runs on."""
    here = placement.processor(f)
    same = f.compare("eq", here, atomic.read(f, I64, word(f, HOME)))
    return same & f.compare("sge", here, 0)


def _look_or_sleep(f: Function, me: Value, looks: Value) -> None:
    f.branch(
        f.compare("slt", _counted(f, looks), _LOOKS) & ~_in_the_way(f),
        lambda: atomic.pause(f),
        lambda: _sleep(f, me, looks),
    )


def _sleep(f: Function, me: Value, looks: Value) -> None:
    """Until woken; work that came meanwhile is seen here, or its caller sees the sleeper."""
    asleep = word(f, ASLEEP, me)
    f.store(placement.processor(f), word(f, LAST, me))
    atomic.exchange(f, asleep, f.index(1))
    atomic.fence(f)
    f.store(f.index(0), looks)
    missed = _has_work(f, atomic.read(f, I64, word(f, TICKET)), me) & ~_in_the_way(f)

    def rest() -> None:
        lock = f.load(PTR, word(f, LOCKS, me))
        python(f, "PyThread_acquire_lock", I32, lock, f.const(I32, 1))
        f.branch(f.compare("ne", f.load(I64, word(f, KEPT_OFF, me)), 0), let_go)

    def let_go() -> None:
        thread, off = f.load(I64, word(f, THREADS, me)), f.load(I64, word(f, KEPT_OFF, me)) - 1
        f.store(f.index(0), word(f, KEPT_OFF, me))
        f.call("gg_let_go", I1, thread, off, _mask(f, me))

    def take_back() -> None:  # unless a caller has done so, and has opened the lock
        had = atomic.exchange(f, asleep, f.index(0))
        f.branch(f.compare("eq", had, 0), rest)

    f.branch(missed, take_back, rest)
