"""The pages build without a warning, which runs all code on them; the picture is up to date."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from glassgrad.cli.main import VERBS
from glassgrad.cli.parser import parser_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built pages."""
    out = tmp_path_factory.mktemp("pages")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E"]
    done = subprocess.run(
        [*command, "-d", str(out / "doctrees"), str(DOCS), str(out / "html")],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_the_lecture_computes_its_numbers(built):
    page = (built / "lectures" / "gradient-and-backpropagation.html").read_text(encoding="utf-8")
    for text in ("2.506761534986894", "32271 steps", "a + 2*b + 1", "0.19845093872383832"):
        assert text in page


def test_tables_hold_the_registry(built):
    from glassgrad import ops
    from glassgrad.graph.family import Elementwise
    from glassgrad.rewrite.pipeline import LAWS

    page = (built / "ops.html").read_text(encoding="utf-8")
    known = [op for file in ops.__all__ for op in vars(getattr(ops, file)).values()]
    names = {op.name for op in known if isinstance(op, Elementwise)}
    assert len(names) > 30
    assert [name for name in sorted(names) if f">{name}<" not in page] == []
    laws = (built / "laws.html").read_text(encoding="utf-8")
    assert laws.count("<tr") == len(LAWS) + 1


def test_the_reference_holds_every_public_name(built):
    import glassgrad

    page = (built / "reference.html").read_text(encoding="utf-8")
    missing = [name for name in glassgrad.__all__ if f"{name}</span>" not in page]
    assert missing == []


def commands():
    """Every command and the name of its page, from the parsers."""
    for verb in VERBS:
        kinds = parser_of(verb).parts()
        if not kinds:
            yield (verb,), verb
        for kind in kinds:
            yield (verb, kind), verb if kind == next(iter(kinds)) else f"{verb}-{kind}"


@pytest.mark.parametrize(("words", "page"), list(commands()), ids=lambda v: "-".join(v))
def test_a_commands_page_tells_of_all_its_options(built, words, page):
    text = (built / "howto" / f"{page}.html").read_text(encoding="utf-8")
    actions = parser_of(*words)._actions
    assert [a.dest for a in actions if not a.help] == []
    names = [name for a in actions for name in (a.option_strings or [a.metavar])]
    assert [name for name in names if f">{name}<" not in text] == []


def test_the_picture_shows_what_the_program_computes():
    spec = importlib.util.spec_from_file_location("graph_picture", DOCS / "pictures" / "graph.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert module.picture() == (DOCS / "pictures" / "graph.svg").read_text(encoding="utf-8")
