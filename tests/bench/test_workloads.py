"""Each workload computes what PyTorch and JAX compute; benchmarks/bench_numbers.py wrote theirs."""

import json
from pathlib import Path

import numpy as np
import pytest

from glassgrad.bench.digest import differ, digest
from glassgrad.bench.process import Failed, Worker
from glassgrad.bench.race import Race
from glassgrad.bench.scalar_tape import Value
from glassgrad.bench.w13_chain import chain
from glassgrad.bench.w13_chain import glassgrad as chain_step
from glassgrad.bench.workload import WORKLOADS, workload

NUMBERS = json.loads((Path(__file__).parent / "numbers.json").read_text(encoding="utf-8"))
RACES = [name for name in WORKLOADS if isinstance(workload(name), Race)]


def test_every_race_has_numbers():
    assert sorted(NUMBERS) == sorted(RACES)


@pytest.mark.parametrize("name", RACES)
def test_first_steps_are_those_of_a_peer(name):
    race = workload(name)
    assert isinstance(race, Race)
    step = race.contenders["glassgrad"].setup()
    for theirs in NUMBERS[name]["steps"]:
        ours = digest(step())
        assert not differ(ours, theirs, race.relative, race.absolute), (ours, theirs)


@pytest.mark.parametrize("count", [10, 101])
def test_the_chain_is_its_product_of_slopes(count):
    x, slope = 0.5, 1.0
    for i in range(count):
        x, slope = (np.cos(x), -np.sin(x) * slope) if i % 2 else (np.sin(x), np.cos(x) * slope)
    assert chain(count, np.sin, np.cos)(0.5) == x
    np.testing.assert_allclose(chain_step(count)(), (x, slope), rtol=1e-12)


def test_the_tape_of_scalars_adds_what_comes_by_two_ways():
    x = Value(3.0)
    (x * x + x).backward()
    assert x.grad == 7


def test_every_workload_has_its_script():
    scripts = Path(__file__).parents[2] / "benchmarks"
    for name, file in WORKLOADS.items():
        assert f'"{name}"' in (scripts / f"{file}.py").read_text(encoding="utf-8")
        assert workload(name).name == name


def test_contenders_that_disagree_do_not_race():
    race = workload("W4")
    assert isinstance(race, Race)
    race.agree({"a": [[1.0], [2.0]], "b": [[1.0004], [2.0]]})
    with pytest.raises(Failed, match=r"W4, step 1: b computes \[2\.1\], but a \[2\.0\]"):
        race.agree({"a": [[1.0], [2.0]], "b": [[1.0], [2.1]]})


def test_a_worker_that_fails_says_why():
    with Worker("W4", "nobody") as worker, pytest.raises(Failed, match="KeyError: 'nobody'"):
        worker.first_steps()


def test_a_digest_tells_large_arrays_apart():
    a = np.zeros((100, 100))
    b = a.copy()
    a[3, 7], b[7, 3] = 1, 1
    assert differ(digest(a), digest(b), 1e-3, 0)
    assert digest({"x": a}) == digest([a])
