"""W12: the first step of W6 in a new process: trace, differentiate, compile, run."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W12", *sys.argv[1:]]))
