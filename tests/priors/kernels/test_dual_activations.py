"""Dual activations against quadrature, outside libraries, and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

import bayes_nn as bnn
from bayes_nn.priors.kernels.arcsine import arcsin
from bayes_nn.priors.kernels.dual_activations import derivative_dual, dual
from bayes_nn.priors.kernels.gaussian_expectation import derivative

ACTIVATIONS = {
    "relu": bnn.Relu(),
    "leakyrelu": bnn.LeakyRelu(0.2),
    "abs": bnn.Abs(),
    "erf": bnn.Erf(),
    "sigmoid": bnn.Erf(0.5, 0.4, 0.5),
    "gelu": bnn.Gelu(),
    "sin": bnn.Sin(1.3, 0.8, 0.4),
    "cos": bnn.Cos(1.3, 0.8, 0.4),
    "rbf": bnn.Rbf(0.7),
    "identity": bnn.Identity(),
    "tanh": bnn.Tanh(),
    "softplus": bnn.Activation(jax.nn.softplus),
}
CASES = [(0.3, 1.2, 0.8), (-0.6, 1.0, 1.0), (0.0, 2.0, 0.5), (0.9, 1.0, 0.9)]


def panels(lower, upper):
    """Gauss-Legendre nodes and weights with the normal density on [lower, upper], along a new last axis."""
    x, w = np.polynomial.legendre.leggauss(80)
    half = 0.5 * (np.asarray(upper) - np.asarray(lower))[..., None]
    nodes = half * (x + 1) + np.asarray(lower)[..., None]
    return nodes, half * w * stats.norm.pdf(nodes)


def expectation(function, k, p, q):
    """E[function(u) function(v)] by Gauss-Legendre quadrature in two dimensions, split where u or v is 0."""
    slope, spread = k / p, np.sqrt(q - k * k / p)
    total = 0.0
    for e, w in (panels(-9.0, 0.0), panels(0.0, 9.0)):
        u = np.sqrt(p) * e
        kink = np.clip(-slope * u / spread, -9.0, 9.0)
        for inner, weight in (panels(-9.0 + 0 * kink, kink), panels(kink, 9.0 + 0 * kink)):
            v = slope * u[:, None] + spread * inner
            total += np.sum(w * function(u) * np.sum(weight * function(v), axis=1))
    return total


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("case", CASES)
def test_duals_agree_with_quadrature(name, case):
    activation = ACTIVATIONS[name]
    arguments = [jnp.asarray(value) for value in case]
    for function, ours in ((activation, dual), (derivative(activation), derivative_dual)):
        expected = expectation(lambda x, function=function: np.asarray(function(jnp.asarray(x))), *case)
        np.testing.assert_allclose(ours(activation, *arguments), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_agree_with_finite_differences(name):
    arguments = (jnp.array([0.3, -0.5]), jnp.array([1.1, 0.9]), jnp.array([0.7, 1.4]))
    for function in (dual, derivative_dual):
        for order in ("fwd", "rev"):
            check_grads(partial(function, ACTIVATIONS[name]), arguments, 1, modes=[order], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("k", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("p", [1.0, 0.0])
def test_gradients_are_finite_at_correlation_one_and_at_zero(name, k, p):
    for function in (dual, derivative_dual):
        gradients = jax.grad(partial(function, ACTIVATIONS[name]), argnums=(0, 1, 2))(k * p, p, p)
        assert np.isfinite(np.array(gradients)).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("noise", [-4, 0, 4])
def test_equal_inputs_give_the_second_moment_despite_rounding(name, noise):
    p = jnp.array([0.2, 1.0, 3.0])
    k = p * (1.0 + noise * jnp.finfo(p.dtype).eps)
    nodes, weights = np.concatenate([panels(-12.0, 0.0), panels(0.0, 12.0)], axis=1)
    for function, ours in ((ACTIVATIONS[name], dual), (derivative(ACTIVATIONS[name]), derivative_dual)):
        expected = np.asarray(function(jnp.sqrt(p)[:, None] * nodes)) ** 2 @ weights
        # tanh at a variance of 3: 192 terms of its series leave 1e-7 of the derivative dual.
        np.testing.assert_allclose(ours(ACTIVATIONS[name], k, p, p), expected, rtol=3e-7 if name == "tanh" else 1e-11)


def test_quadrature_of_a_kink_is_as_accurate_as_documented():
    k, one = jnp.linspace(-0.99, 0.99, 31), jnp.ones(31)
    by_series = dual(bnn.Activation(jax.nn.relu), k, one, one)
    error = np.abs(by_series - dual(bnn.Relu(), k, one, one))
    assert 1e-6 < error.max() < 3e-3


def test_arcsin_agrees_with_numpy():
    x = np.concatenate([np.linspace(-1, 1, 20_001), 1 - np.logspace(-16, -1, 200), np.logspace(-300, -1, 50)])
    np.testing.assert_allclose(arcsin(jnp.asarray(x)), np.arcsin(x), rtol=5e-15)
    check_grads(arcsin, (jnp.array([-0.9, -0.5, 0.0, 0.2, 0.7]),), 2, rtol=1e-5)


def test_an_activation_without_a_dual_says_so():
    with pytest.raises(NotImplementedError, match="no dual activation"):
        dual("swish", 0.0, 1.0, 1.0)
