"""Counts against SciPy's Poisson distribution and integrals over f by adaptive quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn.data.dataset import Dataset

RNG = np.random.default_rng(0)
POISSON = bnn.Poisson()
#: Mean and variance of f: 3 posterior draws, 4 points, 2 outputs.
MEAN, VARIANCE = RNG.normal(size=(3, 4, 2)), 0.05 + 0.2 * RNG.uniform(size=(3, 4))
COUNTS = RNG.poisson(2.0, size=(4, 2))


def probability(k, mean, variance):
    """P(y = k) where log rate ~ N(mean, variance)."""

    def density(f):
        return stats.poisson.pmf(k, np.exp(f)) * stats.norm.pdf(f, mean, np.sqrt(variance))

    spread = 9.0 * np.sqrt(variance)
    return integrate.quad(density, mean - spread, mean + spread, points=[mean], epsabs=1e-12)[0]


def test_given_f_it_is_scipys_distribution():
    f = RNG.normal(size=(4, 2))
    expected = stats.poisson.logpmf(COUNTS, np.exp(f))
    Y = jnp.asarray(COUNTS, float)
    np.testing.assert_allclose(POISSON.pointwise_log_prob({}, Y, jnp.asarray(f)), expected)
    np.testing.assert_allclose(POISSON.log_prob({}, Y, jnp.asarray(f)), expected.sum(axis=1))
    draws = jax.jit(POISSON.draw)(jax.random.key(0), {}, jnp.tile(f, (2000, 1))).reshape(2000, 4, 2)
    assert np.all(np.abs(draws.mean(axis=0) - np.exp(f)) < 4.5 * np.sqrt(np.exp(f) / 2000))


def predictive(mean=MEAN, variance=VARIANCE, scale=None):
    """As a posterior makes it: components of every draw, stacked."""
    one = [POISSON.predict(None, {}, jnp.asarray(m), jnp.asarray(v)) for m, v in zip(mean, variance, strict=True)]
    return POISSON.predictive(tuple(np.stack(parts) for parts in zip(*one, strict=True)), scale)


def test_predictions_are_mixtures_over_draws_and_f():
    """Probabilities, mean and variance of the Poisson-log-normal mixture."""
    p = predictive()
    rate, square = np.exp(MEAN + VARIANCE[..., None] / 2), np.exp(2 * MEAN + 2 * VARIANCE[..., None])
    np.testing.assert_allclose(p.component_means, rate, rtol=1e-6)
    np.testing.assert_allclose(p.mean, rate.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(p.std**2, (rate + square).mean(axis=0) - rate.mean(axis=0) ** 2, rtol=1e-6)
    of_draw = np.ones((3, 4))
    for m, t, c in np.ndindex(3, 4, 2):
        of_draw[m, t] *= probability(COUNTS[t, c], MEAN[m, t, c], VARIANCE[m, t])
    np.testing.assert_allclose(p.log_prob(COUNTS), np.log(of_draw.mean(axis=0)), rtol=1e-6)


def test_probabilities_sum_to_one_and_quantiles_are_the_smallest_counts_that_reach_the_level():
    p = predictive(MEAN[..., :1])
    k = np.arange(200)
    probabilities = np.exp([p.log_prob(np.full(4, count)) for count in k])
    np.testing.assert_allclose(probabilities.sum(axis=0), 1.0, atol=1e-6)
    levels = np.array([0.01, 0.3, 0.5, 0.9, 0.999])
    up_to = np.cumsum(probabilities, axis=0)
    expected = [(up_to >= level).argmax(axis=0) for level in levels]
    np.testing.assert_array_equal(p.quantile(levels), expected)
    np.testing.assert_array_equal(p.quantile(0.9), expected[3])
    assert p.log_prob(np.full(4, 0.5)).tolist() == [-np.inf] * 4


def test_known_f_needs_no_integral():
    p = predictive(variance=np.zeros((3, 4)))
    assert p.shape == (3, 1, 4, 2)
    expected = stats.poisson.pmf(COUNTS, np.exp(MEAN)).prod(axis=-1).mean(axis=0)
    np.testing.assert_allclose(np.exp(p.log_prob(COUNTS)), expected)


def test_counts_that_are_narrow_in_f_are_resolved_by_all_draws_together():
    """A count of 1,000 knows log rate to 0.03, and f has standard deviation 1: 300 equal draws of 20 nodes."""
    p = predictive(np.full((300, 1, 1), 6.5), np.ones((300, 1)))
    for count in (700, 1000):
        assert p.log_prob([count])[0] == pytest.approx(np.log(probability(count, 6.5, 1.0)), abs=0.03)


@pytest.mark.statistical
def test_samples_have_the_moments_and_quantiles_of_the_mixture():
    """5,000 draws: means within 4.5 standard errors; the fraction up to the median likewise."""
    p = predictive()
    draws = p.sample(np.int64(1), 5_000)
    assert draws.shape == (5_000, 4, 2)
    np.testing.assert_array_equal(draws[:5], predictive().sample(jax.random.key(1), 5_000)[:5])
    assert np.all(np.abs(draws.mean(axis=0) - p.mean) < 4.5 * p.std / 5_000**0.5)
    for level in (0.5, 0.95):
        quantile = p.quantile(level)
        error = 4.5 * np.sqrt(level * (1 - level) / 5_000)
        assert np.all((draws <= quantile).mean(axis=0) > level - error)
        assert np.all((draws < quantile).mean(axis=0) < level + error)


def test_counts_are_checked_and_not_scaled():
    X, y = np.arange(4.0), [0, 2, 1, 3]
    data = Dataset.of(X, y, POISSON)
    np.testing.assert_array_equal(data.Y[:, 0], y)
    np.testing.assert_allclose(np.asarray(data.X).std(), 1.0)
    for bad in (-1.0, 0.5):
        with pytest.raises(ValueError, match=f"y holds {bad:g}, which is no count"):
            Dataset.of(X, [0, bad, 1, 3], POISSON)
    assert POISSON.accuracy(np.ones((2, 1)), np.ones((2, 1))) is None
    every = np.array([[0.0], [2.0], [4.0]])
    assert POISSON.baseline_log_prob(every[:2], every) == pytest.approx(stats.poisson.logpmf([0, 2], 2.0).sum())


def test_it_has_no_parameters_and_no_noise_variance():
    assert bnn.Poisson() == POISSON
    assert hash(POISSON) == hash(bnn.Poisson())
    assert POISSON.numbers() == POISSON.hyperparameter_priors() == {}
    assert POISSON.without_numbers() is POISSON
    assert not POISSON.conjugate
    with pytest.raises(ValueError, match="Poisson is no additive Gaussian noise"):
        POISSON.noise_variance({})


def by_importance_sampling(log_likelihood, X, X_new, net, draws=200_000):
    """log evidence with its error, draws of f at new inputs and their weights, from the NNGP's prior."""
    both = np.concatenate([X, X_new])
    K = np.asarray(bnn.priors.NNGP(net).kernel.gram(jnp.asarray(both)).as_matrix())
    f = np.random.default_rng(1).normal(size=(draws, len(K))) @ np.linalg.cholesky(K + 1e-9 * np.eye(len(K))).T
    of_draw = log_likelihood(f[:, : len(X)]).sum(axis=1)
    total = logsumexp(of_draw)
    weights = np.exp(of_draw - total)
    return total - np.log(draws), np.sqrt(np.sum((weights - 1 / draws) ** 2)), f[:, len(X) :], weights


@pytest.mark.statistical
def test_fits_agree_with_importance_sampling():
    """Evidence within 4 errors; expected counts at new inputs within 15 %."""
    X, X_new = RNG.normal(size=(12, 2)), RNG.normal(size=(4, 2))
    y = RNG.poisson(np.exp(0.8 * X[:, 0]))
    net = bnn.mlp(depth=1, weight_std=1.2, bias_std=0.4)
    value, error, f, weights = by_importance_sampling(lambda f: stats.poisson.logpmf(y, np.exp(f)), X, X_new, net)
    sampler = bnn.inference.SMC(particles=128)
    posterior = bnn.fit(bnn.priors.NNGP(net), X, y, POISSON, sampler, standardize=False)
    evidence = posterior.log_evidence
    assert abs(evidence.value - value) < 4 * np.hypot(evidence.mcse, error)
    np.testing.assert_allclose(posterior.predict(X_new).mean, weights @ np.exp(f), rtol=0.15)
