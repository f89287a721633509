"""Calling a program: what the builtin takes, what goes the slow way, and what is an error."""

import gc
import weakref

import numpy as np
import pytest

from glassgrad.engines import reference
from glassgrad.engines.native import pyabi
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.call import ArraySpec, Signature, Tree
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.errors import DTypeError, GraphError, IndexRangeError, ShapeError
from glassgrad.graph.node import Trace, make, new_input
from glassgrad.graph.op import Op
from glassgrad.ops.gather import take

CACHE = ObjectCache(None)


def program(**options):
    """x (3, 4) float32 and s () float64: x * 2 and s + 1."""
    trace = Trace()
    x, s = new_input(trace, "x", (3, 4), "f4"), new_input(trace, "s", (), "f8")
    return NativeProgram([x * 2.0, s + 1.0], [x, s], cache=CACHE, **options)


X = np.arange(12, dtype=np.float32).reshape(3, 4)


def counted(**options):
    seen = []

    def receiver(*args, **kwargs):
        seen.append((args, kwargs))
        return "slow"

    made = program(receiver=receiver, **options)
    return made.fast, seen, made


def test_the_layout_of_objects_is_known_here():
    assert pyabi.usable()


def test_what_the_builtin_takes_directly():
    fast, seen, _keep = counted()
    for s in (1.5, np.float64(1.5), np.array(1.5)):
        y, t = fast(X, s)
        assert (y == 2 * X).all()
        assert t == 2.5
    odd_dtype = np.dtype("f4").newbyteorder("=")
    y, _ = fast(X.astype(odd_dtype), 1.0)
    assert (y == 2 * X).all()
    assert not seen


@pytest.mark.parametrize(
    "x",
    [X.tolist(), X.astype("f8"), X[:, :3], X[::-1], X.T, X.astype(">f4"), X[None], X[0], None, "x",
     np.ma.array(X), X.view(np.recarray), np.frombuffer(b"\0" + X.tobytes(), "u1")[1:].view("f4")
     .reshape(3, 4)],
    ids=lambda x: type(x).__name__,
)  # fmt: skip
def test_all_else_goes_to_the_receiver(x):
    fast, seen, _keep = counted()
    unaligned_is_fine = (
        isinstance(x, np.ndarray)
        and type(x) is np.ndarray
        and (x.flags.c_contiguous and x.flags.aligned and x.shape == X.shape and x.dtype == "=f4")
    )
    if not unaligned_is_fine:
        assert isinstance(fast(x, 1.0), str)
        assert seen[0][0][0] is x


@pytest.mark.parametrize("args", [(), (X,), (X, 1.0, 2.0), (1.0, X), (X, 1), (X, None)])
def test_wrong_arguments_go_to_the_receiver(args):
    fast, seen, _keep = counted()
    assert fast(*args) == "slow"
    assert len(seen) == 1


def test_the_slow_way_converts_or_raises():
    fast = program().fast
    assert (fast(X[::-1], 1)[0] == 2 * X[::-1]).all()
    assert (fast(X.astype(">f4"), 1.0)[0] == 2 * X).all()
    with pytest.raises(DTypeError, match=r"'x' has dtype float64.*compiled for float32"):
        fast(X.astype("f8"), 1.0)
    with pytest.raises(ShapeError, match=r"'x' has shape \(4, 3\)"):
        fast(X.T, 1.0)
    with pytest.raises(TypeError, match="takes 2 arrays, 1 were given"):
        fast(X)


def test_results_are_fresh():
    fast = program().fast
    held = [fast(X + i, float(i)) for i in range(20)]
    for i, (y, t) in enumerate(held):
        assert (y == 2 * (X + i)).all()
        assert t == i + 1
    addresses = {y.ctypes.data for y, _ in held}
    assert len(addresses) == len(held)


def test_a_result_that_something_else_refers_to_is_left_alone():
    fast = program().fast
    view = fast(X, 1.0)[0][:1]
    expected = view.copy()
    array = fast(X, 1.0)[0]
    watcher = weakref.ref(array)
    kept = memoryview(fast(X, 1.0)[0])
    for i in range(5):
        fast(X + 10 + i, 1.0)
    assert (view == expected).all()
    assert (np.asarray(kept) == 2 * X).all()
    assert (watcher() == 2 * X).all()


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
def test_a_result_that_was_changed_is_not_used_again():
    fast = program().fast
    for change in (
        lambda a: setattr(a, "shape", (4, 3)),
        lambda a: setattr(a.flags, "writeable", False),
        lambda a: a.resize((1, 2), refcheck=False),
    ):
        change(fast(X, 1.0)[0])
        y = fast(X, 1.0)[0]
        assert y.shape == (3, 4)
        assert y.flags.writeable
        assert (y == 2 * X).all()


