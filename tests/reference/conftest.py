"""Architectures of the outside reference numbers, built from their description."""

import jax.numpy as jnp
import pytest

import bayes_nn as bnn

ACTIVATIONS = {
    "Relu": lambda layer: bnn.Relu(),
    "Abs": lambda layer: bnn.Abs(),
    "Gelu": lambda layer: bnn.Gelu(),
    "Identity": lambda layer: bnn.Identity(),
    "LeakyRelu": lambda layer: bnn.LeakyRelu(layer["alpha"]),
    "Erf": lambda layer: bnn.Erf(layer["a"], layer["b"], layer["c"]),
    "Sigmoid_like": lambda layer: bnn.Erf(0.5, 1 / 2.4020563531719796, 0.5),
    "Sin": lambda layer: bnn.Sin(layer["a"], layer["b"], layer["c"]),
    "Cos": lambda layer: bnn.Cos(layer["a"], layer["b"], layer["c"]),
    "Rbf": lambda layer: bnn.Rbf(layer["gamma"]),
    "Numerical": lambda layer: {"tanh": bnn.Tanh}[layer["fn"]](),
    "Polynomial": lambda layer: bnn.Activation(lambda x: jnp.polyval(jnp.array(layer["coef"][::-1]), x), "polynomial"),
    "Monomial": lambda layer: bnn.Activation(lambda x: x ** layer["degree"], "monomial"),
    "Hermite": lambda layer: {2: bnn.Activation(lambda x: (x**2 - 1) / 2**0.5, "hermite")}[layer["degree"]],
    "Gaussian": lambda layer: bnn.Activation(lambda x: layer["a"] * jnp.exp(layer["b"] * x**2), "gaussian"),
}


def layers_of(entries):
    """The layers of a reference entry."""
    built = []
    for layer in entries:
        if layer["op"] == "Dense":
            built.append(bnn.Dense(layer["W_std"], layer["b_std"] or 0.0))
        elif layer["op"] == "Conv":
            shape, strides = tuple(layer["filter"]), layer["strides"] and tuple(layer["strides"])
            built.append(bnn.Conv(shape, strides, layer["padding"], layer["W_std"], layer["b_std"] or 0.0))
        elif layer["op"] == "AvgPool":
            built.append(bnn.AvgPool(tuple(layer["window"]), tuple(layer["strides"]), layer["padding"]))
        elif layer["op"] == "Residual":
            built.append(bnn.Residual(*layers_of(layer["branch"]), shortcut=layers_of(layer["shortcut"])))
        elif layer["op"] == "LayerNorm":
            built.append(bnn.LayerNorm(layer["eps"]))
        elif layer["op"] in ("Flatten", "GlobalAvgPool"):
            built.append(getattr(bnn, layer["op"])())
        else:
            built.append(ACTIVATIONS[layer["op"]](layer))
    return built


@pytest.fixture(scope="session", name="layers_of")
def layers_of_fixture():
    """Makes the layers of a reference entry."""
    return layers_of
