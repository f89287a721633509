"""Columns, targets, preparation and splits."""

from __future__ import annotations

import numpy as np
import pytest

from glassgrad.data.bad_input import BadInput
from glassgrad.data.batches import batches
from glassgrad.data.column import CategoryColumn, NumericColumn, is_numeric, parse_numbers
from glassgrad.data.preparation import Preparation
from glassgrad.data.split import split_groups, split_rows
from glassgrad.data.table import Table
from glassgrad.data.target import ClassTarget, NumberTarget, find_classes, refuse_missing


def table(**columns):
    rows = len(next(iter(columns.values())))
    cells = tuple(tuple(map(str, c)) for c in columns.values())
    return Table("t.csv", tuple(columns), cells, tuple(range(2, rows + 2)), header=True)


def test_numeric_column_is_standardised_and_marks_missing():
    t = table(x=[1, 2, "", 3, "NA"])
    column = NumericColumn.fit("x", parse_numbers(t, 0))
    encoded = column.encode(t, 0)
    assert column.median == 2 and column.indicator and encoded.shape == (5, 2)
    assert encoded[:, 1].tolist() == [0, 0, 1, 0, 1]
    assert encoded[[0, 1, 3], 0].mean() == pytest.approx(0)
    assert encoded[[0, 1, 3], 0].std() == pytest.approx(1)
    assert encoded[2, 0] == encoded[4, 0] == encoded[1, 0]


@pytest.mark.parametrize("values", [[7.0] * 4, [0.1] * 3, [1e99] * 3, [1e-300] * 3, [np.nan] * 3])
def test_constant_and_empty_columns_stay_finite(values):
    column = NumericColumn.fit("x", np.array(values))
    encoded = column.encode(table(x=["" if np.isnan(v) else v for v in values]), 0)
    assert np.isfinite(encoded).all() and np.abs(encoded).max() < 1e-6


@pytest.mark.parametrize("unit", [1e99, 1e30, 1e-12, 1e-90])
def test_units_do_not_matter(unit):
    draws = np.random.default_rng(0).standard_normal(50)
    plain = NumericColumn.fit("x", draws).encode(table(x=draws), 0)
    scaled = NumericColumn.fit("x", draws * unit).encode(table(x=draws * unit), 0)
    assert scaled == pytest.approx(plain)
    assert NumberTarget.fit("y", draws * unit).scale == pytest.approx(draws.std() * unit)


def test_outliers_are_clipped():
    column = NumericColumn.fit("x", np.arange(100.0) - 50)
    assert np.abs(column.encode(table(x=[1e30, -1e30]), 0)).max() == 8


def test_skewed_columns_are_straightened():
    draws = np.exp(np.random.default_rng(0).standard_normal(2000) * 2)
    assert NumericColumn.fit("x", draws).transform == "log1p"
    assert NumericColumn.fit("x", -draws).transform == "identity"
    assert NumericColumn.fit("x", np.arange(100.0)).transform == "identity"


def test_a_slip_in_a_column_of_numbers_is_named():
    t = table(x=[*range(100), "12o"])
    with pytest.raises(BadInput, match=r"t\.csv:102: column 'x' holds '12o'"):
        is_numeric(t, 0)


def test_infinity_and_decimal_commas_are_named():
    with pytest.raises(BadInput, match=r"t\.csv:3: .*not finite"):
        parse_numbers(table(x=[1, "inf"]), 0)
    with pytest.raises(BadInput, match="decimal point"):
        parse_numbers(table(x=["1,5"]), 0)


def test_categories_rare_unseen_and_missing():
    cells = ["a"] * 6 + ["b"] * 5 + ["?"] * 5 + ["rare"]
    column = CategoryColumn.fit("c", cells, "t.csv", 10)
    assert column.categories == ("", "a", "b")
    rows = column.encode(table(c=["a", "", "rare", "never seen"]), 0)
    assert rows.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_unseen_category_is_the_mean_where_nothing_was_rare():
    column = CategoryColumn.fit("c", ["a"] * 15 + ["b"] * 5, "t.csv", 10)
    assert column.encode(table(c=["never seen"]), 0).tolist() == [[0.75, 0.25, 0.0]]


def test_too_many_categories():
    with pytest.raises(BadInput, match=r"column 'name' has 200 different words.*--drop 'name'"):
        Preparation.fit(table(name=[f"n{i}" for i in range(200)]), [0], np.arange(200))


