"""W7: an MLP 784-1024-1024-10 with ReLU, batch 512, cross-entropy, one Adam step, float32."""

from glassgrad.bench.classifier import Classifier
from glassgrad.bench.race import Race

LARGE = Classifier((784, 1024, 1024, 10), batch=512, rate=1e-3, adam=True)

WORKLOAD = Race(
    "W7", "MLP 784-1024-1024-10 with ReLU, batch 512, one Adam step", LARGE.contenders(), bar=1.15
)
