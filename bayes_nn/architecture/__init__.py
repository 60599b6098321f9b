"""Architectures: activations, layers, layers in series, and the finite network's parameters and outputs."""
