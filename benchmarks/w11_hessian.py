"""W11: the Hessian of a tanh MLP with 433 parameters, batch 32, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W11", *sys.argv[1:]]))
