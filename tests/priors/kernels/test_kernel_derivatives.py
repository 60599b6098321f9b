"""Derivatives of the kernel recursion against finite differences of the recursion itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn.priors.kernels.dual_activations import dual
from bayes_nn.priors.kernels.kernel_derivatives import activation_derivatives, hidden_activations, kernel_derivatives
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix

WEIGHT_STD, BIAS_STD = 1.3, 0.2
ACTIVATIONS = (bnn.Relu(), bnn.LeakyRelu(0.2), bnn.Abs(), bnn.Erf(), bnn.Gelu(), bnn.Cos(), bnn.Tanh())


def dense():
    return bnn.Dense(WEIGHT_STD, BIAS_STD)


def inputs():
    """Six rows, of which one is repeated and one nearly."""
    X = np.random.default_rng(0).normal(size=(6, 3))
    X[1], X[3] = X[0], X[2] * (1.0 + 1e-4)
    return jnp.asarray(X)


def after(activations, G):
    """The readout's covariance from the second moments of a layer, its diagonal by the variances alone."""
    for activation in (*activations, None):
        K = WEIGHT_STD**2 * G + BIAS_STD**2
        if activation is None:
            return K
        p = jnp.diagonal(K)
        pairs = dual(activation, K, p[:, None], p[None, :])
        G = jnp.where(jnp.eye(len(K), dtype=bool), dual(activation, p, p, p), pairs)
    return None


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda one: type(one).__name__)
def test_derivatives_agree_with_finite_differences(activation):
    """Along the fluctuation of one neuron, which is how they are used; repeated inputs included."""
    net, X, rng = bnn.mlp(3, activation, WEIGHT_STD, BIAS_STD), inputs(), np.random.default_rng(1)
    covariances = [kernel_matrix(bnn.Serial(*net.layers[: 2 * i + 1]), {}, X) for i in (1, 2, 3)]
    gradient = rng.normal(size=(6, 6))
    gradient = jnp.asarray(gradient + gradient.T)
    for layer, derivatives in enumerate(kernel_derivatives(net, {}, covariances)):
        G = (covariances[layer] - BIAS_STD**2) / WEIGHT_STD**2
        phi = activation(X @ rng.normal(size=3) + 0.2 * rng.normal())
        D = jnp.outer(phi, phi) - G
        curve = jax.jit(lambda e, G=G, D=D, layer=layer: after((activation,) * (2 - layer), G + e * D))
        h = 1e-3
        ahead, here, behind = (np.asarray(curve(e)) for e in (h, 0.0, -h))
        np.testing.assert_allclose(here, covariances[-1], rtol=1e-6)
        first, second = (ahead - behind) / (2.0 * h), (ahead - 2.0 * here + behind) / h**2
        np.testing.assert_allclose(derivatives.along(D), first, atol=2e-5)
        scale = np.sum(np.abs(gradient * second)) + 1.0
        assert derivatives.curvature(gradient, G, phi[None])[0] == pytest.approx(
            np.sum(gradient * second), abs=1e-4 * scale
        )
        moved = derivatives.along_outer(phi[None], gradient[:1])[0] - derivatives.along(G) @ gradient[0]
        np.testing.assert_allclose(moved, derivatives.along(D) @ gradient[0], atol=1e-12)
        assert jnp.vdot(derivatives.pulled_back(gradient), D) == pytest.approx(
            float(jnp.vdot(gradient, derivatives.along(D))), abs=1e-10
        )


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda one: type(one).__name__)
def test_derivatives_are_finite_where_inputs_are_equal_opposite_or_zero(activation):
    K = jnp.array([[1.0, 1.0, -1.0, 0.0], [1.0, 1.0, -1.0, 0.0], [-1.0, -1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    for derivative in activation_derivatives(activation, K):
        assert np.isfinite(derivative).all()


def test_a_layer_without_an_activation_is_linear():
    net = bnn.Serial(dense(), dense(), bnn.Relu(), dense())
    assert hidden_activations(net) == (bnn.Identity(), bnn.Relu())
