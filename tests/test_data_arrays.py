"""What training takes for data, and what it refuses by name."""

import numpy as np
import pytest

from glassgrad.data.arrays import as_arrays
from glassgrad.data.bad_input import BadInput

X, Y = np.arange(6.0).reshape(3, 2), np.arange(3)


@pytest.mark.parametrize("form", [tuple, list, iter], ids=["tuple", "list", "iterator"])
def test_examples_and_arrays(form):
    data = (X, Y) if form is tuple else form(list(zip(X, Y)))
    for got, want in zip(as_arrays(data), (X, Y)):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.ma.masked_array(X, X > 2), "array 0 of the data is a masked array, whose mask"),
        (X.view(np.matrix), "array 0 of the data is a np.matrix: convert it"),
        (X.astype(np.float16), "array 0 of the data is a ndarray of dtype float16"),
        (X.astype(complex), "array 0 of the data is a ndarray of dtype complex128"),
        ([[1, 2], [3]], "array 0 of the data is a list: rows of equal length"),
        (["a"], "array 0 of the data is a list of dtype <U1"),
        (3.0, "array 0 of the data is a single number"),
    ],
)
def test_what_holds_no_rows_of_numbers_is_refused(wrong, words):
    with pytest.raises(BadInput, match=words):
        as_arrays((wrong, Y))
