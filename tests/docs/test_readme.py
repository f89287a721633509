"""The README's lists agree with the program."""

import re
from importlib.metadata import version
from pathlib import Path

import glassgrad
from glassgrad.cli.main import VERBS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## What there is")[2].partition("\n## ")[0]
THERE, _, NOT_YET = SECTION.partition("Not yet:")


def words(text):
    """The words in code of a text."""
    return {word for code in re.findall(r"`([^`]*)`", text) for word in re.findall(r"\w+", code)}


def test_every_public_name_and_verb_is_listed():
    assert {*glassgrad.__all__, *VERBS} - {"Array", "GlassgradError"} <= words(THERE)


def test_nothing_that_is_there_is_called_missing():
    assert words(NOT_YET).isdisjoint(glassgrad.__all__)


def test_every_folder_is_named():
    package = Path(glassgrad.__file__).parent
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert folders == words(README.partition("| folder of")[2].partition("\n\n")[0]) & folders


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_versions_agree():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert version("glassgrad") == glassgrad.__version__
    assert f"## [{glassgrad.__version__}]" in changes
