"""Random graphs: machine code against the reference engine, and against itself.

This is a sample of the campaign, `python benchmarks/random_graphs.py`, which also asks PyTorch and
JAX and plants bugs.
"""

import numpy as np
import pytest

from campaign.engines import wrong_bit, wrong_number
from campaign.graphs import random_graph
from campaign.shrink import FOUND, load, save, shrunk
from campaign.verdict import mismatch
from glassgrad.engines.native import contraction, gemm, labels, long_sums, row_blocks, tiling

PER_TEST = 20


@pytest.mark.parametrize("first", range(0, 120, PER_TEST))
def test_the_engines_agree(first):
    for seed in range(first, first + PER_TEST):
        assert wrong_number(random_graph(seed)) is None, seed


@pytest.mark.parametrize("first", range(1000, 1040, PER_TEST))
def test_fusion_changes_no_bit(first):
    for seed in range(first, first + PER_TEST):
        assert wrong_bit(random_graph(seed)) is None, seed


@pytest.fixture
def tiny_blocks(monkeypatch):
    """What is done to large arrays only, done to small ones."""
    small = {
        row_blocks: {"_LARGE": 1, "_TURN": 64},
        long_sums: {"ACROSS": 16, "DOWN": 8, "_SHARE": 4},
        labels: {"TALL": 1, "LARGE": 1},
        contraction: {"TALL": 1, "_LARGE": 1},
        tiling: {"DEEPEST": 4, "_A_BYTES": 64, "_COLUMNS": 8, "_PACK_FROM": 1, "_ALIAS": 1},
        gemm: {"_FAR": 0},
    }
    for module, numbers in small.items():
        for name, number in numbers.items():
            monkeypatch.setattr(module, name, number)


@pytest.mark.parametrize("first", range(2000, 2060, PER_TEST))
def test_blocks_rows_and_parts_are_right_at_their_smallest(first, tiny_blocks):
    for seed in range(first, first + PER_TEST):
        assert wrong_number(random_graph(seed)) is None, seed
        assert seed % 4 or wrong_bit(random_graph(seed)) is None, seed


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.json")), ids=lambda p: p.stem)
def test_what_was_wrong_once(path):
    graph = load(path)
    assert wrong_number(graph) is None
    assert wrong_bit(graph) is None


def test_one_wrong_element_is_seen():
    seen = 0
    for graph in map(random_graph, range(40)):
        right = [np.array(graph.values[y]) for y in graph.outputs]
        assert mismatch(graph, right) is None
        wrong = [x.copy() for x in right]
        largest = max(wrong, key=lambda x: x.size)
        if largest.size and largest.dtype.kind in "iuf":
            largest.flat[-1] += 1
            seen += mismatch(graph, wrong) is not None
    assert seen > 30


def test_a_failing_graph_becomes_small_and_is_kept(tmp_path):
    def fails(graph):
        return any(node.name == "reduce" for node in graph.values)

    graph = next(g for g in map(random_graph, range(100)) if fails(g) and len(g.values) > 12)
    small = shrunk(graph, fails)
    assert len(small.values) == 2
    save(small, tmp_path / "case.json")
    again = load(tmp_path / "case.json")
    assert [n.op for n in again.values] and len(again.outputs) == 1
    assert again.outputs[0].op == small.outputs[0].op
    assert again.arguments[0].tobytes() == small.arguments[0].tobytes()
