"""Kernels of finite networks approach the infinite-width kernels like n^(-1/2), for every kind of layer."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.architecture.network import parameter_shapes, readout_features
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrices

#: Networks drawn at each width.
DRAWS = {64: 160, 256: 80, 1024: 30}


def dense():
    return bnn.Dense(1.4, 0.3)


def conv(padding="SAME", strides=None, shape=(2, 2)):
    return bnn.Conv(shape, strides, padding, 1.4, 0.3)


R = bnn.Relu()
ARCHITECTURES = {
    "dense": (dense(), R, dense(), R, dense()),
    "tanh": (dense(), bnn.Tanh(), dense(), bnn.Tanh(), dense()),
    "gelu": (dense(), bnn.Gelu(), dense(), bnn.Gelu(), dense()),
    "layer norm": (dense(), bnn.LayerNorm(), R, dense(), bnn.LayerNorm(), R, dense()),
    "residual": (dense(), bnn.Residual(R, dense()), R, dense()),
    "residual with weights in its shortcut": (dense(), bnn.Residual(R, dense(), shortcut=(dense(),)), R, dense()),
    "conv, flatten": (conv(), R, conv(), R, bnn.Flatten(), dense()),
    "conv, global average": (conv("CIRCULAR"), R, conv("VALID"), R, bnn.GlobalAvgPool(), dense()),
    "strided conv, average": (conv(), R, bnn.AvgPool((2, 2), (1, 1)), conv("SAME", (2, 2)), R, bnn.Flatten(), dense()),
    "residual conv": (conv(), bnn.Residual(R, conv()), R, bnn.GlobalAvgPool(), dense()),
    "sequence": (conv(shape=(3,)), R, conv(shape=(3,)), R, bnn.GlobalAvgPool(), dense()),
}


def inputs_for(name):
    shape = (4, 5, 2) if name == "sequence" else (4, 3, 3, 2) if "conv" in name else (4, 6)
    return jnp.asarray(np.random.default_rng(0).normal(size=shape))


@partial(jax.jit, static_argnames="net")
def kernels_of(net, drawn, X):
    """NNGP kernel and NTK of every network."""

    def one(parameters):
        Phi = readout_features(net, parameters, X)
        return Phi @ Phi.T, priors.empirical_ntk(net, parameters, X)[..., 0, 0]

    return jax.lax.map(one, drawn)


@pytest.mark.slow
@pytest.mark.computes_much
@pytest.mark.statistical
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_error_falls_like_one_over_the_root_of_the_width(name):
    """Root-mean-square error over entries and draws at three widths; the slope in log-log within 0.15 of -1/2.

    With these numbers of draws the slope's own standard error is 0.02 to 0.06 (bootstrap over draws of five cases).
    """
    net, X = bnn.Serial(*ARCHITECTURES[name]), inputs_for(name)
    expected = kernel_matrices(net, {}, X)
    errors = {"nngp": [], "ntk": []}
    for width, draws in DRAWS.items():
        shapes = parameter_shapes(net, X.shape[1:], (width,) * net.depth)
        generator = np.random.default_rng(width)
        drawn = {site: generator.normal(size=(draws, *shape)) for site, shape in shapes.items()}
        for kind, matrices, exact in zip(errors, kernels_of(net, drawn, X), expected, strict=True):
            errors[kind].append(float(np.sqrt(np.mean((matrices - exact) ** 2)) / np.abs(exact).mean()))
    for kind, error in errors.items():
        slope = np.polyfit(np.log(list(DRAWS)), np.log(error), 1)[0]
        assert slope == pytest.approx(-0.5, abs=0.15), (kind, error)
