"""W10: mean(LayerNorm(SiLU(x)·g + GELU(x))²) of 1024x1024, value and both gradients, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W10", *sys.argv[1:]]))
