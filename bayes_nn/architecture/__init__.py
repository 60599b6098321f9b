"""Architectures: activations, layers, layers in series, and the finite network's parameters and outputs."""

import bayes_nn.runtime  # noqa: F401  switches to float64
from bayes_nn.architecture import network

__all__ = ["network"]
