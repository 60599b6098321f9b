"""Runs the example in every docstring of the package."""

import doctest
import importlib
import pkgutil
from inspect import ismodule

import pytest

import bayes_nn

MODULES = ["bayes_nn", *(m.name for m in pkgutil.walk_packages(bayes_nn.__path__, "bayes_nn."))]
#: Those whose examples take long.
SLOW = {
    "bayes_nn.inference.comparison.prior_sensitivity",
    "bayes_nn.inference.comparison.richness",
    "bayes_nn.inference.comparison.sweep",
    "bayes_nn.inference.features.after_kernel",
    "bayes_nn.inference.features.scale_and_shape",
    "bayes_nn.sklearn",
}
EXAMPLES = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in sorted(MODULES)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_slow_modules_are_there():
    assert set(MODULES) >= SLOW


PUBLIC = (bayes_nn, bayes_nn.priors, bayes_nn.inference, bayes_nn.tasks)


def test_every_public_name_has_an_example():
    named = {f"{module.__name__}.{name}": getattr(module, name) for module in PUBLIC for name in module.__all__}
    assert [name for name, what in named.items() if not ismodule(what) and ">>>" not in (what.__doc__ or "")] == []
