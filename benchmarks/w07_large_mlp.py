"""W7: an MLP 784-1024-1024-10 with ReLU, batch 512, cross-entropy, one Adam step, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W7", *sys.argv[1:]]))
