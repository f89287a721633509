"""W3: a 2-2-1 sigmoid network on the four rows of XOR, one SGD step, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W3", *sys.argv[1:]]))
