"""The guarantee of e-values: over data from a feature-free prior their mean is at most 1, whatever the sampler missed.

The network's evidence is estimated from a handful of prior draws, which misses nearly all of the posterior: an
unconverged sampler, but an unbiased one.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NET = bnn.mlp(1, "relu", 2**0.5, 0.3)
ROWS, WIDTH, SETS, NOISE = 20, 3, 2000, bnn.Gaussian(0.3)
NNGP, SCALE, NETWORK = priors.NNGP(NET), priors.ScaleMixture(NET, WIDTH), bnn.BayesianNetwork(NET, WIDTH)


def problem_of(prior):
    X = jax.random.normal(jax.random.key(0), (ROWS, 2))
    return CollapsedProblem.of(prior, X, jnp.zeros((ROWS, 1)), NOISE)


def standardised(y):
    return (y - y.mean()) / y.std()


@partial(jax.jit, static_argnames=("draws", "standardise"))
def log_evidences(problems, grid, key, truth, draws, standardise):
    """Log evidences of NNGP, scale mixture (over a grid of scales) and network (from prior draws) of one data set."""
    nngp, scale, network = problems
    keys = jax.random.split(key, 3)
    u = scale.sample_prior(keys[0])
    process = jax.lax.cond(truth == 0, lambda: nngp.process({}).K, lambda: scale.process(scale.values(u)).K)
    y = jnp.linalg.cholesky(process + 0.09 * jnp.eye(ROWS)) @ jax.random.normal(keys[1], (ROWS, 1))
    y = standardised(y) if standardise else y

    def of(problem, u):
        values = problem.values(u)
        return problem.process(values).log_marginal(y, problem.noise_variance(values))

    points, log_weights = grid
    of_scale = logsumexp(log_weights + jax.lax.map(lambda one: of(scale, one), points))
    of_network = jax.lax.map(lambda one: of(network, one), network.sample_prior(keys[2], (draws,)))
    return jnp.stack([of(nngp, jnp.zeros(0)), of_scale, logsumexp(of_network) - jnp.log(draws)])


@pytest.fixture(scope="module")
def problems():
    return tuple(problem_of(prior) for prior in (NNGP, SCALE, NETWORK))


def e_values(problems, truth, draws, standardise=False):
    """e-values of 2,000 data sets from a prior: 0 for the NNGP, 1 for the scale mixture."""
    scale = problems[1]
    points = jnp.linspace(-8.0, 4.0, 97)[:, None]
    log_prior = jax.vmap(scale.log_prior)(points)
    grid = points, log_prior - logsumexp(log_prior)
    keys = jax.random.split(jax.random.key(truth + 10 * draws), SETS)
    found = jax.lax.map(lambda key: log_evidences(problems, grid, key, truth, draws, standardise), keys)
    found = np.asarray(found)
    return np.exp(found[:, 2] - found[:, :2].max(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("draws", [4, 64])
@pytest.mark.parametrize("truth", [0, 1])
def test_e_values_have_a_mean_of_at_most_1_under_every_feature_free_prior(problems, truth, draws):
    """False alarm below 0.2 %: three standard errors."""
    found = e_values(problems, truth, draws)
    assert found.mean() <= 1.0 + 3.0 * found.std() / SETS**0.5
    assert np.mean(found >= 20.0) <= 0.05 + 3.0 * (0.05 * 0.95 / SETS) ** 0.5


@pytest.mark.slow
def test_standardised_targets_keep_the_rate_of_false_alarms(problems):
    """No theorem: y divided by its own standard deviation. Checked for the NNGP and the scale mixture."""
    for truth in (0, 1):
        found = e_values(problems, truth, 64, standardise=True)
        assert np.mean(found >= 20.0) <= 0.05 + 3.0 * (0.05 * 0.95 / SETS) ** 0.5
