"""Bars for long work: shown on a terminal, after a while, and taken away; nothing elsewhere."""

from __future__ import annotations

import io
import time

import pytest

from glassgrad.cli.main import main
from glassgrad.data.stage import counted, stage, told_to
from glassgrad.train.waiting import WaitingBar, waiting_bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notes:
    def __init__(self):
        self.said = []

    def begin(self, what, total):
        self.said.append((what, total))

    def advance(self, done):
        self.said.append(done)

    def end(self):
        self.said.append("end")


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_stages_tell_what_is_done():
    notes = Notes()
    with told_to(notes):
        with stage("once"):
            pass
        assert list(counted("adding", "ab", 2)) == ["a", "b"]
        with pytest.raises(KeyError):
            for _ in counted("failing", "ab", 2):
                raise KeyError
    assert notes.said[:6] == [("once", None), "end", ("adding", 2), 1, 2, "end"]
    assert notes.said[6:] == [("failing", 2), "end"]
    with stage("nobody listens"):
        assert list(counted("nobody", "ab", 2)) == ["a", "b"]
    assert len(notes.said) == 8


def test_a_long_stage_gets_a_bar_and_a_short_one_none():
    stream = Terminal()
    bar = WaitingBar(stream, delay=0.01)
    bar.begin("reading", 4)
    bar.begin("inside", None)
    bar.end()
    wait_for(lambda: bar.bar is not None)
    bar.advance(2)
    bar.end()
    assert "reading" in stream.getvalue() and "inside" not in stream.getvalue()
    assert bar.bar is None
    quick = Terminal()
    bar = WaitingBar(quick, delay=60)
    bar.begin("reading", 4)
    bar.end()
    assert quick.getvalue() == "" and bar.timer is None


def test_bars_are_for_terminals_only():
    for stream in (io.StringIO(), Terminal()):
        with waiting_bars(stream, delay=0.01), stage("looking"):
            if stream.isatty():
                wait_for(stream.getvalue)
        assert ("looking" in stream.getvalue()) == stream.isatty()


def test_reading_training_and_predicting_tell_of_themselves(tmp_path, monkeypatch, capsys):
    notes = Notes()
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i * 2.5}\n" for i in range(60))
    (tmp_path / "d.csv").write_text("a,y\n" + rows)
    with told_to(notes):
        train = ["train", "table", "d.csv", "--target", "y", "--epochs", "2", "--out", "m"]
        assert main(train) == 0
        assert main(["predict", "m", "d.csv"]) == 0
    told = [what for what, *_ in (s for s in notes.said if isinstance(s, tuple))]
    assert "reading d.csv" in told and "reading the rows of d.csv" in told
    assert told.count("turning the columns into numbers") == 3 and "predicting" in told
    assert notes.said.count("end") == len(told)
