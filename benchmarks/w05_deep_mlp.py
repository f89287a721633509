"""W5: a tanh MLP of 20 layers of 64, batch 64, mean squared error, one SGD step, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W5", *sys.argv[1:]]))
