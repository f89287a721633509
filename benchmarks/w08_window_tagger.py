"""W8: a window tagger with 50,000 word vectors, sparse and dense Adam, batch 64, float32."""

import sys

from glassgrad.cli.main import main

sys.exit(main(["bench", "W8", *sys.argv[1:]]))
