"""W13: a chain of n sines and cosines: trace, gradient and compilation, in a new process."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W13", *sys.argv[1:]]))
