"""Dual activations against quadrature, outside libraries, and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate, special, stats

import bayes_nn as bnn
from bayes_nn.priors.dual_activations import (
    derivative_dual,
    derivative_dual_diagonal,
    dual,
    dual_diagonal,
    half_angle_arccos,
)

ACTIVATIONS = {"relu": bnn.Relu(), "erf": bnn.Erf(), "identity": bnn.Identity()}
FUNCTIONS = {
    "relu": (lambda u: np.maximum(u, 0.0), lambda u: (u > 0).astype(float)),
    "erf": (special.erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-(u**2))),
    "identity": (lambda u: u, np.ones_like),
}
CASES = [(0.3, 1.2, 0.8), (-0.6, 1.0, 1.0), (0.0, 2.0, 0.5), (0.9, 1.0, 0.9)]


def expectation(function, k, p, q):
    """E[function(u) function(v)] by nested adaptive quadrature, split where a kink may lie."""
    slope, spread = k / p, np.sqrt(q - k * k / p)

    def inner(u):
        kink = np.clip(-slope * u / spread, -8, 8)
        value = lambda e: function(np.array(slope * u + spread * e)) * stats.norm.pdf(e)  # noqa: E731
        return integrate.quad(value, -9, 9, points=[kink], epsabs=1e-12)[0]

    outer = lambda e: function(np.array(np.sqrt(p) * e)) * inner(np.sqrt(p) * e) * stats.norm.pdf(e)  # noqa: E731
    return integrate.quad(outer, -9, 0, epsabs=1e-11)[0] + integrate.quad(outer, 0, 9, epsabs=1e-11)[0]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("case", CASES)
def test_duals_agree_with_quadrature(name, case):
    function, derivative = FUNCTIONS[name]
    arguments = [jnp.asarray(value) for value in case]
    np.testing.assert_allclose(dual(ACTIVATIONS[name], *arguments), expectation(function, *case), atol=1e-8)
    np.testing.assert_allclose(
        derivative_dual(ACTIVATIONS[name], *arguments), expectation(derivative, *case), atol=1e-8
    )


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
def test_diagonals_are_the_limit_of_correlation_one(name):
    p = jnp.array([0.2, 1.0, 3.0])
    np.testing.assert_allclose(dual_diagonal(ACTIVATIONS[name], p), dual(ACTIVATIONS[name], p, p, p), rtol=1e-14)
    np.testing.assert_allclose(
        derivative_dual_diagonal(ACTIVATIONS[name], p), derivative_dual(ACTIVATIONS[name], p, p, p), rtol=1e-7
    )


def test_arccos_agrees_with_numpy():
    c = np.linspace(-1, 1, 20_001)
    np.testing.assert_allclose(half_angle_arccos(jnp.asarray(c)), np.arccos(c), rtol=3e-14, atol=3e-14)


def test_arccos_near_one_is_within_what_rounding_of_the_cosine_allows():
    gap = np.logspace(-16, -1, 200)
    for c in (1 - gap, -1 + gap):
        np.testing.assert_allclose(half_angle_arccos(jnp.asarray(c)), np.arccos(c), rtol=3e-14, atol=2e-7)


def test_an_activation_without_a_dual_says_so():
    with pytest.raises(NotImplementedError, match="no dual activation"):
        dual("swish", 0.0, 1.0, 1.0)
