"""W4: an MLP 64-32-10 with ReLU, batch 32, softmax cross-entropy, one SGD step, float32."""

from glassgrad.bench.classifier import Classifier
from glassgrad.bench.race import Race

SMALL = Classifier((64, 32, 10), batch=32, rate=0.1, adam=False)

WORKLOAD = Race("W4", "MLP 64-32-10 with ReLU, batch 32, one SGD step", SMALL.contenders(), bar=8)
