"""`glassgrad bench`: figures with their bars, peers that are missing, names that are wrong."""

import importlib.util
import json

import pytest

from glassgrad.bench.table import as_json, figure, plain, rich_table, summary_rows
from glassgrad.bench.workload import Report, Row, Verdict, against_best
from glassgrad.cli.main import main

PEERS = ("jax", "pytensor", "autograd", "torch")


@pytest.fixture
def no_peers(monkeypatch):
    """A machine on which no peer is installed."""
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n in PEERS else known(n))


def test_missing_peers_are_left_out_with_a_line(capsys, no_peers):
    assert main(["bench", "--quick", "W1"]) == 0
    out = capsys.readouterr().out
    assert "processor: " in out and "versions: " in out
    assert "W1: value and gradient of (a + b)(b + 1)" in out
    assert "left out: jax.jit: jax is not installed" in out
    assert "scalar tape in Python / glassgrad: " in out and "bar at least 40 x" in out


def test_json_holds_the_same(capsys, no_peers):
    assert main(["bench", "--quick", "--json", "W1", "w3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"machine", "workloads"}
    first, second = found["workloads"]
    assert [row["name"] for row in first["rows"]] == ["glassgrad", "scalar tape in Python"]
    assert first["verdicts"][0]["reached"] in (True, False)
    assert second["name"] == "W3" and set(second["left_out"].values()) == {
        f"{peer} is not installed" for peer in ("jax", "pytensor", "torch")
    }


@pytest.mark.parametrize("name", ["W12", "W14", "W16"])
def test_workloads_in_new_processes(capsys, name):
    assert main(["bench", "--quick", "--alone", "--json", name]) == 0
    (found,) = json.loads(capsys.readouterr().out)["workloads"]
    assert all(row["minimum"] > 0 for row in found["rows"])


def test_a_busy_machine(capsys):
    assert main(["bench", "--quick", "--alone", "W17"]) == 0
    assert "W4 glassgrad: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, part",
    [
        (["W99"], "there is no workload 'W99'. Did you mean W9? There are W1, W2, "),
        (["speed"], "There are W1, W2, W3, W4, W5, W6, W7, W8, W9, W10, W11, W12, W13, W14"),
        (["W15"], "W15, word vectors, waits"),
        (["--quik"], "Did you mean '--quick'?"),
    ],
)
def test_wrong_names(capsys, words, part):
    assert main(["bench", *words]) == 2
    out, err = capsys.readouterr()
    assert part in " ".join(err.split()) and not out


def test_the_list(capsys):
    assert main(["bench", "--list", "W4", "W6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in lines] == ["W4", "W6"] and "784-256-256-10" in lines[1]


def test_verdicts():
    rows = Row("glassgrad", 2.0, 1.0), Row("a", 8.0, 7.0), Row("b", 6.0, 5.5)
    (verdict,) = against_best(rows, 4)
    assert (verdict.what, verdict.value, verdict.minimum) == ("b / glassgrad", 3.0, 5.5)
    assert not verdict.reached
    assert against_best(rows[:1], 4) == ()
    assert Verdict("", 2.0, 2.5, least=False).reached


def test_tables():
    rows = (Row("glassgrad", 1.5e-7, 1.4e-7),)
    report = Report("W1", "title", "s", rows, (Verdict("x / glassgrad", 45.0, 40.0),))
    (row,) = summary_rows([report])
    assert row == ("W1", "x / glassgrad", "45 x", "", "at least 40 x", "reached")
    assert plain(("", "median"), [("a", "1 s")]).splitlines() == ["   median", "a     1 s"]
    assert rich_table(("", "median"), [("a", "1 s")]).row_count == 1
    assert json.loads(as_json({}, [report]))["workloads"][0]["verdicts"][0]["reached"] is True
    assert figure(0.0, "s") == "0 ns" and figure(2_500_000_000.0, "bytes") == "2.3 GiB"
