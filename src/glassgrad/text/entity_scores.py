"""Precision, recall and F1 of entities: one counts when its kind and both its ends are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from glassgrad.graph.errors import ShapeError
from glassgrad.text.entities import entities


@dataclass(frozen=True)
class EntityScore:
    """How many entities were right, found, and there to be found."""

    right: int
    found: int
    truth: int

    @property
    def precision(self) -> float:
        """The share of those found that are right; 0 if none was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of the true ones that were found; 0 if there are none."""
        return self.right / self.truth if self.truth else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: 2·right / (found + truth)."""
        both = self.found + self.truth
        return 2 * self.right / both if both else 0.0


def entity_scores(
    predicted: Sequence[Sequence[str]], truth: Sequence[Sequence[str]]
) -> dict[str, EntityScore]:
    """The score of each kind of entity, and over all kinds together under the name "all".

    Both are sentences of tags. Raises ShapeError where a sentence differs in length.

    >>> s = entity_scores([["B-a", "O", "B-b"]], [["B-a", "O", "O"]])
    >>> s["all"].precision, s["all"].recall, s["a"].f1
    (0.5, 1.0, 1.0)
    """
    if len(predicted) != len(truth):
        raise ShapeError(f"{len(predicted)} predicted sentences but {len(truth)} true ones")
    right, found, true = Counter(), Counter(), Counter()
    for i, (guess, answer) in enumerate(zip(predicted, truth)):
        if len(guess) != len(answer):
            raise ShapeError(f"sentence {i}: {len(guess)} predicted tags, {len(answer)} true ones")
        guessed, known = entities(guess), entities(answer)
        found.update(e.kind for e in guessed)
        true.update(e.kind for e in known)
        right.update(e.kind for e in set(guessed) & set(known))
    kinds = sorted(true | found)
    scores = {"all": EntityScore(right.total(), found.total(), true.total())}
    return scores | {k: EntityScore(right[k], found[k], true[k]) for k in kinds}
