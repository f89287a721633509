"""What the README claims of the main job: worst of five seeds, with default options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glassgrad.cli.main import main

DATA = Path(__file__).parents[2] / "shared" / "data"
SEEDS = range(5)


def data(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs ../shared/data/{name}, which is not part of the repository")
    return str(path)


def score(capsys, pattern, *words):
    assert main([str(w) for w in words]) == 0
    found = re.search(pattern, capsys.readouterr().out)
    assert found
    return float(found[1].replace(",", ""))


@pytest.mark.parametrize("seed", SEEDS)
def test_demo_accuracy(tmp_path, capsys, seed):
    accuracy = score(
        capsys, r"test accuracy ([\d.]+)%", "demo", "--seed", seed, "--out", tmp_path / "m"
    )
    assert accuracy >= 97.0


@pytest.mark.parametrize("seed", SEEDS)
def test_california_housing(tmp_path, capsys, seed):
    rmse = score(
        capsys, r"test RMSE ([\d,]+)", "train", "table",
        data("tabular-california-housing/housing.csv.gz"),
        "--target", "median_house_value", "--seed", seed, "--out", tmp_path / "m",
    )  # fmt: skip
    assert rmse < 58_000


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("tabular-iris/iris.csv", 86),
        ("tabular-wine-quality/winequality-red.csv", 52),
        ("tabular-wine-quality/winequality-white.csv", 48),
    ],
)
def test_tables_without_a_header(tmp_path, capsys, name, least, seed):
    words = ("train", "table", data(name), "--target", "last", "--seed", seed)
    accuracy = score(capsys, r"test accuracy ([\d.]+)%", *words, "--out", tmp_path / "m")
    assert accuracy >= least


def test_adult(tmp_path, capsys):
    accuracy = score(
        capsys, r"test accuracy ([\d.]+)%", "train", "table",
        data("tabular-adult/adult-train.csv.gz"), "--target", "last", "--out", tmp_path / "m",
    )  # fmt: skip
    assert accuracy > 84.5
