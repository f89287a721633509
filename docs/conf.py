"""How Sphinx builds these pages: `sphinx-build -W docs docs/_build`, no warning allowed."""

import sys
from pathlib import Path

import glassgrad

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "glassgrad"
author = "the glassgrad authors"
copyright = "2026, the glassgrad authors"
version = release = glassgrad.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "live", "mathml", "plain_docstrings", "registry"]
html_math_renderer = "mathml"
exclude_patterns = ["_build", "README.md"]
default_role = "code"
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = "glassgrad"
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_show_sourcelink = False
html_show_copyright = False
