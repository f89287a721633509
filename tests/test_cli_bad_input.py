"""Bad input on the command line: one paragraph, what and where and what to do, exit code 2."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile

import pytest

from glassgrad import nn
from glassgrad.cli.main import main
from glassgrad.train.store import save
from glassgrad.transform import random

GOOD = "a,b,y\n" + "".join(f"{i},{'xz'[i % 2]},{i * 2.5}\n" for i in range(40))
TRAIN = ["train", "table", "d.csv", "--target", "y", "--epochs", "2"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text(GOOD)
    return tmp_path


def refused(capsys, words):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert "Traceback" not in err + out
    start = err.index("glassgrad")
    assert "epoch" in err[:start] or not start
    return " ".join(err[start:].split())


WORDS = [
    ([*TRAIN, "--epoch", "3"], "unknown option '--epoch'. Did you mean '--epochs'?"),
    (["trian"], "unknown verb 'trian'. Did you mean 'train'?"),
    (["--verbose"], "unknown option '--verbose'"),
    (["train", "tabel", "d.csv"], "did you mean 'table'?"),
    (["train", "table", "d.csv"], "required: --target"),
    ([*TRAIN, "--lr", "0"], "0 is not a number above 0"),
    ([*TRAIN, "--lr", "fast"], "invalid number value: 'fast'"),
    ([*TRAIN, "--batch", "0"], "0 is not at least 1"),
    ([*TRAIN, "--hidden", "64,-1"], "-1 is not at least 1"),
    ([*TRAIN, "--seed", "-1"], "-1 is not from 0"),
    ([*TRAIN, "--engine", "nativ"], "did you mean 'native'?"),
    ([*TRAIN, "--separator", "::"], "--separator takes one character"),
    ([*TRAIN, "--drop", "y"], "the target 'y' cannot be dropped"),
    ([*TRAIN, "--group", "y"], "the target 'y' cannot be the group"),
    ([*TRAIN, "--group", "b"], "2 groups cannot be dealt"),
    ([*TRAIN, "--drop", "aa"], "no column is called 'aa'. Did you mean 'a'?"),
    (["train", "table", "d.csv", "--target", "why"], "no column is called 'why'"),
    (["train", "table", "no.csv", "--target", "y"], "no.csv: there is no such file"),
    (["train", "table", ".", "--target", "y"], "this is a folder"),
    ([*TRAIN, "--out", "d.csv"], "this is a file; a model needs a folder"),
    ([*TRAIN, "--out", "."], "holds other things and no model"),
    ([*TRAIN, "--out", "no/model"], "does not exist"),
    (["predict", "no-model", "d.csv"], "no-model: there is no such folder"),
    (["predict", "d.csv", "d.csv"], "d.csv: this is a file"),
    (["predict", ".", "d.csv"], "config.json: the file is missing"),
    (["evaluate", "no-model", "d.csv"], "no-model: there is no such folder"),
    (["ops", "tanhh"], "tanhh"),
]


@pytest.mark.parametrize(("words", "said"), WORDS, ids=[" ".join(w) for w, _ in WORDS])
def test_wrong_words(capsys, words, said):
    assert said in refused(capsys, words)


FILES = [
    (b"", "the file is empty"),
    (b"a,b,y\n", "d.csv:1: the file has a header and no rows"),
    (b"a,b,y\n1,x,3\n1,2\n", "d.csv:3: this row has 2 fields where line 1 has 3"),
    (b"a,b,y\n1,x,3\n\0\0\0\n", "d.csv:3: this is a binary file"),
    (b"a,b,y\n1,\xff,3\n", "d.csv:2: byte 0xff"),
    (b"a,a,y\n1,2,3\n", "two columns are called 'a'"),
    (GOOD.encode() + b"1,x,\n", "d.csv:42: the target 'y' is missing here"),
    (b"y\n" + b"1.5\n2.5\n3.5\n" * 10, "no column to predict from"),
    (GOOD.encode()[:14], "d.csv: too few examples"),
    (b"a,y\n" + b"1,same\n" * 40, "is 'same' in every row"),
    (GOOD.replace("x", "12").replace("z", "1e400").encode(), "not finite"),
]


@pytest.mark.parametrize(("data", "said"), FILES, ids=[said for _, said in FILES])
def test_wrong_files(capsys, inside, data, said):
    (inside / "d.csv").write_bytes(data)
    assert said in refused(capsys, [*TRAIN, "--out", "m"])
    assert not (inside / "m").exists()


@pytest.fixture
def model(inside, capsys):
    assert main([*TRAIN, "--out", "m"]) == 0
    capsys.readouterr()
    return inside / "m"


PREDICTIONS = [
    (b"a,y\n1,2\n", "the columns 'b' that the model was trained on are missing here"),
    (b"1,x,3\n2,z,5\n", "none of the names in the first row"),
    (b"a,b\n1,x\none,z\n", "d.csv:3: column 'a' holds 'one', which is not a number"),
    (b"a,b\n", "a header and no rows"),
]


@pytest.mark.parametrize(("data", "said"), PREDICTIONS)
def test_wrong_files_for_a_model(capsys, inside, model, data, said):
    (inside / "d.csv").write_bytes(data)
    assert said in refused(capsys, ["predict", "m", "d.csv", "--out", "p.csv"])
    assert not (inside / "p.csv").exists()


def test_predictions_into_a_folder(capsys, inside, model):
    names = sorted(p.name for p in inside.iterdir())
    assert "m: this is a folder" in refused(capsys, ["predict", "m", "d.csv", "--out", "m"])
    assert sorted(p.name for p in inside.iterdir()) == names


def test_a_place_that_cannot_be_written_to_is_found_before_the_work(
    capsys, inside, model, monkeypatch
):
    def refuse(*args, dir, **kwargs):
        assert dir.absolute() in (inside, model)
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    for words in ([*TRAIN, "--out", "new"], [*TRAIN, "--out", "m"],
                  ["predict", "m", "d.csv", "--out", "p.csv"]):  # fmt: skip
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert "nothing can be written to" in err and "Read-only file system" in " ".join(
            err.split()
        )
        assert "epoch" not in out + err


def test_a_full_disk_is_told_with_the_file(capsys, inside, model, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = {p.name: p.read_bytes() for p in model.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    said = refused(capsys, [*TRAIN, "--out", "m"])
    assert "model.safetensors.next: No space left on device" in said
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before


def test_evaluation_without_answers(capsys, inside, model):
    (inside / "d.csv").write_text("a,b\n1,x\n")
    assert "the target column 'y' is not in this file" in refused(
        capsys, ["evaluate", "m", "d.csv"]
    )


def test_damaged_models(capsys, inside, model):
    config, weights = model / "config.json", model / "model.safetensors"
    texts = config.read_bytes(), weights.read_bytes()
    weights.write_bytes(texts[1][:-1])
    assert "SHA-256 differs" in refused(capsys, ["predict", "m", "d.csv"])
    weights.unlink()
    assert "model.safetensors: the file is missing" in refused(capsys, ["predict", "m", "d.csv"])
    weights.write_bytes(texts[1])
    config.write_bytes(texts[0].replace(b'"MLP"', b'"Popen"'))
    assert "'Popen' is no layer" in refused(capsys, ["predict", "m", "d.csv"])
    config.write_bytes(texts[0].replace(b'"scale": ', b'"scale": -'))
    assert "scale must be above 0" in refused(capsys, ["predict", "m", "d.csv"])
    config.write_bytes(texts[0].replace(b'"categories"', b'"categries"'))
    assert "lacks the key 'categories'" in refused(capsys, ["predict", "m", "d.csv"])
    config.write_bytes(texts[0][:100])
    assert "not valid JSON" in refused(capsys, ["predict", "m", "d.csv"])


def test_a_model_of_another_kind(capsys, inside):
    save(nn.MLP.init([2, 1], key=random.key(0)), inside / "m")
    assert "this is a MLP, not a model that 'glassgrad train' wrote" in refused(
        capsys, ["predict", "m", "d.csv"]
    )


def test_a_failed_training_leaves_the_old_model(capsys, inside, model):
    before = {p.name: p.read_bytes() for p in model.iterdir()}
    assert "smaller learning rate" in refused(capsys, [*TRAIN, "--out", "m", "--lr", "1e30"])
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before


def test_debug_shows_the_traceback(capsys):
    assert main(["predict", "no-model", "d.csv", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_of_everything(capsys):
    for words in ([], ["--help"], ["train", "--help"], ["train", "table", "--help"],
                  ["predict", "--help"], ["evaluate", "--help"], ["demo", "--help"],
                  ["ops", "--help"]):  # fmt: skip
        assert main(words) == 0
        assert "usage: glassgrad" in capsys.readouterr().out
    assert main(["--version"]) == 0


def test_ops_lists_the_registry(capsys):
    assert main(["ops"]) == 0
    *blocks, count = capsys.readouterr().out.strip().split("\n\n")
    rows = {block.split()[0]: " ".join(block.split()) for block in blocks}
    assert rows["sin"].startswith("sin value sin(x) derivative dx: cos(x)")
    assert "dx: y; dy: x" in rows["multiply"] and "dx: 1; dy: -1" in rows["subtract"]
    assert "x = 0: the derivative is 0" in rows["relu"] and "domain x > 0" in rows["log"]
    assert count == f"{len(rows)} ops" and len(rows) > 30
    assert main(["ops", "exp", "log"]) == 0
    assert "2 ops" in capsys.readouterr().out


def test_help_loads_nothing_heavy():
    code = (
        "import sys, glassgrad.cli.main as m; m.main(['--help']);"
        "print([n for n in ('numpy', 'rich', 'llvmlite', 'safetensors') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "[]", done.stdout
