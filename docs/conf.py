"""Settings of the documentation site: ``make docs`` builds it into ``site/``, without the network."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]

project = "bayes_nn"
author = copyright = "the bayes_nn developers"
release = version = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "myst_nb",
    "mathml",
    "public_names",
    "references",
    "diagnostic_codes",
    "command_help",
    "offline",
    "properties",
]
exclude_patterns = ["extensions", "pictures", "templates", "notebooks/.ipynb_checkpoints"]
templates_path = ["templates"]
nitpicky = True

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 90
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run the notebooks
nb_ipywidgets_js = {}  # no script from elsewhere
nb_merge_streams = True
nb_output_stderr = "remove"  # warnings with the paths of another machine

html_theme = "pydata_sphinx_theme"
html_title = f"bayes_nn {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
ALONE = ("start", "ladder", "verdict", "diagnostics", "atlas/index", "benchmarks", "contributing", "changelog")
html_sidebars = {name: [] for name in ALONE}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "bayes_nn"},
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
