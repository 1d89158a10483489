"""The documents' site: `make site` builds it into build/site, every warning an error, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import drift
from docs import generated
from drift.config.monitor import json_schema

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

project = html_title = "Drift"
author = project_copyright = "The Drift authors"
release = version = drift.__version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc"]
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars: dict[str, list[str]] = {"index": [], "glossary": [], "changelog": []}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
nb_execution_timeout = 60
# The notebook is run while the site is built: what fails in it fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True

autodoc_typehints = "none"
autodoc_mock_imports = ["airflow"]  # it writes a configuration of its own when it is imported
numpydoc_show_class_members = False
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!drift\b).*")]  # types of other projects, whose sites are not at hand

suppress_warnings = ["myst.header"]  # a timeline begins with headings of the third level, wherever it is pasted

GENERATED = {
    "reference/command_line": generated.command_line,
    "reference/keys": lambda: generated.monitor_keys(json_schema()),
}


def complete(_: Sphinx, page: str, source: list[str]) -> None:
    """Add to a page what the program says of itself."""
    if page in GENERATED:
        source[0] += GENERATED[page]()


def formula(writer: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw by themselves."""
    writer.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    app.connect("source-read", complete)
