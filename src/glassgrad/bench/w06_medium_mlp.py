"""W6: an MLP 784-256-256-10 with ReLU, batch 128, cross-entropy, one Adam step, float32."""

from glassgrad.bench.classifier import Classifier
from glassgrad.bench.race import Race

MEDIUM = Classifier((784, 256, 256, 10), batch=128, rate=1e-3, adam=True)

WORKLOAD = Race(
    "W6", "MLP 784-256-256-10 with ReLU, batch 128, one Adam step", MEDIUM.contenders(), bar=1.3
)
