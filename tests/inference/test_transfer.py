"""Transfer between tasks, against importance sampling of both evidences and against priors that share nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.target import Target

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3)
NOISE = bnn.Gaussian(0.3)


@pytest.fixture(scope="module")
def tasks():
    """Two tasks of 12 rows that depend on one direction each: the same one."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(24, 2))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=24)
    return (X[:12], y[:12]), (X[12:], -2.0 * y[12:])


@pytest.mark.statistical
def test_network_against_prior_draws(tasks):
    """Within 4 standard errors of 400,000 prior draws; false alarm about 1 in 10,000."""
    (X_a, y_a), (X_b, y_b) = tasks
    network = bnn.BayesianNetwork(NET, 4)
    found = inference.transfer(network, *tasks, NOISE, tolerance=0.05, progress=False)
    inputs = np.concatenate([X_a, X_b])
    scaled = [(X - inputs.mean(axis=0)) / inputs.std(axis=0) for X in (X_a, X_b)]
    targets = [
        Target(jnp.asarray(X), jnp.asarray((y - y.mean()) / y.std())[:, None], network, NOISE)
        for X, y in zip(scaled, (y_a, y_b), strict=True)
    ]
    keys = jax.random.split(jax.random.key(0), 400_000)

    @jax.jit
    def both(keys):
        def one(key):
            u = targets[0].sample_prior(key)
            return targets[0].log_likelihood(u), targets[1].log_likelihood(u)

        return jax.lax.map(one, keys)

    a, b = (np.asarray(each).reshape(40, -1) for each in both(keys))

    def estimate(a, b):
        return logsumexp(a + b) - logsumexp(a) - logsumexp(b) + np.log(a.size)

    value = estimate(a, b)
    without = np.array([estimate(np.delete(a, i, axis=0), np.delete(b, i, axis=0)) for i in range(40)])
    error = np.sqrt(39.0 / 40.0 * np.sum((without - without.mean()) ** 2))
    assert found.reliable, found.reasons
    assert abs(found.value - value) < 4.0 * np.hypot(found.mcse, error)
    assert found.value > 3.0 * found.mcse


def test_fixed_kernels_transfer_nothing(tasks):
    for prior in (priors.NNGP(NET), priors.NTK(NET)):
        found = inference.transfer(prior, *tasks, NOISE)
        assert found.value == 0.0
        assert found.mcse == 0.0


def test_bad_tasks(tasks):
    a, b = tasks
    with pytest.raises(ValueError, match="task_b must be a pair"):
        inference.transfer(priors.NNGP(NET), a, b[0], NOISE)
    with pytest.raises(ValueError, match="must be alike"):
        inference.transfer(priors.NNGP(NET), a, (b[0][:, :1], b[1]), NOISE)
    with pytest.raises(ValueError, match="task_a: y is constant"):
        inference.transfer(priors.NNGP(NET), (a[0], 0.0 * a[1]), b, NOISE)
    with pytest.raises(ValueError, match="Gaussian noise"):
        inference.transfer(priors.NNGP(NET), a, b, bnn.Bernoulli())


def test_models_of_all_rows_together_are_refused(tasks):
    def model(X, y=None):
        slope = numpyro.sample("slope", dist.Normal())
        numpyro.sample("y", dist.Normal(slope * X[:, 0], 1.0), obs=y)

    prior = priors.NumPyroPrior(model, name="line")
    with pytest.raises(ValueError, match="all rows together"):
        inference.transfer(prior, *tasks)
    with pytest.raises(ValueError, match="all rows together"):
        inference.evidence_curve(prior, *tasks[0])
