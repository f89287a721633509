"""Random graphs: machine code against the reference engine, and against itself.

This is a sample of the campaign, `python benchmarks/random_graphs.py`; bugs are planted by
`python benchmarks/plant_bugs.py`.
"""

from dataclasses import replace

import numpy as np
import pytest

from campaign.batches import wrong_size
from campaign.engines import PLAIN, wrong
from campaign.graphs import random_graph
from campaign.peers import PEERS, differs, suits
from campaign.shrink import FOUND, load, save, shrunk
from campaign.verdict import mismatch
from campaign.ways import Way

PER_TEST = 20


@pytest.mark.parametrize("first", range(0, 160, PER_TEST))
def test_the_engines_agree_in_every_way_of_compiling(first):
    for seed in range(first, first + PER_TEST):
        assert wrong(random_graph(seed), Way.of(seed)) is None, seed


@pytest.mark.parametrize("first", range(1000, 1040, PER_TEST))
def test_fusion_threads_and_places_of_results_change_no_bit(first):
    way = replace(PLAIN, stored=True, cut=True, donated=True)
    for seed in range(first, first + PER_TEST):
        assert wrong(random_graph(seed), replace(way, tiny=seed % 2 == 0)) is None, seed


def test_a_peer_that_loses_digits_is_seen(monkeypatch):
    def answer(graph):
        assert all(y.dtype == np.float64 for y in graph.outputs)
        return [graph.values[y] * (1 + slip) for y in graph.outputs]

    monkeypatch.setitem(PEERS, "another", answer)
    graphs = [g for g in map(random_graph, range(150)) if suits(g)]
    assert len(graphs) > 5
    for slip in (0.0, 1e-6):
        said = [differs(g, "another") for g in graphs]
        assert all(text is None for text in said) if not slip else any(said)


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.json")), ids=lambda p: p.stem)
def test_what_was_wrong_once(path):
    way = replace(PLAIN, stored=True, donated=True)
    for tiny in (False, True):
        assert wrong(load(path), replace(way, tiny=tiny)) is None


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


@pytest.mark.parametrize("first", range(0, 8, 4))
def test_functions_of_batches_of_several_sizes(first):
    for seed in range(first, first + 4):
        assert wrong_size(seed)[0] is None, seed
