"""Labelled texts and CoNLL files: the forms that are read, and failures by file and line."""

from __future__ import annotations

import pytest

from glassgrad.data.bad_input import BadInput
from glassgrad.data.conll import check_same_tokens, read_conll
from glassgrad.data.labelled_text import read_plain_texts, read_texts
from glassgrad.data.vectors import read_vectors


def write(folder, text, name="t.txt"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(read, *words, **options):
    with pytest.raises(BadInput) as caught:
        read(*words, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("good film\tpos\r\nbad\tfilm\tneg\r\n\nso so\tpos\n", "last"),
        ("pos\tgood film\nneg\tbad\tfilm\npos\tso so", "first"),
        ("__label__pos good film\n__label__neg bad\tfilm\n__label__pos so so\n", "fasttext"),
    ],
)
def test_a_label_on_each_line(tmp_path, text, form):
    path = write(tmp_path, text)
    found = read_texts([path])
    assert found.form == form and found.labels == ("pos", "neg", "pos")
    assert found.texts == ("good film", "bad\tfilm", "so so")
    assert found.places[1] == f"{path}:2"
    assert read_plain_texts(path, form).texts == found.texts


def test_only_line_feeds_end_a_line(tmp_path):
    found = read_texts([write(tmp_path, "one\u0085still one\t1\ntwo\u2028still two\t0\n")])
    assert len(found) == 2 and found.texts[0] == "one\u0085still one"


def test_a_file_for_each_label(tmp_path):
    good, bad = write(tmp_path, "a\nb\n", "rt.pos"), write(tmp_path, "c\n\n d \n", "rt.neg")
    found = read_texts([good, bad])
    assert found.texts == ("a", "b", "c", "d") and found.labels == ("pos", "pos", "neg", "neg")
    assert found.form == "files" and found.places[3] == f"{bad}:3"
    write(tmp_path, "words", "README.md")
    assert sorted(read_texts([tmp_path]).labels or ()) == ["neg", "neg", "pos", "pos"]
    ham, spam = write(tmp_path, "x\n", "ham.txt"), write(tmp_path, "y\n", "spam.txt")
    assert read_texts([ham, spam]).labels == ("ham", "spam")
    assert read_plain_texts(good, "files").texts == ("a", "b")


def test_a_folder_for_each_label(tmp_path):
    write(tmp_path, "line one\nline two", "pos/1.txt")
    write(tmp_path, "x", "neg/1.txt")
    found = read_texts([tmp_path])
    assert found.texts == ("x", "line one\nline two") and found.labels == ("neg", "pos")
    write(tmp_path, " \n", "neg/2.txt")
    assert "neg/2.txt: the file is empty" in refusal(read_texts, [tmp_path])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("good\tpos\nbad\n", "t.txt:2: this line has no label"),
        ("good\tpos\n\tneg\n", "t.txt:2: this line has no text"),
        ("__label__a x\nwhat\n", "t.txt:2: this line is not of the form"),
        ("__label__a __label__b x\n", "t.txt:1: this line has two labels"),
        (b"good\tpos\n\0\0", "t.txt:2: this is a binary file, not labelled text"),
        (b"good\tpos\ncaf\xe9\tneg\n", "t.txt:2: byte 0xe9"),
        (b"PK\x03\x04", "a zip archive"),
    ],
)
def test_texts_that_are_refused(tmp_path, text, said):
    assert said in refusal(read_texts, [write(tmp_path, text)])


def test_texts_that_are_not_there(tmp_path):
    assert "no such file" in refusal(read_texts, [tmp_path / "none"])
    assert "holds neither a folder" in refusal(read_texts, [tmp_path])
    write(tmp_path / "a", "x\n", "same.txt")
    write(tmp_path / "b", "x\n", "same.txt")
    both = [tmp_path / "a" / "same.txt", tmp_path / "b" / "same.txt"]
    assert "do not tell the labels apart" in refusal(read_texts, both)


def test_conll_with_tabs_spaces_and_odd_breaks(tmp_path):
    text = (
        "-DOCSTART- -X- O\n\nIn IN O\nNew NNP B-loc\n\t\nYork\tI-loc\r\n\r\n\n\ufeffDubbz\tB-per\n"
    )
    path = write(tmp_path, text)
    found = read_conll(path)
    assert found.tokens == (("In", "New"), ("York",), ("Dubbz",))
    assert found.tags == (("O", "B-loc"), ("I-loc",), ("B-per",))
    assert found.place(0, 1) == f"{path}:4" and found.count == 4 and len(found) == 3
    assert read_conll(path, tagged=False).tokens == found.tokens


def test_tokens_alone(tmp_path):
    path = write(tmp_path, "In\nParis\n\nNow\n")
    assert read_conll(path, tagged=False).tokens == (("In", "Paris"), ("Now",))
    assert "t.txt:1: this line has one column ('In')" in refusal(read_conll, path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tO\nb\n", "t.txt:2: this line has one column ('b')"),
        ("a\tO\nb\t\n", "t.txt:2: this line has one column"),
        ("", "the file is empty"),
        ("-DOCSTART- O\n", "no tokens"),
        (b"a\tO\n\xff\tO\n", "t.txt:2: byte 0xff"),
    ],
)
def test_conll_that_is_refused(tmp_path, text, said):
    assert said in refusal(read_conll, write(tmp_path, text))


def test_files_that_hold_other_sentences(tmp_path):
    truth = read_conll(write(tmp_path, "a O\nb O\n\nc O\n", "t"))
    short = read_conll(write(tmp_path, "a O\nb O\n", "s"))
    other = read_conll(write(tmp_path, "a O\n\nb O\nc O\n", "o"))
    check_same_tokens(truth, truth)
    assert "1 sentences" in refusal(check_same_tokens, short, truth)
    assert "o:1: this sentence has 1 tokens" in refusal(check_same_tokens, other, truth)


def test_word_vectors(tmp_path):
    found = read_vectors(write(tmp_path, "2 3\nthe 1 2 3\nof -1 0.5 1e2 \nthe 9 9 9\n"))
    assert found.words == ("the", "of") and found.dimension == 3
    assert found.vectors.tolist() == [[1, 2, 3], [-1, 0.5, 100]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a 1 2\nb 1\n", "t.txt:2: a word and 2 numbers belong here"),
        ("a 1 2\nb 1 x\n", "t.txt:2: 'x' is not a number"),
        ("a 1 2\nb 1 inf\n", "t.txt:2: a number of the vector is not finite"),
        ("a\n", "t.txt:1: a word and some numbers"),
        ("3 2\n", "the file has no vectors"),
        ("", "the file is empty"),
    ],
)
def test_word_vectors_that_are_refused(tmp_path, text, said):
    assert said in refusal(read_vectors, write(tmp_path, text))


def test_a_table_is_no_conll_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\nIn Paris,1\n")
    assert "this is a table" in refusal(lambda p: read_conll(p, tagged=False), path)
