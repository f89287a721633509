"""W9: a window tagger with 50,000 word vectors, sparse and dense Adam, batch 1024, float32."""

from glassgrad.bench.race import Race
from glassgrad.bench.tagger import Tagger

LARGE = Tagger(batch=1024)

WORKLOAD = Race(
    "W9", "window tagger, 50,000 x 50 vectors, SparseAdam + Adam, batch 1024", LARGE.contenders(),
    bar=2,
)  # fmt: skip
