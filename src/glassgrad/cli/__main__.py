"""Lets `python -m glassgrad.cli` stand for `glassgrad`."""

import sys

from glassgrad.cli.main import main

sys.exit(main())
