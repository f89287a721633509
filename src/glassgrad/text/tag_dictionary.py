"""Tags by looking up: the entities of the training text, found again word by word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glassgrad.text.entities import entities


@dataclass(frozen=True)
class TagDictionary:
    """The commonest kind of every entity, by its words in lower case.

    >>> d = TagDictionary.fit([["New", "York"]], [["B-place", "I-place"]])
    >>> d.tag(["in", "new", "york", "."])
    ('O', 'B-place', 'I-place', 'O')
    """

    kinds: dict[tuple[str, ...], str]

    @staticmethod
    def fit(sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]) -> TagDictionary:
        """Collect all entities of tagged sentences."""
        seen: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for tokens, marks in zip(sentences, tags):
            for kind, start, stop in entities(marks):
                seen[tuple(t.lower() for t in tokens[start:stop])][kind] += 1
        return TagDictionary({k: max(sorted(c), key=c.__getitem__) for k, c in seen.items()})

    def tag(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """The tags of a sentence; from left to right the longest entity known is taken."""
        low = tuple(t.lower() for t in tokens)
        longest = max(map(len, self.kinds), default=0)
        tags = ["O"] * len(low)
        i = 0
        while i < len(low):
            sizes = range(min(longest, len(low) - i), 0, -1)
            size = next((n for n in sizes if low[i : i + n] in self.kinds), 0)
            if size:
                kind = self.kinds[low[i : i + size]]
                tags[i : i + size] = [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
            i += max(1, size)
        return tuple(tags)
