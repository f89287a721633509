"""gg.jit says why it compiled anew, warns where that goes on, and checks itself on request."""

import re
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import program
from glassgrad.engines.native.algebra import LLVMAlgebra
from glassgrad.engines.native.reduction import KINDS
from glassgrad.graph.errors import EngineError


def reasons(f):
    """The lines of a report that say why."""
    return [line for line in f.report().splitlines() if line.startswith("compiled anew: ")]


X = np.ones(3)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [((X,), (np.ones(4),), r"x has shape \(4,\), and had \(3,\)$"),
     ((X,), (X.astype("f4"),), "x is float32, and was float64$"),
     ((X,), (np.ones((1, 3), "f4"),), r"x is float32\[1, 3\], and was float64\[3\]$"),
     ((X,), (2.0,), r"x is a Python float, and was float64\[3\]$"),
     ((2.0,), (2,), "x is a Python int, and was a Python float$"),
     ((True,), (False,), "x is False, and was True$"),
     (([X, X],), ([X, X[:2]],), r"x\[1\] has shape \(2,\), and had \(3,\)$"),
     (([X],), ([X, X],), r"the arguments are \(\[\*, \*\]\), and were \(\[\*\]\)$"),
     (({"a": X},), ({"b": X},), r"\(\{'b': \*\}\), and were \(\{'a': \*\}\)$")],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_report_says_which_argument_differed(engine, first, second, words):
    def f(x):
        return [v * 2 for v in x.values()] if isinstance(x, dict) else x

    compiled = gg.jit(f, engine=engine)
    compiled(*first)
    assert not reasons(compiled)
    compiled(*second)
    (line,) = reasons(compiled)
    assert re.search(words, line), line
    compiled(*first)
    assert len(reasons(compiled)) == 1


def test_the_report_says_which_value_was_looked_at():
    def f(x):
        if x[0] > 0:
            return x
        return -x

    compiled = gg.jit(f)
    compiled(X)
    compiled(-X)
    assert "a value that was looked at is False, and was True" in compiled.report()
    assert "test_compiled_anew.py" in compiled.report()


def test_many_programs_of_one_function_are_a_warning():
    compiled = gg.jit(lambda x, y: np.sum(x) * y, engine="reference")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(16):
            compiled(np.ones(n + 1), 2.0)
    with pytest.warns(
        RuntimeWarning, match=r"compiled 17 times.*the shape of x \(16 times\); "
    ) as told:
        compiled(np.ones(20), 2.0)
    assert told[0].filename == __file__
    compiled(np.ones(21), 2.0)  # said once


# -- check=True ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    """Code with a planted fault is never kept."""
    monkeypatch.setattr(program, "user_cache_folder", lambda: None)


def net(w, x, i):
    h = np.tanh(x @ w)
    picked = h[i]
    return np.sum(np.exp(-picked) * picked), np.sort(h[0]), np.argmax(h, axis=1)


def arguments(dtype=float):
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(5, 4)).astype(dtype), rng.normal(size=(7, 5)).astype(dtype),
        np.array([3, -1]),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_engines_agree_where_nothing_is_wrong(dtype):
    args = arguments(dtype)
    compiled = gg.jit(net, check=True)
    for got, want in zip(compiled(*args), gg.jit(net)(*args)):
        np.testing.assert_array_equal(got, want)
    slope = gg.grad(lambda w, x, i: net(w, x, i)[0])
    np.testing.assert_array_equal(gg.jit(slope, check=True)(*args), gg.jit(slope)(*args))


def test_a_loop_is_checked_as_one_node():
    def f(x):
        last, seen = gg.scan(lambda c, _: (np.sin(c) + x, c), x, length=5)
        return gg.while_loop(lambda c: np.sum(c) < 9, lambda c: c + 1, last), seen

    gg.jit(f, check=True)(np.linspace(0, 1, 4))


def test_the_first_node_that_differs_is_named(monkeypatch):
    right = LLVMAlgebra.tanh
    monkeypatch.setattr(LLVMAlgebra, "tanh", lambda k, x: right(k, x) * (1 + 1e-14))
    words = r"differ first at tanh, float64.*native gives .* ULP apart(.|\n)*h = np\.tanh"
    with pytest.raises(EngineError, match=words):
        gg.jit(net, check=True)(*arguments())


def test_a_sum_is_held_to_its_forward_error(monkeypatch):
    right = KINDS["sum"]
    monkeypatch.setitem(KINDS, "sum", replace(right, identity=lambda dtype: 1e-12))
    with pytest.raises(EngineError, match=r"differ first at sum(.|\n)*return np\.sum"):
        gg.jit(net, check=True)(*arguments())


def test_a_fault_of_fused_code_is_found(monkeypatch):
    """Wrong only where a product feeds the sum directly: with all nodes stored nothing is."""
    from glassgrad.engines.native.expression import Apply
    from glassgrad.engines.native.nest import Nest

    right = Nest._apply

    def wrong(self, expr, args, mask):
        inner = expr.op.name == "subtract" and isinstance(expr.args[0], Apply)
        return right(self, expr, args[::-1] if inner else args, mask)

    monkeypatch.setattr(Nest, "_apply", wrong)
    f = lambda x, y: np.sum(np.exp(x) * y - x, axis=0)  # noqa: E731
    with pytest.raises(EngineError, match=r"(subtract|sum)(.|\n)*test_compiled_anew\.py"):
        gg.jit(f, check=True)(np.ones((3, 5)), np.ones(5))


def test_donated_arguments_are_not_used_up_by_the_check():
    step = gg.jit(lambda w, g: w - 0.1 * g, check=True, donate="w")
    w, g = np.ones(4), np.arange(4.0)
    np.testing.assert_allclose(step(w, g), 1 - 0.1 * np.arange(4.0))


# -- machines without the native engine -------------------------------------------------------

WITHOUT = """
import sys, warnings
{block}
import numpy as np, glassgrad as gg
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    f, g = gg.jit(lambda x: np.sum(x * x)), gg.jit(gg.grad(lambda x: np.sum(x**3)), check=True)
    assert f(np.arange(3.0)) == 5 and f(np.arange(4.0)) == 14
    assert (g(np.ones(2)) == 3).all()
    assert gg.minimize(lambda x: (x - 1) ** 2, 0.0, "newton").engine == "reference"
    assert "reference engine" in f.report()
(one,) = seen
assert issubclass(one.category, RuntimeWarning)
print(one.message)
"""
BLOCKED = {
    "no llvmlite": 'sys.modules["llvmlite"] = None',
    "machine code is made for": """
import llvmlite.binding
llvmlite.binding.get_process_triple = lambda: "riscv64-unknown-linux-gnu"
""",
}


@pytest.mark.parametrize("why", BLOCKED)
def test_a_machine_without_native_code_runs_and_says_so_once(why):
    code = WITHOUT.format(block=BLOCKED[why])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gg.jit runs on the reference engine" in done.stdout
    assert why.replace("no ", "") in done.stdout


def test_training_and_the_command_line_run_without_llvmlite(tmp_path):
    table = tmp_path / "t.csv"
    rows = "".join(f"{i},{i * 0.5},{'ab'[i % 2]}\n" for i in range(40))
    table.write_text("u,v,kind\n" + rows)
    code = (
        'import sys; sys.modules["llvmlite"] = None\n'
        "from glassgrad.cli.main import main\n"
        f"sys.exit(main(['train', 'table', {str(table)!r}, '--target', 'kind', '--epochs', '2', "
        f"'--out', {str(tmp_path / 'model')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("gg.jit runs on the reference engine") == 1, done.stderr
