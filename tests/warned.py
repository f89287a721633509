"""What a compiled call warns of, compared with what NumPy warns of."""

import warnings

import numpy as np

import glassgrad as gg

ENGINES = ("native", "reference")
ZERO = "divide by zero encountered in floor_divide"
REMAINDER = "divide by zero encountered in remainder"
WRAPS = "overflow encountered in floor_divide"
A, B = np.arange(37), np.arange(37) - 3


def told(f, *args):
    """The words that a call is told of, as NumPy has them, in order."""
    with warnings.catch_warnings(record=True) as found, np.errstate(all="warn"):
        warnings.simplefilter("always")
        f(*args)
    assert all(w.category is RuntimeWarning for w in found)
    return [str(w.message).split(":")[0].replace("scalar ", "") for w in found]


def by_numpy(f, *args):
    """What NumPy says; of divmod a program says it of the quotient."""
    return sorted({words.replace("divmod", "floor_divide") for words in told(f, *args)})


def both(f, *args, expected=None, **options):
    """Both engines tell what NumPy tells, at the first call and at the next."""
    expected = by_numpy(f, *args) if expected is None else expected
    for engine in ENGINES:
        compiled = gg.jit(f, engine=engine, **options)
        for _ in range(2):
            assert told(compiled, *args) == expected, engine
    return expected
