"""The demo: trains, tests, explains a gradient that a difference confirms, and saves."""

from __future__ import annotations

import csv
import re
import sys

import numpy as np
import pytest

from glassgrad.cli.main import main
from glassgrad.train.digits import drawing, load_digits
from glassgrad.train.store import load


def test_demo_explains_one_gradient(tmp_path, capsys):
    folder = tmp_path / "m"
    assert main(["demo", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"model saved in {folder}" in out
    value = float(re.search(r"d loss / d image\[0, \d+\] = (\S+)", out)[1])
    check = float(re.search(r"both ways gives (\S+)\.\n", out)[1])
    assert check == pytest.approx(value, rel=1e-4)
    assert "rule: matmul" in out and "line: " in out
    up, local, product = map(
        float, re.search(r"upstream (\S+) x local (\S+) = (\S+)", out).groups()
    )
    assert up * local == pytest.approx(product, rel=1e-4)


def test_the_demo_model_predicts_a_table_of_pixels(tmp_path, capsys):
    from sklearn.datasets import load_digits as pixels_and_labels

    assert main(["demo", "--out", str(tmp_path / "m")]) == 0
    pixels, labels = pixels_and_labels(return_X_y=True)
    model = load(tmp_path / "m")
    with (tmp_path / "digits.csv").open("w", newline="") as file:
        csv.writer(file).writerows([model.columns, *np.column_stack([pixels, labels])[:200]])
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "m"), str(tmp_path / "digits.csv")]) == 0
    assert float(re.search(r"accuracy ([\d.]+)%", capsys.readouterr().out)[1]) > 97


def test_the_demo_without_scikit_learn(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert main(["demo", "--out", str(tmp_path / "m")]) == 2
    assert "pip install scikit-learn" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "m").exists()


def test_digits_are_split_evenly_and_drawn():
    digits = load_digits(0)
    assert len(digits.train[1]) + len(digits.test[1]) == 1797
    assert np.abs(np.bincount(digits.test[1]) - 36).max() <= 1
    assert drawing(np.full(64, -0.6)) == "\n" * 7 and "@" in drawing(np.full(64, 1.4))
