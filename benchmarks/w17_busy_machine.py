"""W17: W4 to W9 while other processes keep all cores busy, against the same on a quiet machine."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W17", *sys.argv[1:]]))
