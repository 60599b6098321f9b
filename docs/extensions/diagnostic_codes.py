"""Anchors that stay: ``diagnostics.html#b101`` for every code of a diagnostic, whatever its title says."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from bayes_nn.runtime.diagnostic_codes import DIAGNOSTICS

_log = logging.getLogger(__name__)


def anchor(app: Sphinx, tree: nodes.document) -> None:
    """Give every section that is titled by a code the code as its first id, and warn of codes without a section."""
    if app.env.docname != "diagnostics":
        return
    found = set()
    for section in tree.findall(nodes.section):
        code = re.match(r"B\d{3}(?=: )", section.next_node(nodes.title).astext())
        if code:
            found.add(code[0])
            section["ids"].insert(0, code[0].lower())
    for code in DIAGNOSTICS.keys() - found:
        _log.warning("docs/diagnostics.md has no section for %s", code)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page once it is read."""
    app.connect("doctree-read", anchor)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