def test_preparation_finds_columns_by_name_and_names_missing_ones():
    t = table(a=[1, 2, 3, 4], b=["x", "x", "y", "y"])
    preparation = Preparation.fit(t, [0, 1], np.arange(4))
    swapped = table(b=["x", "x", "y", "y"], z=[0, 0, 0, 0], a=[1, 2, 3, 4])
    assert (preparation.encode(t) == preparation.encode(swapped)).all()
    assert preparation.encode(t).dtype == np.float32
    assert preparation.encode(t).shape == (4, preparation.width)
    with pytest.raises(BadInput, match=r"the columns 'b' .* missing here\. Did you mean 'bb'"):
        preparation.encode(table(a=[1], bb=["x"]))


def test_preparation_learns_from_training_rows_alone():
    t = table(a=[1, 2, 3, 1000])
    assert Preparation.fit(t, [0], np.array([0, 1, 2])).columns[0].mean == 2


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        (["b", "a"] * 5, "auto", ("a", "b")),
        ([3, 1, 2] * 5, "auto", ("1", "2", "3")),
        ([10, 9] * 5, "auto", ("9", "10")),
        ([3, 1, 2] * 5, "regression", None),
        ([0.5, 1.5] * 5, "auto", None),
        ([0.5, 1.5] * 5, "classification", ("0.5", "1.5")),
        (list(range(40)), "auto", None),
        (["1", "1.0", "2"] * 4, "auto", ("1", "2")),
    ],
)
def test_kind_of_target(cells, kind, expected):
    assert find_classes(table(y=cells), 0, kind) == expected


def test_targets_that_cannot_be():
    with pytest.raises(BadInput, match="in every row"):
        find_classes(table(y=["a"] * 5), 0, "auto")
    with pytest.raises(BadInput, match="too many for classes"):
        find_classes(table(y=[f"id{i}" for i in range(50)]), 0, "auto")
    with pytest.raises(BadInput, match=r"t\.csv:3: the target 'y' is missing here and in 1 other"):
        refuse_missing(table(y=[1, "", 2, "?"]), 0)


def test_unknown_label_is_named():
    target = ClassTarget("y", ("<=50K", ">50K"))
    assert target.encode(table(y=[">50K", "<=50K"]), 0).tolist() == [1, 0]
    with pytest.raises(BadInput, match=r"t\.csv:3: the label '>50K\.'.*Did you mean '>50K'"):
        target.encode(table(y=[">50K", ">50K."]), 0)


def test_number_target_goes_there_and_back():
    values = np.array([1.0, 5.0, 9.0])
    target = NumberTarget.fit("y", values)
    assert target.standard(values).shape == (3, 1)
    assert target.restore(target.standard(values)) == pytest.approx(values)


def test_split_is_seeded_disjoint_and_complete():
    a, b = split_rows(1000, seed=3), split_rows(1000, seed=3)
    assert (a.test == b.test).all() and (a.train == b.train).all()
    assert (len(a.train), len(a.validation), len(a.test)) == (680, 120, 200)
    assert sorted([*a.train, *a.validation, *a.test]) == list(range(1000))
    assert (split_rows(1000, seed=4).test != a.test).any()


def test_split_is_stratified():
    labels = np.array([0] * 900 + [1] * 100)
    split = split_rows(1000, seed=0, labels=labels)
    for part in (split.train, split.validation, split.test):
        assert labels[part].mean() == pytest.approx(0.1, abs=0.006)


def test_too_few_rows():
    with pytest.raises(BadInput, match="too few"):
        split_rows(2, seed=0)


def test_batches_cover_shuffled_rows_and_the_last_may_be_short():
    x = np.arange(10)
    seen = list(batches([x, x * 2], 4, np.random.default_rng(0)))
    assert [len(a) for a, _ in seen] == [4, 4, 2]
    assert all((b == 2 * a).all() for a, b in seen)
    assert {int(v) for a, _ in seen for v in a} == set(range(10))
    assert [len(a) for (a,) in batches([x], 5, np.random.default_rng(0))] == [5, 5]
    with pytest.raises(BadInput, match="same number of rows"):
        list(batches([x, x[1:]], 4, np.random.default_rng(0)))


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together(seed):
    rng = np.random.default_rng(seed)
    groups = [f"patient {i}" for i in rng.integers(0, 60, 1000)]
    parts = split_groups(groups, seed=seed)
    rows = [parts.train, parts.validation, parts.test]
    assert sorted(np.concatenate(rows).tolist()) == list(range(1000))
    names = [{groups[i] for i in part} for part in rows]
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
    assert [len(part) / 1000 for part in rows] == pytest.approx([0.68, 0.12, 0.2], abs=0.03)


def test_too_few_groups():
    with pytest.raises(BadInput, match="2 groups cannot be dealt"):
        split_groups([1, 1, 2], seed=0)
    assert all(len(p) for p in vars(split_groups([1, 2, 3], seed=0)).values())
