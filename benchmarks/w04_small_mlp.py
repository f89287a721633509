"""W4: an MLP 64-32-10 with ReLU, batch 32, softmax cross-entropy, one SGD step, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W4", *sys.argv[1:]]))
