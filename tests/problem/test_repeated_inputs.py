"""Rows that repeat inputs are pooled; evidence, gradients, predictions and draws are those of all rows."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3)
PRIORS = [
    priors.NNGP(NET),
    priors.RenormalisedKernel(NET, 8),
    priors.InputMetric(NET),
    bnn.BayesianNetwork(NET, 4),
    bnn.BayesianNetwork(NET, 80),
]


@pytest.fixture(scope="module")
def repeated():
    """60 rows of 13 distinct inputs, unevenly often, in random order, and 5 new inputs."""
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(13, 2))
    group = rng.permutation(np.concatenate([np.arange(13), rng.integers(0, 13, 47)]))
    X = jnp.asarray(distinct[group])
    return X, jnp.asarray(np.sin(2.0 * X[:, :1]) + 0.3 * rng.normal(size=(60, 1))), jnp.asarray(rng.normal(size=(5, 2)))


@pytest.mark.parametrize("noise_std", [0.2, None], ids=["fixed", "inferred"])
@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_pooled_rows_are_all_rows(repeated, prior, noise_std):
    X, Y, X_new = repeated
    pooled = CollapsedProblem.of(prior, X, Y, bnn.Gaussian(noise_std))
    full = replace(pooled, repeated=None)
    assert len(pooled.repeated.X) == 13
    u = pooled.sample_prior(jax.random.key(1))
    for mine, theirs in zip(pooled.log_likelihood_and_gradient(u), full.log_likelihood_and_gradient(u), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-8)
    values = pooled.values(u)
    predicted = (one.predict(X_new, values, jax.random.key(2)) for one in (pooled, full))
    for mine, theirs in zip(*predicted, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-8)


def test_steps_in_single_precision_agree_to_their_rounding(repeated):
    X, Y, _ = repeated
    pooled = CollapsedProblem.of(bnn.BayesianNetwork(NET, 4), X, Y, bnn.Gaussian(0.2))
    u = pooled.sample_prior(jax.random.key(1))
    mine, theirs = (one.gradients(u, jnp.array(1e-6))[1] for one in (pooled, replace(pooled, repeated=None)))
    np.testing.assert_allclose(mine, theirs, atol=1e-4 * float(jnp.max(jnp.abs(theirs))))


def test_several_outputs(repeated):
    X, Y, _ = repeated
    pooled = CollapsedProblem.of(priors.NNGP(NET), X, jnp.hstack([Y, Y**2, -Y]), bnn.Gaussian(0.2))
    u = jnp.zeros(0)
    assert float(pooled.log_likelihood(u)) == pytest.approx(float(replace(pooled, repeated=None).log_likelihood(u)))


@pytest.mark.statistical
@pytest.mark.parametrize("prior", [priors.NNGP(NET), bnn.BayesianNetwork(NET, 4)], ids=repr)
def test_draws_of_f_have_the_moments_of_predictions(repeated, prior):
    """4,000 draws; 5 standard errors on 2 x 60 numbers, 13 of them distinct: a false alarm once in 60,000 runs."""
    X, Y, _ = repeated
    problem = CollapsedProblem.of(prior, X, Y, bnn.Gaussian(0.2))
    values = problem.values(problem.sample_prior(jax.random.key(1)))
    keys = jax.random.split(jax.random.key(2), 4000)
    f = np.asarray(jax.lax.map(lambda key: problem.draw_function(values, key)["f"][:, 0], keys))
    mean, variance = replace(problem, repeated=None).predict(X, values, keys[0])
    variance = variance[:, 0] - 0.04
    assert (np.abs(f.mean(axis=0) - mean[:, 0]) < 5.0 * np.sqrt(variance / len(f))).all()
    assert (np.abs(f.var(axis=0) / variance - 1.0) < 5.0 * (2.0 / len(f)) ** 0.5).all()


def test_rows_are_pooled_only_where_it_pays_and_noise_is_gaussian(repeated):
    X, Y, _ = repeated
    assert CollapsedProblem.of(priors.NNGP(NET), X, Y, bnn.StudentTNoise()).repeated is None
    few = jnp.asarray(np.random.default_rng(0).normal(size=(60, 2))).at[::3].set(0.0)
    assert CollapsedProblem.of(priors.NNGP(NET), few, Y, bnn.Gaussian()).repeated is None


def test_fifty_thousand_rows_of_a_hundred_inputs():
    """The evidence against a closed form that never sees 50,000 x 50,000 numbers: the marginal of the means."""
    x = np.repeat(np.linspace(-1.0, 1.0, 101), 500)
    y = np.sin(3.0 * x) + 0.1 * np.random.default_rng(0).normal(size=len(x))
    posterior = bnn.fit(priors.NNGP(NET), x, y, bnn.Gaussian(0.2), standardize=False, progress=False)
    means = y.reshape(101, 500).mean(axis=1)
    v = 0.04 + 1e-10
    K = np.asarray(priors.NNGP(NET).process({}, jnp.linspace(-1.0, 1.0, 101)[:, None]).K)
    A = K + v / 500 * np.eye(101)
    of_means = -0.5 * (means @ np.linalg.solve(A, means) + np.linalg.slogdet(A)[1] + 101 * np.log(2 * np.pi))
    # p(y) = p(means) p(y | means), the second N(0, v I) of the rows over that of their means.
    scatter = np.sum((y.reshape(101, 500) - means[:, None]) ** 2)
    given = -0.5 * (scatter / v + 101 * 499 * np.log(2 * np.pi * v) + 101 * np.log(500))
    assert posterior.log_evidence.value == pytest.approx(of_means + given, abs=1e-6)
    assert posterior.predict([0.5]).mean[0] == pytest.approx(np.sin(1.5), abs=0.02)
