"""The scripts in examples/ run, and say what their texts promise."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

SAID = {
    "rosenbrock": ["after 32271 steps", "newton: [1. 1.] after", "below 0.0019968"],
    "logistic_regression": ["test accuracy 99.0%", "loss 1000.0, dloss/db -1.0"],
    "toy_net": ["1 xor 1 = 0.00", "0 xor 1 = 0.99", "compiled for the native engine"],
}


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)


@pytest.mark.parametrize("name", sorted(SAID))
def test_example(name):
    script = EXAMPLES / f"{name}.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for part in SAID[name]:
        assert part in done.stdout
