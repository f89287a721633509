"""Four kinds of real data, each with the command line's defaults: the worst of five seeds.

Run `python benchmarks/four_kinds.py [KIND ...]`; it needs ../shared/data. A kind is one of mnist,
wnut, vectors, reviews, housing, adult, iris, wine. The exit code is 1 where a claim does not hold.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from glassgrad.cli.main import main
from glassgrad.data.conll import read_conll
from glassgrad.text.entity_scores import entity_scores
from glassgrad.text.tag_dictionary import TagDictionary

DATA = Path(__file__).parents[2] / "shared" / "data"
SEEDS = range(5)


@dataclass(frozen=True)
class Claim:
    """A training, the data that score it (none: the rows held out), the figure, and its bound."""

    words: tuple[str, ...]
    scored_on: str | None
    figure: str
    bound: float
    at_least: bool = True

    def holds(self, value: float) -> bool:
        """Whether a figure keeps the claim."""
        return value >= self.bound if self.at_least else value < self.bound


GLOVE = "vectors-glove-twitter-25d/glove.twitter.27B.25d.top12k.txt.gz"
WNUT, WNUT_TEST = "ner-wnut17/", "emerging.test.annotated"
CLAIMS = {
    "mnist": Claim(("images", "image-mnist"), "image-mnist", "accuracy", 97.5),
    "wnut": Claim(
        ("tags", WNUT + "wnut17train.conll"), WNUT + WNUT_TEST, "F1", 0.0
    ),
    "vectors": Claim(
        ("tags", WNUT + "wnut17train.conll", "--vectors", str(DATA / GLOVE)),
        WNUT + WNUT_TEST, "F1", 15.0,
    ),
    "reviews": Claim(("text", "sentiment-rt-polarity"), None, "accuracy", 74),
    "housing": Claim(
        ("table", "tabular-california-housing/housing.csv.gz", "--target", "median_house_value"),
        None, "RMSE", 58_000, False,
    ),
    "adult": Claim(
        ("table", "tabular-adult/adult-train.csv.gz", "--target", "last"),
        "tabular-adult/adult-test.csv.gz", "accuracy", 84.71,
    ),
    "iris": Claim(("table", "tabular-iris/iris.csv", "--target", "last"), None, "accuracy", 86),
    "wine": Claim(
        ("table", "tabular-wine-quality/winequality-red.csv", "--target", "last"),
        None, "accuracy", 52,
    ),
}  # fmt: skip


def glassgrad(*words: object) -> str:
    """What a command prints."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        code = main([str(w) for w in words])
    if code:
        raise SystemExit(f"glassgrad {' '.join(map(str, words))} ended with {code}")
    return out.getvalue()


def measure(claim: Claim, seed: int, folder: Path) -> float:
    """The figure of one seed."""
    kind, data, *more = claim.words
    text = glassgrad("train", kind, DATA / data, *more, "--seed", seed, "--out", folder)
    line = text[text.index("test ") :]
    if claim.scored_on:
        line = glassgrad("evaluate", folder, DATA / claim.scored_on)
    found = re.search(rf"\b{claim.figure} ([\d.,]+)", line)
    assert found, line
    return float(found[1].replace(",", ""))


def check(name: str) -> bool:
    """Measure a kind for all seeds, print a line, and say whether its claim holds."""
    claim = CLAIMS[name]
    if name == "wnut":
        claim = replace(claim, bound=round(dictionary(), 2))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        values = [measure(claim, seed, Path(folder) / "model") for seed in SEEDS]
    worst = min(values) if claim.at_least else max(values)
    seconds = (time.perf_counter() - started) / len(values)
    bound = f"{'at least' if claim.at_least else 'below'} {claim.bound:,}"
    verdict = "holds" if claim.holds(worst) else "FAILS"
    shown = ", ".join(f"{v:,}" for v in values)
    print(f"{name:8} {claim.figure} {shown}; worst {worst:,} ({bound}: {verdict}), {seconds:.1f} s")
    return claim.holds(worst)


def dictionary() -> float:
    """The F1 on WNUT's test file of looking up the entities of the training file, in per cent."""
    known, test = (read_conll(DATA / WNUT / n) for n in ("wnut17train.conll", WNUT_TEST))
    found = TagDictionary.fit(known.tokens, known.tags)
    return 100 * entity_scores([found.tag(s) for s in test.tokens], test.tags)["all"].f1


def wnut_oracle() -> bool:
    """The scorer gives the shared task's own figures for two of its submissions."""
    truth, kept = DATA / WNUT / WNUT_TEST, True
    for name, known in (("uh_ritual", "41.86"), ("spinningbytes.txt", "40.78")):
        found = re.search(
            r"F1 ([\d.]+)", glassgrad("evaluate", DATA / WNUT / "submissions" / name, truth)
        )
        kept &= found is not None and found[1] == known
        print(f"scorer   {name}: F1 {found[1] if found else '?'} (known: {known})")
    return kept


if __name__ == "__main__":
    results = [check(name) for name in sys.argv[1:] or CLAIMS]
    if not sys.argv[1:] or "wnut" in sys.argv:
        results.append(wnut_oracle())
    sys.exit(not all(results))
