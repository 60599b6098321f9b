"""Runs the example in every docstring of the package."""

import doctest
import importlib
import pkgutil

import pytest

import bayes_nn

MODULES = ["bayes_nn", *(m.name for m in pkgutil.walk_packages(bayes_nn.__path__, "bayes_nn."))]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_examples_run(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_most_modules_have_examples():
    finder = doctest.DocTestFinder()
    examples = sum(len(t.examples) for name in MODULES for t in finder.find(importlib.import_module(name)))
    assert examples > 30
