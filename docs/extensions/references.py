"""References in docstrings, which name things as their module sees them."""

import importlib
import sys
from functools import cache

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

#: Packages whose docstrings are shown, or whose types are in signatures.
PACKAGES = ("bayes_nn", "gpjax", "jax", "numpy", "pathlib", "typing", "matplotlib")


importlib.import_module("gpjax.kernels")  # imported late by the package, where its types are named


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Link to the one page that describes something of this name; leave as text what exists and has no page.

    None where there is nothing of the name, of which the build then warns.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    objects = env.domains.python_domain.objects
    name = target.rpartition(".")[2]
    ends = (f".{target}", f".{name}") if target.startswith("bayes_nn.") else (f".{target}",)
    for end in ends:
        found = {entry.node_id: entry for full, entry in objects.items() if full.endswith(end) and not entry.aliased}
        if len(found) == 1:
            entry = next(iter(found.values()))
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, target)
    return content if _exists(target, node.get("py:class")) else None


@cache
def _exists(target: str, inside: str | None) -> bool:
    """Whether some module has what is named, or the class that it is named in; jaxtyping's axes count as named."""
    first, *rest = target.split(".")
    if not target.replace(".", "_").isidentifier():
        return True
    modules = [module for name, module in sorted(sys.modules.items()) if name.partition(".")[0] in PACKAGES]
    holders = [getattr(module, first) for module in modules if first in vars(module)]
    holders += [getattr(module, inside.rpartition(".")[2], None) for module in modules] if inside else []
    holders += [sys.modules[first]] if first in sys.modules else []
    return any(_leads(holder, path) for holder in holders for path in (rest, [first, *rest]))


def _leads(what: object, path: list[str]) -> bool:
    for part in path:
        if not hasattr(what, part):
            return False
        what = getattr(what, part)
    return True


def setup(app: Sphinx) -> dict[str, bool]:
    """Step in where Sphinx finds nothing."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
