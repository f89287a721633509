"""The main job on the command line: train, predict and evaluate a table."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from glassgrad.cli.main import main
from glassgrad.data.csv_file import read_csv
from glassgrad.train import trainer as loop
from glassgrad.train.store import load
from glassgrad.train.table_job import TableOptions, prepare

FAST = ["--epochs", "60", "--hidden", "16"]


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([*([header] if header else []), *rows])
    return str(path)


@pytest.fixture
def flats(tmp_path):
    """Rents that follow from size, quarter and age, with some values missing."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(400):
        size, age = float(rng.uniform(20, 120)), int(rng.integers(0, 100))
        quarter = str(rng.choice(["centre", "harbour", "hills"]))
        rent = 8 * size + {"centre": 300, "harbour": 0, "hills": 100}[quarter] - age
        rows.append([round(size, 1), "" if i % 20 == 7 else age, quarter, round(rent, 2)])
    return write(tmp_path / "flats.csv", ["size", "age", "quarter", "rent"], rows)


@pytest.fixture
def points(tmp_path):
    """Points in three clusters, without a header."""
    rng = np.random.default_rng(0)
    centres = {"red": (0, 4), "green": (4, 0), "blue": (-4, -4)}
    rows = [
        [*(round(float(c + rng.standard_normal()), 4) for c in centres[label]), label]
        for label in list(centres) * 50
    ]
    return write(tmp_path / "points.csv", None, rows)


def glassgrad(capsys, *words):
    code = main([str(w) for w in words])
    out, err = capsys.readouterr()
    return code, out, err


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_regression_from_file_to_prediction(flats, tmp_path, capsys):
    model = tmp_path / "model"
    code, out, err = glassgrad(
        capsys, "train", "table", flats, "--target", "rent", "--out", model, *FAST
    )
    assert code == 0
    assert "400 rows, 2 numeric and 1 category columns" in out
    assert "target rent: regression" in out and f"model saved in {model}" in out
    assert "epoch 1/60" in err and "RMSE" in err
    code, out, _ = glassgrad(capsys, "evaluate", model, flats)
    scores = dict(line.rsplit(" ", 1) for line in out.splitlines()[1:])
    assert code == 0 and out.startswith("400 rows") and float(scores["R2"]) > 0.95
    code, out, _ = glassgrad(capsys, "predict", model, flats)
    with Path(flats).open() as file:
        truth = [float(row["rent"]) for row in csv.DictReader(file)]
    predicted = [float(row["rent"]) for row in read(out)]
    rmse = float(np.sqrt(np.mean((np.array(predicted) - truth) ** 2)))
    assert rmse == pytest.approx(float(scores["RMSE"]), rel=1e-2)


def test_prediction_without_the_target_in_another_order_and_folder(flats, tmp_path, capsys):
    model = tmp_path / "model"
    glassgrad(capsys, "train", "table", flats, "--target", "rent", "--out", model, *FAST)
    _, expected, _ = glassgrad(capsys, "predict", model, flats)
    with Path(flats).open() as file:
        rows = list(csv.DictReader(file))
    names = ["quarter", "age", "size"]
    other = write(tmp_path / "o.csv", names, [[row[n] for n in names] for row in rows])
    moved = model.rename(tmp_path / "moved")
    saved = tmp_path / "predictions.csv"
    code, out, _ = glassgrad(capsys, "predict", moved, other, "--out", saved)
    assert code == 0 and out == "" and saved.read_text() == expected


