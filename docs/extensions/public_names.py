"""Every public name has a page in the API reference, or the build warns."""

import importlib
from inspect import ismodule

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

MODULES = ("bayes_nn", "bayes_nn.priors", "bayes_nn.inference", "bayes_nn.tasks")
_log = logging.getLogger(__name__)


def public_names() -> dict[str, object]:
    """Every public name and what it names, modules left out."""
    modules = [importlib.import_module(name) for name in MODULES]
    named = {f"{module.__name__}.{name}": getattr(module, name) for module in modules for name in module.__all__}
    return {name: what for name, what in named.items() if not ismodule(what)}


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that no page describes under one of their names."""
    described, names = set(env.domains.python_domain.objects), public_names()
    found = {id(what) for name, what in names.items() if name in described}
    for name, what in names.items():
        if id(what) not in found:
            _log.warning("%s is public and has no page: list it in docs/api", name)
    examples = sum(">>>" in (what.__doc__ or "") for what in names.values())
    _log.info("%d public names, %d with an example, all described", len(names), examples)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look once all pages are read."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
