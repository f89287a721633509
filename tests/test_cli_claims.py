"""What the README claims of the main job, with default options.

Worst of five seeds for the quick ones; one seed for the others, whose five are measured by
benchmarks/four_kinds.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glassgrad.cli.main import main
from glassgrad.data.conll import read_conll
from glassgrad.text.entity_scores import entity_scores
from glassgrad.text.tag_dictionary import TagDictionary

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
    words = ("train", "table", data("tabular-adult/adult-train.csv.gz"), "--target", "last")
    assert main([*words, "--out", str(tmp_path / "m")]) == 0
    test = data("tabular-adult/adult-test.csv.gz")
    assert main(["evaluate", str(tmp_path / "m"), test]) == 0
    out, err = capsys.readouterr()
    accuracy = re.findall(r"accuracy ([\d.]+)%", out)[-1]
    assert 100 - float(accuracy) < 15.3
    assert "all labels end in a dot here; they were read without it" in err


def test_mnist(tmp_path, capsys):
    words = ("train", "images", data("image-mnist"), "--out", tmp_path / "m")
    assert score(capsys, r"test accuracy ([\d.]+)% .* on 10,000 images", *words) >= 97.5


def test_rt_polarity(tmp_path, capsys):
    words = ("train", "text", data("sentiment-rt-polarity"), "--out", tmp_path / "m")
    assert score(capsys, r"test accuracy ([\d.]+)% .* on 1,066 texts", *words) >= 74


@pytest.mark.parametrize(("name", "least"), [("amazon_cells", 65), ("imdb", 65), ("yelp", 65)])
def test_sentences_with_their_labels(tmp_path, capsys, name, least):
    file = data(f"sentiment-uci-sentences/{name}_labelled.txt")
    words = ("train", "text", file, "--out", tmp_path / "m")
    assert score(capsys, r"test accuracy ([\d.]+)% .* on 100 texts", *words) >= least


@pytest.mark.parametrize(("name", "f1"), [("uh_ritual", 41.86), ("spinningbytes.txt", 40.78)])
def test_the_scorer_of_entities(capsys, name, f1):
    truth = data("ner-wnut17/emerging.test.annotated")
    words = ("evaluate", data(f"ner-wnut17/submissions/{name}"), truth)
    assert score(capsys, r"F1 ([\d.]+)%\nprecision", *words) == f1


def test_the_tagger_beats_a_dictionary(tmp_path, capsys):
    known = read_conll(data("ner-wnut17/wnut17train.conll"))
    test = read_conll(data("ner-wnut17/emerging.test.annotated"))
    found = TagDictionary.fit(known.tokens, known.tags)
    looked_up = entity_scores([found.tag(s) for s in test.tokens], test.tags)["all"].f1
    assert main(["train", "tags", known.path, "--out", str(tmp_path / "m")]) == 0
    f1 = score(capsys, r"(?m)^F1 ([\d.]+)%", "evaluate", tmp_path / "m", test.path)
    assert f1 > 3 * 100 * looked_up > 0
