"""The main job on texts, tags and images: train, predict, evaluate; and bad input to each."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest

from glassgrad.cli.main import main
from glassgrad.data.conll import read_conll
from glassgrad.train.store import load
from glassgrad.train.text_predictor import TextPredictor

GOOD, BAD = ("fine", "lovely", "great"), ("dull", "awful", "poor")
NAMES = ("Anna", "Bruno", "Clara", "David", "Erik", "Frida")
PLACES = ("Paris", "Rome", "Oslo")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def glassgrad(capsys, *words):
    code = main([str(w) for w in words])
    out, err = capsys.readouterr()
    return code, out, err


def refused(capsys, *words):
    code, out, err = glassgrad(capsys, *words)
    assert code == 2 and "Traceback" not in out + err
    return " ".join(err[err.index("glassgrad") :].split())


def score(text, name):
    found = re.search(rf"\b{name} ([\d.]+)", text)
    assert found, text
    return float(found[1])


def write_texts(path, rows=200, seed=0):
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(rows):
        words = ["the", "film", "was", *rng.choice((GOOD, BAD)[i % 2], 2), "and", "long"]
        lines.append(f"{' '.join(words)}\t{('pos', 'neg')[i % 2]}")
    path.write_text("\n".join(lines) + "\n")


def write_tags(path, rows=150, seed=0):
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(rows):
        name, place = rng.choice(NAMES), rng.choice(PLACES)
        lines += [f"{name}\tB-person", "went\tO", "to\tO", f"{place}\tB-place", ".\tO", ""]
    path.write_text("\n".join(lines) + "\n")


def write_images(path, rows=300, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    pixels = rng.integers(0, 60, (rows, 6, 5)).astype(np.uint8)
    for i, label in enumerate(labels):
        pixels[i, 2 * label : 2 * label + 2] += 150
    np.savez(path, images=pixels, labels=np.array(["top", "middle", "bottom"])[labels])


def test_texts_from_file_to_label(inside, capsys):
    write_texts(inside / "reviews.txt")
    code, out, err = glassgrad(capsys, "train", "text", "reviews.txt", "--plot", "curves.svg")
    assert code == 0 and "2 classes (neg, pos); texts: 162 to train" in out
    assert "epoch 1/30" in err and "always answering the commonest class would give" in out
    assert (inside / "curves.svg").read_text().startswith("<svg")
    assert score(glassgrad(capsys, "evaluate", "reviews-model", "reviews.txt")[1], "accuracy") > 99
    (inside / "new.txt").write_text("a lovely thing\nhow awful , how dull\nwords unknown\n")
    code, out, _ = glassgrad(capsys, "predict", "reviews-model", "new.txt")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and [r["label"] for r in rows[:2]] == ["pos", "neg"] and len(rows) == 3
    assert all(float(r["p(pos)"]) + float(r["p(neg)"]) == pytest.approx(1) for r in rows)
    labelled = glassgrad(capsys, "predict", "reviews-model", "reviews.txt")[1]
    assert len(labelled.splitlines()) == 201


def test_the_words_that_decide(inside, capsys):
    write_texts(inside / "reviews.txt")
    glassgrad(capsys, "train", "text", "reviews.txt", "--ngrams", "1")
    model = load("reviews-model")
    assert isinstance(model, TextPredictor)
    reasons = dict(model.reasons("the lovely film was long"))
    assert next(iter(reasons)) == "lovely" and reasons["lovely"] > abs(reasons["film"])
    (inside / "new.txt").write_text("the lovely film\nwords unknown\n")
    rows = list(
        csv.DictReader(
            io.StringIO(glassgrad(capsys, "predict", "reviews-model", "new.txt", "--why")[1])
        )
    )
    assert rows[0]["because"].startswith("lovely +") and rows[1]["because"] == ""


def test_texts_in_a_file_for_each_label(inside, capsys):
    write_texts(inside / "all.txt")
    for label in ("pos", "neg"):
        lines = (inside / "all.txt").read_text().splitlines()
        kept = [line.split("\t")[0] for line in lines if line.endswith(label)]
        (inside / f"r.{label}").write_text("\n".join(kept))
    assert glassgrad(capsys, "train", "text", "r.pos", "r.neg", "--out", "m")[0] == 0
    out = glassgrad(capsys, "evaluate", "m", "r.pos", "r.neg")[1]
    assert out.startswith("200 texts") and score(out, "accuracy") > 99
    write_tags(inside / "a.conll", 5)
    assert "one file or folder is scored at a time" in refused(
        capsys, "evaluate", "a.conll", "a.conll", "a.conll"
    )


def write_reviews(path, header, rows=120):
    write_texts(path, rows)
    pairs = [line.split("\t") for line in path.read_text().splitlines()]
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerows([["id", "label", "review"]] if header else [])
        out.writerows([i, label, f"{text}, \nas I said"] for i, (text, label) in enumerate(pairs))


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (True, ("--text", "review", "--target", "label")),
        (False, ("--text", "3", "--target", "2")),
        (True, ("--text", "last", "--target", "2")),
    ],
)
def test_texts_in_columns_of_a_csv_file(inside, capsys, header, columns):
    write_reviews(inside / "r.csv", header)
    code, out, _ = glassgrad(capsys, "train", "text", "r.csv", *columns, "--epochs", "5")
    assert code == 0 and "r.csv: 120 texts" in out and "2 classes (neg, pos)" in out
    assert out.endswith("next: glassgrad predict r-model r.csv\n")
    out = glassgrad(capsys, "evaluate", "r-model", "r.csv")[1]
    assert out.startswith("120 texts") and score(out, "accuracy") > 99
    rows = glassgrad(capsys, "predict", "r-model", "r.csv")[1].splitlines()
    assert len(rows) == 121 and rows[1].startswith("pos,")
    if header:
        (inside / "new.csv").write_text('review\n"lovely, fine"\nawful\n')
        out = glassgrad(capsys, "predict", "r-model", "new.csv")[1]
        assert [r.split(",")[0] for r in out.splitlines()] == ["label", "pos", "neg"]
        (inside / "new.csv").write_text("text\nfine\n")
        said = refused(capsys, "predict", "r-model", "new.csv")
        assert "new.csv: no column is called 'review'" in said


def test_tags_from_file_to_entities(inside, capsys):
    write_tags(inside / "trips.conll")
    write_tags(inside / "more.conll", 20, seed=1)
    code, out, err = glassgrad(capsys, "train", "tags", "trips.conll", "--dimension", "8")
    assert code == 0 and "150 sentences, 750 tokens" in out and "3 tags" in out
    assert "looking up the entities of the training part would give F1" in out
    assert "F1 " in err and "rate 0.001" in err
    out = glassgrad(capsys, "evaluate", "trips-model", "more.conll")[1]
    assert score(out, "F1") == 100 and "F1 of person 100.00%" in out
    code, out, _ = glassgrad(capsys, "predict", "trips-model", "more.conll", "--out", "p.conll")
    assert code == 0 and out == ""
    assert read_conll("p.conll").tags == read_conll("more.conll").tags
    out = glassgrad(capsys, "evaluate", "p.conll", "more.conll")[1]
    assert out.startswith("20 sentences\nF1 100.00%")


def test_the_kept_model_may_be_that_of_the_best_f1(inside, capsys):
    write_tags(inside / "t.conll")
    words = ("train", "tags", "t.conll", "--epochs", "3", "--keep-best")
    assert glassgrad(capsys, *words, "F1")[0] == 0
    said = refused(capsys, *words, "f1")
    assert "keep_best='f1' names no metric of this run. Did you mean 'F1'?" in said


def test_words_known_from_vectors_alone(inside, capsys):
    write_tags(inside / "t.conll")
    cities, names = (*PLACES, "Berlin"), (*NAMES, "Gerda")
    lines = [f"{w.lower()} 0 1" for w in cities] + [f"{w.lower()} 1 0" for w in names]
    (inside / "v.txt").write_text("\n".join(lines) + "\n")
    words = ("train", "tags", "t.conll", "--vectors", "v.txt", "--epochs", "8", "--out", "m")
    assert glassgrad(capsys, *words)[0] == 0
    model = load("m")
    assert model.network.vectors.shape[1] == 2 and "w:berlin" in model.vocabulary.words
    assert "leave out --dimension" in refused(capsys, *words, "--dimension", "9")
    assert "v.txt.gz: there is no such file" in refused(
        capsys, "train", "tags", "t.conll", "--vectors", "v.txt.gz"
    )


def test_tags_that_mark_no_entities(inside, capsys):
    (inside / "pos.conll").write_text("the DET\ncat NOUN\nsleeps VERB\n\n" * 60)
    code, out, _ = glassgrad(capsys, "train", "tags", "pos.conll", "--epochs", "20")
    assert code == 0 and score(out[out.index("test ") :], "accuracy") > 99 and "F1" not in out


def test_images_from_file_to_label(inside, capsys):
    write_images(inside / "bars.npz")
    code, out, _ = glassgrad(capsys, "train", "images", "bars.npz", "--epochs", "10")
    assert code == 0 and "300 images of 6 x 5 pixels" in out and "network 30 -> 128 -> 3" in out
    assert score(glassgrad(capsys, "evaluate", "bars-model", "bars.npz")[1], "accuracy") == 100
    rows = list(csv.reader(io.StringIO(glassgrad(capsys, "predict", "bars-model", "bars.npz")[1])))
    assert rows[0] == ["label", "p(bottom)", "p(middle)", "p(top)"] and len(rows) == 301
    assert [r[0] for r in rows[1:4]] == ["top", "middle", "bottom"]


def test_a_resumed_job_ends_in_the_same_model(inside, capsys):
    write_texts(inside / "t.txt")
    glassgrad(capsys, "train", "text", "t.txt", "--out", "whole", "--epochs", "5")
    keep = ("--checkpoint", "run")
    glassgrad(capsys, "train", "text", "t.txt", "--out", "part", "--epochs", "2", *keep)
    code, *_ = glassgrad(
        capsys, "train", "text", "t.txt", "--out", "rest", "--epochs", "5", *keep, "--resume"
    )
    assert code == 0
    weights = [(inside / m / "model.safetensors").read_bytes() for m in ("whole", "part", "rest")]
    assert weights[0] == weights[2]


WORDS = [
    (["text", "t.txt", "--label", "firts"], "did you mean 'first'?"),
    (["text", "t.txt", "--ngrms", "2"], "Did you mean '--ngrams'?"),
    (["text", "t.txt", "--vectors", "v"], "glassgrad train text: unknown option '--vectors'."),
    (["tags", "t.txt", "u.txt"], "glassgrad train tags: unknown word 'u.txt'."),
    (["text", "none.txt"], "none.txt: there is no such file"),
    (["text", "."], "holds neither a folder of .txt files"),
    (["text", "one.txt"], "every label is 'a'"),
    (["text", "many.txt"], "too many for classes"),
    (["text", "plain.txt"], "plain.txt:1: this line has no label"),
    (["text", "few.txt"], "few.txt: too few examples"),
    (["text", "r.csv"], "For a CSV file name the columns: --text COLUMN --target COLUMN"),
    (["text", "r.csv", "--text", "review"], "--text and --target go together"),
    (["text", "r.csv", "--text", "revue", "--target", "label"], "Did you mean 'review'?"),
    (["text", "r.csv", "--text", "last", "--target", "review"], "name two columns"),
    (["text", "gap.csv", "--text", "t", "--target", "y"], "gap.csv:3: the column 't' is empty"),
    (["text", "r.csv", "t.txt", "--text", "3", "--target", "2"], "columns of one CSV file"),
    (["text", "headed.txt"], "headed.txt:1: the label 'sentiment' of the first text"),
    (["text", "t.txt", "--resume"], "--resume needs --checkpoint"),
    (["text", "t.txt", "--resume", "--checkpoint", "c"], "no checkpoint to resume from"),
    (["text", "t.txt", "--out", "m", "--checkpoint", "m"], "both name the same one"),
    (["text", "t.txt", "--plot", "no/p.svg"], "does not exist"),
    (["text", "t.txt", "--plot", "."], ".: this is a folder; give the name of a file."),
    (["tags", "plain.txt"], "plain.txt:1: this line has one column"),
    (["tags", "same.conll"], "every tag is 'O'"),
    (["tags", "t.txt", "--window", "101"], "100 words at most"),
    (["tags", "."], "this is a folder; give a CoNLL file."),
    (["tags", "bare.npz"], "bare.npz:1: this is not CoNLL text but a zip archive"),
    (
        ["text", "zeros.txt"],
        "zeros.txt:2: this is a binary file, not labelled text: byte 5 is zero",
    ),
    (["images", "none"], "no such file or folder"),
    (["images", "t.txt"], "this is no IDX file"),
    (["images", "bare.npz"], "no labels to learn from"),
    (["images", "bare.npz", "--labels", "t.txt"], "t.txt: labels are named for an IDX file"),
    (["images", "."], "a folder of images holds"),
    (["image", "a.npz"], "did you mean 'images'?"),
]


@pytest.mark.parametrize(("words", "said"), WORDS, ids=[" ".join(w) for w, _ in WORDS])
def test_bad_input(inside, capsys, words, said):
    write_texts(inside / "t.txt", 30)
    (inside / "one.txt").write_text("x y\ta\n" * 30)
    (inside / "many.txt").write_text("".join(f"{i}\tl{i}\n" for i in range(30)))
    (inside / "plain.txt").write_text("words\nalone\n")
    (inside / "headed.txt").write_text("text\tsentiment\n" + (inside / "t.txt").read_text())
    write_reviews(inside / "r.csv", True, 30)
    (inside / "zeros.txt").write_bytes(b"a\tx\ny\0\tz\n")
    (inside / "gap.csv").write_text("t,y\nfine,1\n,2\n")
    (inside / "few.txt").write_text("x\ta\ny\tb\n")
    (inside / "same.conll").write_text("a O\nb O\n\n" * 20)
    np.savez(inside / "bare.npz", images=np.zeros((30, 2, 2), np.uint8))
    before = sorted(p.name for p in inside.iterdir())
    assert said in refused(capsys, "train", *words)
    assert sorted(p.name for p in inside.iterdir()) == before


def test_data_of_another_kind_for_a_model(inside, capsys):
    write_images(inside / "bars.npz", 60)
    glassgrad(capsys, "train", "images", "bars.npz", "--epochs", "1", "--out", "m")
    np.savez(inside / "wide.npz", images=np.zeros((3, 9, 9), np.uint8), labels=["top"] * 3)
    np.savez(inside / "odd.npz", images=np.zeros((3, 6, 5), np.uint8), labels=["left"] * 3)
    np.savez(inside / "bare.npz", images=np.zeros((3, 6, 5), np.uint8))
    assert "the model was trained on (6, 5)" in refused(capsys, "predict", "m", "wide.npz")
    said = refused(capsys, "evaluate", "m", "odd.npz")
    assert "odd.npz (train), image 0: the label 'left' is none of the classes" in said
    assert "this is no text model" in refused(capsys, "predict", "m", "bars.npz", "--why")
    assert "there is nothing to compare with" in refused(capsys, "evaluate", "m", "bare.npz")
    write_texts(inside / "t.txt", 30)
    glassgrad(capsys, "train", "text", "t.txt", "--epochs", "1", "--out", "n")
    (inside / "odd.txt").write_text("fine\tpos\nfine\tposs\n")
    said = refused(capsys, "evaluate", "n", "odd.txt")
    assert "odd.txt:2: the label 'poss' is none" in said and "Did you mean 'pos'" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"longest": 2', '"longest": 0', "n-grams have 1 to 10 words"),
        ('"form": "last"', '"form": "exec"', "is none of"),
        ('"film"', '"film was"', "each word once"),
        ('"BagClassifier"', '"MLP"', "does not go here"),
        ('"tensor": "network.bias"', '"tensor": "network.votes"', "no unused tensor"),
    ],
)
def test_damaged_text_models(inside, capsys, old, new, said):
    write_texts(inside / "t.txt", 60)
    glassgrad(capsys, "train", "text", "t.txt", "--epochs", "1", "--out", "m")
    config = inside / "m" / "config.json"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    assert said in refused(capsys, "predict", "m", "t.txt")


def test_damaged_tag_and_image_models(inside, capsys):
    write_tags(inside / "t.conll", 30)
    glassgrad(capsys, "train", "tags", "t.conll", "--epochs", "1", "--out", "m")
    write_images(inside / "i.npz", 60)
    glassgrad(capsys, "train", "images", "i.npz", "--epochs", "1", "--out", "n")
    changes = [
        ("m", "reach", 3, "t.conll", "windows that reach 3 need"),
        ("m", "reach", 10**9, "t.conll", "windows that reach"),
        ("m", "tags", ["O", "B-x"], "t.conll", "2 tags do not fit 3 outputs"),
        ("n", "shape", [6, 6], "i.npz", "do not fill 30 inputs"),
        ("n", "shape", [-6, -5], "i.npz", "do not fill 30 inputs"),
        ("n", "scale", 0, "i.npz", "the scale must be above 0"),
        ("n", "classes", ["a", "a", "b"], "i.npz", "3 classes do not fit 3 outputs"),
    ]
    for folder, key, value, data, said in changes:
        config = inside / folder / "config.json"
        kept = config.read_text()
        changed = json.loads(kept)
        changed["model"][key] = value
        config.write_text(json.dumps(changed))
        assert said in refused(capsys, "predict", folder, data)
        config.write_text(kept)


def test_a_failed_training_writes_nothing(inside, capsys):
    write_images(inside / "i.npz", 60)
    words = ("train", "images", "i.npz", "--lr", "1e30", "--out", "m", "--plot", "p.svg")
    assert "smaller learning rate" in refused(capsys, *words)
    assert sorted(p.name for p in inside.iterdir()) == ["i.npz"]


def test_help_of_the_kinds(capsys):
    for kind in ("text", "tags", "images"):
        code, out, _ = glassgrad(capsys, "train", kind, "--help")
        assert code == 0 and "examples:" in out and "--checkpoint" in out
