"""What a campaign has asked and found so far: added up, kept in a file, shown as a table."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import glassgrad


@dataclass
class Tally:
    """Counts of some seeds: questions asked, ways gone, ops covered; and what was wrong."""

    asked: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    pieces: list[tuple[int, int]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Counts those of other seeds too."""
        self.asked += other.asked
        self.covered += other.covered
        self.wrong += other.wrong
        self.pieces += other.pieces

    def cover(self, coverage: dict[tuple[str, str, str], int]) -> None:
        """Counts the ops of one graph, each with the dtype and layout of its operands."""
        self.covered.update({"|".join(key): n for key, n in coverage.items()})

    @property
    def mismatches(self) -> Counter[str]:
        """How many are wrong, by the question that found it."""
        return Counter(line.split(": ")[1] for line in self.wrong)

    def summary(self) -> str:
        """One line."""
        kinds = dict(self.mismatches) or "none"
        ops = len({key.split("|")[0] for key in self.covered})
        return (
            f"{self.asked['graphs']} graphs, {len(self.wrong)} wrong ({kinds}), {ops} ops, "
            f"{len(self.covered)} combinations of op, dtype and layout"
        )

    def table(self) -> str:
        """What was asked, and for each op the dtypes and the layouts that it was met in."""
        lines = [", ".join(f"{name} {n}" for name, n in sorted(self.asked.items()))]
        rows: dict[str, list[tuple[str, str, int]]] = {}
        for key, n in sorted(self.covered.items()):
            op, dtype, layout = key.split("|")
            rows.setdefault(op, []).append((dtype, layout, n))
        for op, found in rows.items():
            dtypes = " ".join(sorted({d for d, _, _ in found} - {""}))
            layouts = ", ".join(sorted({layout for _, layout, _ in found}))
            lines.append(f"  {op:16} {sum(n for *_, n in found):8}  {dtypes} | {layouts}")
        return "\n".join([*lines, self.summary()])

    # -- files ----------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Writes it down, whole or not at all."""
        data = {"sources": sources(), **vars(self)}
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(data))
        beside.replace(path)

    @staticmethod
    def load(path: Path) -> Tally:
        """What was written; only of the same sources."""
        data = json.loads(path.read_text())
        if data.pop("sources") != sources():
            raise SystemExit(f"{path} counts graphs of other sources: name another file")
        data["pieces"] = [tuple(p) for p in data["pieces"]]
        return Tally(**{k: Counter(v) if isinstance(v, dict) else v for k, v in data.items()})


def sources() -> str:
    """A mark of the package and of this campaign, as they are now."""
    made = hashlib.sha256()
    for root in (Path(glassgrad.__file__).parent, Path(__file__).parent):
        for path in sorted(root.rglob("*.py")):
            made.update(path.read_bytes())
    return made.hexdigest()[:16]
