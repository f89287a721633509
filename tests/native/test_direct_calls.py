"""Keywords and values that were looked at: the builtin deals with them itself."""

import numpy as np
import pytest

import glassgrad as gg

X = np.arange(3.0)


def watched(f, **options):
    """The compiled function, and a list of the calls that went the general way."""
    compiled = gg.jit(f, **options)
    general, seen = compiled._general, []

    def counted(*args, **kwargs):
        seen.append((args, kwargs))
        return general(*args, **kwargs)

    compiled._general = compiled.__call__ = counted
    return compiled, seen


def test_keywords_are_taken_directly():
    f, seen = watched(lambda x, *, scale, shift: x * scale + shift)
    for _ in range(3):
        assert f(X, scale=2.0, shift=X).tolist() == [0, 3, 6]
        assert f(x=X, scale=2.0, shift=X).tolist() == [0, 3, 6]
    assert len(seen) == 2
    assert f(X, shift=X, scale=2.0).tolist() == [0, 3, 6]
    assert f(X, shift=X, scale=2.0).tolist() == [0, 3, 6]
    assert len(seen) == 3
    assert f(**{"".join(["x"]): X, "".join(["sca", "le"]): 2.0, "shift": X})[1] == 3


def test_switches_and_containers_by_keyword():
    f, seen = watched(lambda p, twice=False: p["w"] * (2 if twice else 1))
    for _ in range(2):
        assert f(p={"w": X}, twice=True).tolist() == [0, 2, 4]
        assert f(p={"w": X}, twice=False).tolist() == [0, 1, 2]
        assert f(p={"w": X}).tolist() == [0, 1, 2]
    assert len(seen) == 3
    with pytest.raises(TypeError):
        f(q=X)


def test_arguments_given_by_keyword_are_donated():
    f = gg.jit(lambda x, y: x + y, donate="y")
    y = np.ones(3)
    assert f(X, y=y) is y
    assert y.tolist() == [1, 2, 3]


def test_courses_are_chosen_by_the_builtins():
    def f(x):
        if x[0] > 0:
            return np.sqrt(x)
        return x * 2 if x[1] == 3 else -x

    compiled, seen = watched(f)
    cases = {
        "root": (np.array([4.0, 1.0]), [2, 1]),
        "double": (np.array([-4.0, 3.0]), [-8, 6]),
        "minus": (np.array([-4.0, 1.0]), [4, -1]),
    }
    for _ in range(3):
        for x, expected in cases.values():
            for _ in range(2):
                assert compiled(x).tolist() == expected
    assert len(seen) == 3
    assert compiled(np.array([9.0, 0.0])).tolist() == [3, 0]
    assert len(seen) == 3
    assert compiled(np.array([-9.0, 7.0])).tolist() == [9, -7]


def test_what_is_donated_is_not_written_over_before_the_course_is_known():
    def f(x):
        return x + 1 if x[0] > 0 else x - 1

    compiled = gg.jit(f, donate=0)
    for start, expected in ((1.0, 2.0), (-1.0, -2.0), (1.0, 2.0)):
        x = np.full(2, start)
        assert compiled(x).tolist() == [expected] * 2
