"""gg.jit on the native engine, through the public API."""

import numpy as np

import glassgrad as gg

W = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
X = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)


def both(f, *args, **kwargs):
    """The native result after checking it against the reference engine, twice."""
    native, plain = gg.jit(f), gg.jit(f, engine="reference")
    for _ in range(2):
        found, expected = native(*args, **kwargs), plain(*args, **kwargs)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert np.asarray(found).dtype == np.asarray(expected).dtype
    return found


def test_a_training_step_in_containers():
    def step(params, x):
        def loss(p):
            return np.mean(np.tanh(x @ p["w"] + p["b"][0]) ** 2)

        value, g = gg.value_and_grad(loss)(params)
        return value, {"w": params["w"] - 0.1 * g["w"], "b": [params["b"][0] - 0.1 * g["b"][0]]}

    params = {"w": W, "b": [np.zeros(2, np.float32)]}
    native, plain = gg.jit(step), gg.jit(step, engine="reference")
    a = b = params
    for _ in range(5):
        (la, a), (lb, b) = native(a, X), plain(b, X)
        np.testing.assert_allclose(la, lb, rtol=1e-5)
    np.testing.assert_allclose(a["w"], b["w"], rtol=1e-5)
    np.testing.assert_allclose(a["b"][0], b["b"][0], rtol=1e-5, atol=1e-7)
    assert type(la) is np.float32


def test_python_floats_are_weak_and_numpy_floats_are_not():
    f = gg.jit(lambda x, s: x * s)
    for _ in range(2):
        assert f(X, 2.0).dtype == np.float32
        assert f(X, np.float64(2.0)).dtype == np.float64
        assert f(X, np.array(2.0)).dtype == np.float64
        assert f(X, 2).dtype == np.float32
        assert f(X, np.int64(2)).dtype == np.float64


def test_shapes_alternate_without_tracing_anew():
    traced = []

    def f(x):
        traced.append(x.shape)
        return np.sum(x * 2)

    compiled = gg.jit(f)
    for _ in range(4):
        for n in (2, 3, 5):
            assert compiled(np.ones(n)) == 2 * n
    assert [traced.count((n,)) for n in (2, 3, 5)] == [1, 1, 1]
    assert len(traced) == 5  # and for two made-up sizes, for the program that takes any


def test_keywords_and_switches():
    def f(x, *, scale=1.0, twice=False):
        return x * scale * (2 if twice else 1)

    compiled = gg.jit(f)
    for _ in range(2):
        assert (compiled(X, scale=3.0) == 3 * X).all()
        assert (compiled(X, scale=3.0, twice=True) == 6 * X).all()
        assert (compiled(X) == X).all()


def test_positional_switches_are_part_of_the_signature():
    compiled = gg.jit(lambda x, twice, y: x * (2.0 if twice else 1.0) + y)
    for _ in range(2):
        assert (compiled(X, True, X) == 3 * X).all()
        assert (compiled(X, False, X) == 2 * X).all()


def test_a_guard_that_fails_compiles_another_course():
    def f(x):
        return x * 2 if np.sum(x) > 0 else x * 3

    compiled = gg.jit(f)
    for _ in range(2):
        assert (compiled(np.array([1.0, 2.0])) == [2, 4]).all()
        assert (compiled(np.array([-1.0, -2.0])) == [-3, -6]).all()


def test_lists_strided_and_big_endian_arguments():
    both(lambda x: np.exp(x) @ W, X[::-1])
    both(lambda x: np.exp(x) @ W, X.T.copy().T)
    both(lambda x: np.exp(x) @ W, X.astype(">f4"))
    both(lambda x: [np.sum(v) for v in x], [X, W])


def test_second_derivatives():
    def f(x):
        return np.sum(np.tanh(x) ** 3)

    def second(x):
        return gg.grad(lambda x: np.sum(gg.grad(f)(x) * x))(x)

    both(second, np.linspace(-2, 2, 9))


def test_results_are_named_tuples_and_none_too():
    compiled = gg.jit(lambda x: (x + 1, None, "text"))
    found = compiled(X)
    assert found[1:] == (None, "text")
    assert (found[0] == X + 1).all()


def test_the_compiled_function_keeps_its_name_and_text():
    @gg.jit
    def named(x):
        """What it does."""
        return x

    assert named.__name__ == "named"
    assert named.__doc__ == "What it does."
    named(X)
    assert "steps" in named.report()


def test_arrays_from_outside_are_constants():
    def f(w):
        return gg.grad(lambda w, x, y: np.sum((np.tanh(x @ w) - y[:, None]) ** 2))(w, X, X[:, 0])

    direct = gg.grad(lambda w: np.sum((np.tanh(X @ w) - X[:, :1]) ** 2))(W)
    np.testing.assert_allclose(both(f, W), direct, rtol=1e-5)


def test_booleans_multiplied_by_themselves():
    given = np.array([True, False])
    for engine in ("native", "reference"):
        found = gg.jit(lambda b: b * b, engine=engine)(given)
        assert found.dtype == bool
        assert found.tolist() == [True, False]


def test_a_reduction_of_a_number_over_no_axes():
    program = gg.jit(lambda x: np.sum(np.tanh(x), axis=()) + np.max(x, axis=()))
    assert program(np.float64(0.5)) == np.tanh(0.5) + 0.5
