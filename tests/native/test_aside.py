"""Code is made by two threads at once; forks and errors come out right."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from glassgrad.engines.native import aside, target
from glassgrad.engines.native.emit import I64, Module
from glassgrad.engines.native.forking import Gate
from glassgrad.engines.native.target import Target, assemble


def text(n):
    module = Module(Target.host())
    f = module.function("go", I64, [I64])
    (x,) = f.params
    for i in range(n):
        x = x * (x + i)
    f.ret(x)
    return module.text()


def test_objects_made_at_once_are_those_made_one_by_one():
    texts = [text(n) for n in (3, 40, 200)]
    alone = [assemble(t, Target.host()) for t in texts]
    assert aside.each(lambda i: assemble(texts[i % 3], Target.host()), 24) == alone * 8


def test_another_llvmlite_goes_the_usual_way(monkeypatch):
    class Library:
        LLVMPY_TargetMachineEmitToMemory = None

    expected = assemble(text(3), Target.host())
    assembler = target._assembler()
    ffi = type("Ffi", (), {"lib": Library})
    shown = type("Llvm", (), {"ffi": ffi, **{n: getattr(assembler, n) for n in NAMES}})
    monkeypatch.setattr(target, "_assembler", lambda: shown)
    assert assemble(text(3), Target.host()) == expected


NAMES = ("create_context", "parse_assembly", "Target", "get_process_triple")


def test_an_error_is_raised_where_the_result_is_asked_for():
    failing = aside.Aside(lambda: assemble("no code", Target.host()))
    with pytest.raises(ValueError, match="does not parse"):
        failing.result()
    with pytest.raises(ZeroDivisionError):
        aside.each(lambda i: 1 // (2 - i), 4)


def test_a_gate_closes_when_all_others_have_left():
    gate, entered, leave, closed = Gate(), *(threading.Event() for _ in range(3))

    def inside():
        with gate:
            entered.set()
            leave.wait()

    def close():
        gate.close()
        closed.set()
        gate.open()

    threads = [threading.Thread(target=f) for f in (inside, close)]
    threads[0].start()
    entered.wait()
    threads[1].start()
    assert not closed.wait(0.05)
    leave.set()
    for t in threads:
        t.join()
    assert closed.is_set()


FORKS = """
import os, sys, threading
from glassgrad.engines.native import aside
from glassgrad.engines.native.target import Target, assemble
sys.path.insert(0, {here!r})
from test_aside import text
long, host = text(600), Target.host()
expected = assemble(long, host)
making = aside.Aside(lambda: [assemble(long, host) for _ in range(4)])
children = []
for _ in range(6):
    if not (child := os.fork()):
        again = assemble(long, host)
        lost = making.result()          # its thread is the parent's
        os._exit(not (again == expected and lost == [expected] * 4))
    children.append(child)
print([os.waitpid(c, 0)[1] for c in children], making.result() == [expected] * 4)
"""


def test_children_of_a_process_that_makes_code_make_their_own():
    code = FORKS.format(here=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == f"{[0] * 6} True\n", done.stderr