def test_containers_in_and_out():
    trace = Trace()
    a, b = (new_input(trace, name, (3,), "f8") for name in "ab")
    spec = ArraySpec((3,), np.dtype("f8"))
    arguments = (Tree(dict, (0, Tree(list, (Tree(tuple, (1,)),))), ("w", "more")),)
    signature = Signature((spec, spec), (spec, spec), arguments, Tree(dict, (0, 1), ("p", "q")))
    made = NativeProgram(
        [a + b, a * b], [a, b], cache=CACHE, signature=signature, receiver=lambda *a, **k: "slow"
    )
    x, y = np.arange(3.0), np.ones(3)
    out = made.fast({"w": x, "more": [(y,)]})
    assert list(out) == ["p", "q"]
    assert (out["p"] == x + y).all()
    for wrong in (
        {"w": x}, {"w": x, "more": [y]}, {"w": x, "more": ((y,),)}, {"w": x, "less": [(y,)]},
        {"w": x, "more": [(y, y)]}, [x, y], {"w": x, "more": [(y,)], "z": x},
    ):  # fmt: skip
        assert made.fast(wrong) == "slow"


def test_scalars_out_and_floats_only():
    trace = Trace()
    s = new_input(trace, "s", (), "f8")
    signature = Signature(
        (ArraySpec((), np.dtype("f8"), takes="float"),),
        (ArraySpec((), np.dtype("f8"), scalar=True),), (0,), 0,
    )  # fmt: skip
    made = NativeProgram(
        [s * 3.0], [s], cache=CACHE, signature=signature, receiver=lambda *a: "slow"
    )
    assert made.fast(2.0) == 6.0
    assert type(made.fast(2.0)) is np.float64
    assert made.fast(np.float64(2.0)) == "slow"
    assert made.fast(np.array(2.0)) == "slow"


def test_no_reference_is_lost_or_kept():
    made = program()
    fast, x = made.fast, X.copy()
    fast(x, 1.0)
    gc.collect()
    import sys

    before = sys.getrefcount(x), sys.getrefcount(np.dtype("f4"))
    for _ in range(500):
        fast(x, 1.0)
        fast(x[::-1], 1.0)
    gc.collect()
    after = sys.getrefcount(x), sys.getrefcount(np.dtype("f4"))
    assert abs(after[0] - before[0]) <= 1
    assert abs(after[1] - before[1]) <= 4


def test_an_index_out_of_range_is_the_reference_engines_error():
    trace = Trace()
    x, i = new_input(trace, "x", (5, 3), "f4"), new_input(trace, "i", (4,), "i8")
    made = NativeProgram([take(x, [i])], [x, i], cache=CACHE)
    values = np.ones((5, 3), np.float32)
    for bad in (5, -6, 2**62, -(2**63)):
        for call in (lambda i: made([values, i]), lambda i: made.fast(values, i)):
            with pytest.raises(IndexRangeError, match=f"index {bad} is out of range"):
                call(np.array([0, 1, bad, 2]))
    assert (made.fast(values, np.array([0, -5, 4, -1]))[0] == 1).all()


def test_an_op_without_a_rule_is_named():
    class Foreign(Op):
        """An op that no engine knows."""

        def infer(self, *inputs):
            return inputs[0].shape, inputs[0].dtype

    trace = Trace()
    x = new_input(trace, "x", (5,), "f8")
    with pytest.raises(GraphError, match="no rule for"):
        NativeProgram([make(Foreign(), x)], [x], cache=CACHE)
    with pytest.raises(GraphError, match="no rule for"):
        reference.evaluate([make(Foreign(), x)], {x: np.ones(5)})


def test_a_builtin_outlives_all_other_names_of_its_program():
    fast = program(receiver=lambda *args: "slow").fast
    gc.collect()
    results = [fast(X, float(i)) for i in range(50)]
    assert (results[7][0] == 2 * X).all()
    assert fast() == "slow"


def test_programs_are_freed_with_their_results():
    made = program()
    held = made.fast(X, 1.0)[0]
    watch = weakref.ref(made)
    del made
    gc.collect()
    assert watch() is None
    assert (held == 2 * X).all()


def test_threads_may_call_at_once():
    from concurrent.futures import ThreadPoolExecutor

    made = program()

    def work(i):
        x = np.full((3, 4), i, np.float32)
        return all((made.fast(x, float(i))[0] == 2 * i).all() for _ in range(300)) and all(
            (made([x, float(i)])[0] == 2 * i).all() for _ in range(50)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_threads_may_compile_at_once():
    from concurrent.futures import ThreadPoolExecutor

    def work(i):
        trace = Trace()
        x = new_input(trace, "x", (i + 1,), "f8")
        made = NativeProgram([x * float(i) + 1.0], [x], cache=CACHE)
        return (made.fast(np.ones(i + 1))[0] == i + 1).all()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(12)))


def test_the_report_says_what_was_done():
    report = program().report()
    for word in ("steps", "arena", "bytes", "assembled", "loop over [3, 4]", "vectors of"):
        assert word in report


def test_the_cache_is_used(tmp_path):
    cache = ObjectCache(tmp_path / "objects")
    trace = Trace()
    x = new_input(trace, "x", (3,), "f8")
    programs = [NativeProgram([x + 1.5], [x], cache=cache) for _ in range(2)]
    assert [p.cache_hit for p in programs] == [False, True]
    assert "from the cache" in programs[1].report()
    assert (programs[1].fast(np.zeros(3))[0] == 1.5).all()
