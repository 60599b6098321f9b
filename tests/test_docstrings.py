"""Runs the example in every docstring of the package."""

import doctest
import importlib
import pkgutil
from inspect import ismodule

import pytest

import bayes_nn

MODULES = ["bayes_nn", *(m.name for m in pkgutil.walk_packages(bayes_nn.__path__, "bayes_nn."))]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_examples_run(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


PUBLIC = (bayes_nn, bayes_nn.priors, bayes_nn.inference, bayes_nn.tasks)


def test_every_public_name_has_an_example():
    named = {f"{module.__name__}.{name}": getattr(module, name) for module in PUBLIC for name in module.__all__}
    assert [name for name, what in named.items() if not ismodule(what) and ">>>" not in (what.__doc__ or "")] == []
