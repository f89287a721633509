"""W6: an MLP 784-256-256-10 with ReLU, batch 128, cross-entropy, one Adam step, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W6", *sys.argv[1:]]))
