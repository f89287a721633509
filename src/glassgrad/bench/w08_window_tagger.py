"""W8: a window tagger with 50,000 word vectors, sparse and dense Adam, batch 64, float32."""

from glassgrad.bench.race import Race
from glassgrad.bench.tagger import Tagger

SMALL = Tagger(batch=64)

WORKLOAD = Race(
    "W8", "window tagger, 50,000 x 50 vectors, SparseAdam + Adam, batch 64", SMALL.contenders(),
    bar=10,
)  # fmt: skip