def test_classification_without_a_header(points, tmp_path, capsys):
    model = tmp_path / "model"
    code, out, err = glassgrad(
        capsys, "train", "table", points, "--target", "last", "--out", model, "--epochs", "30"
    )
    assert code == 0
    assert "target column_3: classification, 3 classes (blue, green, red)" in out
    assert "accuracy" in err
    code, out, _ = glassgrad(capsys, "predict", model, points)
    rows = read(out)
    assert list(rows[0]) == ["column_3", "p(blue)", "p(green)", "p(red)"] and len(rows) == 150
    right = np.mean([r["column_3"] == ["red", "green", "blue"][i % 3] for i, r in enumerate(rows)])
    assert right > 0.97
    for row in rows:
        shares = {name: float(row[f"p({name})"]) for name in ("blue", "green", "red")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert max(shares, key=lambda name: shares[name]) == row["column_3"]
    code, evaluation, _ = glassgrad(capsys, "evaluate", model, points)
    assert code == 0 and f"accuracy {right:.2%}" in evaluation
    bare = write(tmp_path / "bare.csv", None, [[r[0], r[1]] for r in csv.reader(open_(points))])
    assert glassgrad(capsys, "predict", model, bare)[1] == out


def open_(path):
    return io.StringIO(Path(path).read_text())


def test_a_seed_repeats_and_engines_are_chosen(points, tmp_path, capsys):
    for folder, engine in (("a", "native"), ("b", "native"), ("c", "reference")):
        glassgrad(
            capsys, "train", "table", points, "--target", "3", "--out", tmp_path / folder,
            "--epochs", "3", "--seed", "7", "--engine", engine,
        )  # fmt: skip
    weights = [(tmp_path / f / "model.safetensors").read_bytes() for f in "ab"]
    assert weights[0] == weights[1]
    report = load(tmp_path / "c").report
    assert report.engine == "reference" and report.seed == 7 and report.epochs == 3


def test_kind_drop_and_categorical(points, tmp_path, capsys):
    rows = [[i % 3, f"name{i}", i % 4, i % 4 * 2 + i % 3] for i in range(200)]
    data = write(tmp_path / "d.csv", ["code", "name", "x", "y"], rows)
    common = ("train", "table", data, "--target", "y", "--out", tmp_path / "m", "--epochs", "2")
    code, _, err = glassgrad(capsys, *common)
    assert code == 2 and "--drop 'name'" in err
    code, out, _ = glassgrad(capsys, *common, "--drop", "name")
    assert code == 0 and "classification, 9 classes" in out
    code, out, _ = glassgrad(
        capsys, *common, "--drop", "name", "--kind", "regression", "--categorical", "code"
    )
    assert code == 0 and "regression" in out and "1 numeric and 1 category" in out


def test_ctrl_c_saves_the_best_so_far(points, tmp_path, capsys, monkeypatch):
    real = loop._keep_best

    def interrupt(run, record, *rest):
        if record.number == 3:
            raise KeyboardInterrupt
        return real(run, record, *rest)

    monkeypatch.setattr(loop, "_keep_best", interrupt)
    code, out, _ = glassgrad(
        capsys, "train", "table", points, "--target", "last", "--out", tmp_path / "m"
    )
    assert code == 130 and "interrupted; kept the best so far" in out
    assert load(tmp_path / "m").report.best_epoch in (1, 2)


def test_ctrl_c_before_anything_was_learned(points, tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_keep_best", interrupt)
    code, _, err = glassgrad(
        capsys, "train", "table", points, "--target", "last", "--out", tmp_path / "m"
    )
    assert code == 130 and "nothing was saved" in err and not (tmp_path / "m").exists()


def test_constant_and_empty_columns_do_no_harm(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = [
        [7, "", "same", round(float(x), 3), round(float(2 * x), 3)] for x in rng.normal(size=80)
    ]
    data = write(tmp_path / "d.csv", ["one", "none", "word", "x", "y"], rows)
    code, _, _ = glassgrad(
        capsys, "train", "table", data, "--target", "y", "--out", tmp_path / "m", *FAST
    )
    assert code == 0
    code, out, _ = glassgrad(capsys, "evaluate", tmp_path / "m", data)
    assert code == 0 and float(out.splitlines()[-1].split()[1]) > 0.9


def test_the_model_folder_is_plain_json_and_safetensors(points, tmp_path, capsys):
    glassgrad(capsys, "train", "table", points, "--target", "last", "--out", tmp_path / "m", *FAST)
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["model"]["type"] == "TablePredictor"


def test_rows_of_one_group_stay_together(tmp_path):
    rows = [[f"p{i % 12}", i, i % 12, 3 * (i % 12) + i % 2] for i in range(240)]
    table = read_csv(write(tmp_path / "t.csv", ["who", "a", "b", "y"], rows))
    task = prepare(table, TableOptions("y", kind="regression", group="who"))
    assert task.preparation.names == ("a", "b")
    parts = task.parts.train, task.parts.validation, task.parts.test
    groups = [{table.columns[0][i] for i in part} for part in parts]
    assert sum(map(len, groups)) == 12 == len(set.union(*groups))
    apart = prepare(table, TableOptions("y", kind="regression", drop=("who",))).parts
    assert {table.columns[0][i] for i in apart.test} & {table.columns[0][i] for i in apart.train}
