"""W16: by how much five training steps raise the peak of a new process's memory."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W16", *sys.argv[1:]]))
