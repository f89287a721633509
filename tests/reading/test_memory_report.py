"""gg.memory_report: every stored value, its bytes, its line, for whom it is kept, and the peak."""

import numpy as np

import glassgrad as gg

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 32))
WS = [RNG.standard_normal((32, 32)) / 6 for _ in range(30)]


def deep(ws, x):
    for w in ws:
        x = np.tanh(x @ w)
    return np.mean(x**2)


def test_activations_are_listed_until_their_use():
    report = gg.memory_report(gg.grad(deep), WS, X)
    activations = [k for k in report.kept if k.what.startswith("float64[64, 32]")]
    assert len(activations) >= len(WS)
    assert all(k.nbytes == X.nbytes and k.first < k.last for k in activations)
    assert all("x = np.tanh(x @ w)" in k.what for k in activations[:20])
    assert all(k.reader for k in report.kept)
    lines = str(report).splitlines()
    assert "grad" in lines[0] or "deep" in lines[0]
    assert "16.0 KiB: float64[64, 32]" in lines[2]


def test_what_is_there_at_the_peak_is_what_the_call_needs():
    for f in (gg.grad(deep), gg.jit(gg.grad(deep), budget=700_000)):
        report = gg.memory_report(f, WS, X)
        results = 30 * 32 * 32 * 8
        there = sum(k.nbytes for k in report.kept if k.at_peak)
        assert 0.8 * (report.peak - results) < there < report.peak - results


def test_what_was_donated_and_the_budget_of_a_compiled_function_hold():
    free, kept = (gg.jit(gg.grad(deep), budget=b) for b in (None, 700_000))
    whole, less = (gg.memory_report(f, WS, X) for f in (free, kept))
    assert less.peak <= 700_000 < whole.peak
    assert not any(k.again for k in whole.kept)
    assert any(k.again for k in less.kept)
    assert not free.programs  # reading a plan compiles nothing for the function itself

    def update(x):
        return x + gg.grad(lambda x: np.sum(np.sin(x) ** 2))(x)

    assert gg.memory_report(gg.jit(update, donate=0), X).peak < X.nbytes
    assert gg.memory_report(update, X).peak >= X.nbytes


def test_a_long_report_says_how_much_it_leaves_out():
    report = gg.memory_report(gg.grad(lambda ws, x: deep(ws * 4, x)), WS, X)
    assert "more, " in str(report).splitlines()[-1]
    assert len(str(report).splitlines()) == 43
