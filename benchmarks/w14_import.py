"""W14: `import` in a new process, beside that of NumPy."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W14", *sys.argv[1:]]))
