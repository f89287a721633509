"""W2: 10,000 gradient-descent steps on Rosenbrock's function in one call, float64."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W2", *sys.argv[1:]]))
