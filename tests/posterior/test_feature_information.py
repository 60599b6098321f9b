"""The decomposition of the evidence against quadrature over a hyperparameter, and where nothing is to be decomposed."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors


@pytest.mark.slow
@pytest.mark.statistical
def test_parts_of_a_kernel_prior_against_quadrature(small_data):
    """One inferred noise: E[log p(y|z)] and its divergence by a grid; 4 errors, and 0.05 nats for the Gaussian fit."""
    X, y = small_data
    prior = priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3))
    posterior = bnn.fit(prior, X, y, sampler=inference.SMC(), progress=False)
    problem = posterior.problem
    grid = jnp.linspace(-4.0, 1.5, 2001)[:, None]

    @jax.jit
    def on_grid(problem, grid):
        return jax.lax.map(lambda u: jnp.stack([problem.log_prior(u), problem.log_likelihood(u)]), grid)

    log_prior, log_likelihood = np.asarray(on_grid(problem, grid)).T
    log_z = logsumexp(log_prior + log_likelihood) + np.log(float(grid[1, 0] - grid[0, 0]))
    weights = np.exp(log_prior + log_likelihood - logsumexp(log_prior + log_likelihood))
    expected = float(weights @ log_likelihood)
    parts = posterior.feature_information
    assert abs(parts.expected_log_likelihood - expected) < 4 * parts.expected_log_likelihood_mcse
    assert abs(parts.hyperparameters - (expected - log_z)) < 4 * parts.hyperparameters_mcse + 0.05
    assert parts.by_hyperparameter == {"noise_std": pytest.approx(parts.hyperparameters)}
    assert parts.value == 0.0
    assert "noise_std" in str(parts)


@pytest.mark.slow
@pytest.mark.statistical
def test_parts_of_a_network_add_up_to_its_evidence(small_data):
    """By construction but for the dependence between hyperparameters, which adds to the sum of their own parts."""
    net = bnn.mlp(depth=1, weight_std=dist.LogNormal(0.35, 0.5), bias_std=0.3)
    posterior = bnn.fit(bnn.BayesianNetwork(net, 8), *small_data, sampler=inference.SMC(), progress=False)
    parts = posterior.feature_information
    total = parts.expected_log_likelihood - parts.hyperparameters - parts.value
    assert total == pytest.approx(posterior.log_evidence.value)
    assert sorted(parts.by_hyperparameter) == ["noise_std", "weight_std_0", "weight_std_1"]
    assert sum(parts.by_hyperparameter.values()) < parts.hyperparameters + 1e-9
    assert 0.0 < parts.hyperparameters_mcse < 0.5
    assert parts.value > 0.0
