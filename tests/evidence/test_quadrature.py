"""Quadrature over few latents against a dense sum over a fixed grid, and where it is not for."""

import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors

NET = bnn.mlp(1, "identity", weight_std=1.0, bias_std=0.0)
NOISE = bnn.Gaussian(0.5)


@pytest.mark.parametrize("widths", [(4,), (16, 8)])
def test_scale_mixture_of_a_linear_network(widths, linear_data, deep_linear_evidence):
    """The evidence of the deep linear network itself, by a sum over a grid of 400 points of every log scale."""
    X, y = linear_data
    net = bnn.mlp(len(widths), "identity", weight_std=1.0, bias_std=0.0)
    found = inference.log_evidence(priors.ScaleMixture(net, widths), X, y, "quadrature", NOISE, standardize=False)
    assert found.reliable, found
    assert found.value == pytest.approx(deep_linear_evidence(X, y, 0.25, widths), abs=1e-4)


def test_a_wide_posterior_reaches_the_edges_and_says_so(small_data):
    """Two data and a prior with heavy tails: the box about the peak does not hold the mass."""
    X, y = (part[:2] for part in small_data)
    prior = priors.NNGP(bnn.mlp(1, "relu", weight_std=bnn.Shared(dist.HalfCauchy(1.0)), bias_std=0.1))
    found = inference.log_evidence(prior, X, y, "quadrature", bnn.Gaussian(dist.HalfCauchy(1.0)), standardize=False)
    exact = inference.log_evidence(
        prior, X, y, "importance", bnn.Gaussian(dist.HalfCauchy(1.0)), standardize=False, tolerance=0.02
    )
    assert abs(found.value - exact.value) < 4 * exact.mcse + 0.01 or not found.reliable


def test_more_latents_are_refused(small_data):
    with pytest.raises(ValueError, match="at most 3 latents"):
        inference.log_evidence(priors.NNGP(bnn.mlp(2)), *small_data, "quadrature")


def test_it_agrees_with_smc(small_data):
    """Noise and one shared weight_std inferred; within 4 standard errors of SMC's."""
    prior = priors.NNGP(bnn.mlp(2, "erf", bnn.Shared(dist.LogNormal(0.3, 0.5)), 0.2))
    found = inference.log_evidence(prior, *small_data, "quadrature")
    smc = inference.log_evidence(prior, *small_data, "smc", tolerance=0.05)
    assert found.reliable
    assert found.details["points"] == 81**2
    assert abs(found.value - smc.value) < 4 * smc.mcse
    assert np.isfinite(found.mcse)
