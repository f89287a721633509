"""Kernels known again by their graphs: never planned twice, never the wrong one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import arena, recall
from glassgrad.engines.native import general as general_module
from glassgrad.engines.native import program as program_module
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.extents import EXAMPLES
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.recall import Made, name_of, recalled, remember
from glassgrad.engines.native.target import Target
from glassgrad.graph.node import Trace, constant, new_input
from glassgrad.ops.reduce import reduce

X = np.linspace(-2.0, 2.0, 12).reshape(3, 4)
TABLE = np.random.default_rng(0).standard_normal((3, 4))


def graph(label="x", factor=2.0, table=TABLE):
    """A fused loop, a reduction, a product, a constant in memory, a log-sum-exp to write out."""
    x = new_input(Trace(), label, (3, 4), "f8")
    y = gg.Array(x)
    z = np.tanh(y * factor) + table
    p = np.log(np.sum(np.exp(z @ z.T), axis=1))
    return [p.node, reduce(z.node, "sum", (0,))], [x]


@pytest.fixture
def cache(tmp_path):
    return ObjectCache(tmp_path / "objects")


def planless(monkeypatch):
    def refuse(*args):
        raise AssertionError("planned")

    monkeypatch.setattr(program_module, "Planner", refuse)


def run(program):
    return [v.tobytes() for v in program([X])]


def test_an_equal_graph_is_not_planned_again(cache, monkeypatch):
    first = NativeProgram(*graph(), cache=cache)
    planless(monkeypatch)
    again = NativeProgram(*graph("y"), cache=cache)
    assert (first.cache_hit, again.cache_hit) == (False, True)
    assert run(again) == run(first)
    assert [v.tobytes() for v in again.fast(X)] == run(first)
    assert (again.arena.size, again.code_size) == (first.arena.size, first.code_size)


def test_a_later_process_plans_nothing(tmp_path):
    code = (
        "import numpy as np, glassgrad as gg\n"
        "step = gg.jit(gg.value_and_grad(lambda x: np.sum(np.tanh(x @ x) ** 2)))\n"
        "x = np.linspace(-1, 1, 40000).reshape(200, 200)\n"
        "value, slope = step(x)\n"
        "(made,), = step.programs.values()\n"
        "print('_planned' in vars(made.program), value.hex(), slope.tobytes().hex()[:999])\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        ).stdout.split()
        for _ in range(2)
    ]  # fmt: skip
    assert [planned for planned, *_ in found] == ["True", "False"]
    assert found[0][1:] == found[1][1:]


slowed = gg.custom_rule(np.sin, vjp=lambda g, y, x: 0.1 * g * np.cos(x))

AS_TRACED = {
    "a naive formula and its gradient": gg.value_and_grad(
        lambda x: np.sum(np.log(1 + np.exp(x * 300)))
    ),
    "a rule of its own": lambda x: np.sum(slowed(x)),
    "a gradient by such a rule": gg.value_and_grad(lambda x: np.sum(slowed(x))),
    "a look at values": lambda x: np.sum(x) * 2 if np.max(x) > 1 else np.sum(x),
    "an array that is no argument": lambda x: gg.grad(lambda w, t: np.sum(np.tanh(w * t)))(
        x, TABLE
    ),
}


@pytest.mark.parametrize("what", AS_TRACED)
def test_a_graph_is_found_as_it_was_traced(what, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    f = AS_TRACED[what]
    first, again = gg.jit(f), gg.jit(f)
    expected = first(X)
    planless(monkeypatch)
    rewritten = []
    real = program_module.finish
    monkeypatch.setattr(program_module, "finish", lambda y: rewritten.append(y) or real(y))
    assert str(again(X)) == str(expected)
    assert not rewritten


def test_a_graph_as_traced_has_another_name_than_a_finished_one():
    outputs, inputs = graph()
    names = {name_of(outputs, inputs, {}, Target.host(), raw=raw) for raw in (None, 0, 1, 2)}
    assert len(names) == 4


def test_what_was_recalled_reports_as_what_was_planned(cache):
    first, again = (NativeProgram(*graph(), cache=cache) for _ in range(2))
    lines, recalled_lines = (p.report().splitlines() for p in (first, again))
    assert "from the cache" in recalled_lines[2]
    assert lines[:2] == recalled_lines[:2]
    assert lines[3:] == recalled_lines[3:]


@pytest.mark.parametrize("factor", [3.0, -2.0, 1.0])
def test_another_number_is_another_kernel(cache, factor):
    NativeProgram(*graph(), cache=cache)
    found = NativeProgram(*graph(factor=factor), cache=cache)
    assert not found.cache_hit
    assert run(found) == run(NativeProgram(*graph(factor=factor), cache=ObjectCache(None)))


def test_another_table_is_another_record_of_the_same_code(cache):
    first = NativeProgram(*graph(), cache=cache)
    found = NativeProgram(*graph(table=TABLE + 1.0), cache=cache)
    assert (len(records(cache)), found.cache_hit) == (2, True)
    assert run(found) == run(NativeProgram(*graph(table=TABLE + 1.0), cache=ObjectCache(None)))
    assert run(found) != run(first)


def test_target_donation_and_code_are_part_of_the_name(monkeypatch):
    outputs, inputs = graph()
    x = inputs[0]
    host = Target.host()
    names = {
        name_of(outputs, inputs, {}, host),
        name_of(outputs, inputs, {}, host.restricted("avx2")),
        name_of(outputs[::-1], inputs, {}, host),
        name_of([(gg.Array(x) * 2.0).node], inputs, {}, host),
        name_of([(gg.Array(x) * 2.0).node], inputs, {0: 0}, host),
    }
    monkeypatch.setattr(recall, "_sources", lambda: "other code")
    names.add(name_of(outputs, inputs, {}, host))
    assert len(names) == 6
    assert None not in names


def test_a_changed_setting_is_part_of_the_name(monkeypatch):
    before = name_of(*graph(), {}, Target.host())
    monkeypatch.setattr(arena, "SLACK", 128)
    assert name_of(*graph(), {}, Target.host()) != before


def test_without_its_sources_nothing_is_recalled(monkeypatch):
    monkeypatch.setattr(recall, "_sources", lambda: None)
    assert name_of(*graph(), {}, Target.host()) is None


def test_a_loop_and_its_body_are_recalled(cache, monkeypatch):
    def f(x):
        trace = Trace()
        return gg.scan(lambda c, r: (c * 0.5 + r, np.sin(c)), x[0], x), trace

    x = new_input(Trace(), "x", (40, 30), "f8")
    (last, rows), _ = f(gg.Array(x))
    point = np.linspace(0, 1, 1200).reshape(40, 30)
    first = NativeProgram([last.node, rows.node], [x], cache=cache)
    planless(monkeypatch)
    again = NativeProgram([last.node, rows.node], [x], cache=cache)
    assert [v.tobytes() for v in again([point])] == [v.tobytes() for v in first([point])]


def test_an_op_of_the_programs_own_is_not_recalled(cache):
    op = gg.define_op("recalled_cube", lambda x: x * x * x)
    x = new_input(Trace(), "x", (3, 4), "f8")
    y = op(gg.Array(x)).node
    assert name_of([y], [x], {}, Target.host()) is None
    assert run(NativeProgram([y], [x], cache=cache)) == [(X * X * X).tobytes()]


def records(cache):
    return [e.name for e in cache.entries() if cache.get(e.name).startswith(b"{")]


FORGED = {
    "no JSON": b"{nothing",
    "a list": b"[]",
    "no object": json.dumps({"objects": ["0" * 64]}).encode(),
    "a number as object": json.dumps({"objects": [7]}).encode(),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_record_that_is_wrong_means_planning_again(cache, name):
    first = NativeProgram(*graph(), cache=cache)
    (record,) = records(cache)
    cache.put(record, FORGED[name])
    again = NativeProgram(*graph(), cache=cache)
    assert run(again) == run(first)
    assert json.loads(cache.get(record))["arena"] > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("arena", -1), ("arena", "big"), ("text", None), ("constants", [99]), ("constants", 3),
     ("constants", [["<f8", [2], "AAAA"]]), ("constants", [["O", [1], "AAAAAAAAAAA="]])],
)  # fmt: skip
def test_a_field_that_is_wrong_means_planning_again(cache, field, value):
    first = NativeProgram(*graph(), cache=cache)
    (record,) = records(cache)
    said = json.loads(cache.get(record))
    cache.put(record, json.dumps({**said, field: value}).encode())
    assert recalled(cache, record, graph()[0]) is None
    assert run(NativeProgram(*graph(), cache=cache)) == run(first)


def test_constants_come_from_the_graph_or_from_the_record(cache):
    x = new_input(Trace(), "x", (3,), "f8")
    inside = constant(x.trace, np.arange(20.0))
    outputs = [(gg.Array(x) + gg.Array(inside)[:3]).node]
    made = Made(
        [b"code"], 64, 1, 0, False, True, ["f"], [inside.op.value, np.arange(3, dtype="f4")]
    )
    cache.put("object", b"code")
    remember(cache, "record", made, ["object"], outputs)
    found = recalled(cache, "record", outputs)
    assert found.constants[0] is inside.op.value
    assert found.constants[1].tobytes() == np.arange(3, dtype="f4").tobytes()
    assert found[:7] == made[:7]


def sizes(f, counts, monkeypatch, folder, emits):
    """What a function of batches gives, by a program whose kernel is emitted or recalled."""

    def refuse(*args):
        raise AssertionError("emitted")

    with monkeypatch.context() as patch:
        patch.setattr(general_module, "user_cache_folder", lambda: folder)
        if not emits:
            patch.setattr(general_module, "Code", refuse)
        compiled = gg.jit(f, batch=0)
        found = [compiled(np.arange(3.0 * n).reshape(n, 3)).tobytes() for n in counts]
    assert ("from the cache" in compiled.report()) != emits
    return found


def test_a_kernel_for_every_size_is_not_emitted_again(tmp_path, monkeypatch):
    def f(x):
        z = np.tanh(x @ TABLE) / len(x) + np.arange(4)
        return np.log(np.sum(np.exp(z), axis=1))

    first = sizes(f, (5, 9, 5), monkeypatch, tmp_path, emits=True)
    assert sizes(f, (5, 9, 5), monkeypatch, tmp_path, emits=False) == first
    assert sizes(f, (9, 200), monkeypatch, tmp_path, emits=False)[0] == first[1]


def test_a_kernel_for_a_size_is_not_taken_for_one_of_every_size(tmp_path, monkeypatch):
    prime = EXAMPLES[0][0]

    def f(x):
        return np.cumsum(x * 2, axis=1)

    x = new_input(Trace(), "x", (prime, 3), "f8")
    NativeProgram([f(gg.Array(x)).node], [x], cache=ObjectCache(tmp_path))
    assert len(sizes(f, (5,), monkeypatch, tmp_path, emits=True)[0]) == 5 * 3 * 8
