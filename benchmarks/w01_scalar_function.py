"""W1: the value and both derivatives of (a + b)(b + 1), called from Python with floats."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W1", *sys.argv[1:]]))
