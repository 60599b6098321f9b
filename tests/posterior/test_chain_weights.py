"""Chains that disagree are weighted in predictions, by evidence or by stacking; those that agree count alike."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp, softmax

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.chain_weights import ChainWeights
from bayes_nn.inference.problem.evidence import Evidence

NOISE, SLOPE = 0.1, 0.15
X = np.array([-1.0, -0.5, 0.5, 1.0])
Y = 1.0 + 0.04 * X
X_NEW, Y_NEW = np.array([3.0]), np.array([1.3])


def model(X, y=None):
    """Two modes, about 1 and -1, which predict lines of opposite slopes; the first has 95 % of the posterior."""
    theta = numpyro.sample("theta", dist.Normal(0.0, 1.0))
    with numpyro.plate("rows", len(X)):
        numpyro.sample("y", dist.Normal(theta**2 + SLOPE * theta * X[:, 0], NOISE), obs=y)


def mean_of(theta, x):
    return theta**2 + SLOPE * theta * x


def log_likelihoods(theta):
    """Of every row, last axis."""
    return stats.norm.logpdf(Y, mean_of(theta[..., None], X), NOISE)


GRID = np.linspace(-3.0, 3.0, 60_001)
ROWS_ON_GRID = log_likelihoods(GRID)
LOG_JOINT = stats.norm.logpdf(GRID) + ROWS_ON_GRID.sum(axis=1) + np.log(GRID[1] - GRID[0])
MODES = GRID > 0.0, GRID < 0.0
LOG_Z = np.array([logsumexp(LOG_JOINT[mode]) for mode in MODES])


def draws_of(mode, count):
    """Evenly spread over a mode's distribution, in random order."""
    cdf = np.cumsum(softmax(LOG_JOINT[mode]))
    theta = np.interp((np.arange(count) + 0.5) / count, cdf, GRID[mode])
    return np.random.default_rng(0).permutation(theta)


@pytest.fixture(scope="module")
def fitted():
    """Its draws are replaced in every test."""
    with pytest.warns(bnn.ConvergenceWarning):
        return bnn.fit(priors.NumPyroPrior(model), X, Y, sampler=inference.SMC(8, 2), standardize=False, progress=False)


def with_chains(fitted, theta, sampler="smc", log_evidence=()):
    evidence = Evidence(0.0, 0.0, "smc", details={"log_evidence_by_island": list(log_evidence)})
    log_likelihood = log_likelihoods(theta).sum(axis=-1)
    return replace(
        fitted,
        values={"theta": theta},
        log_likelihood=log_likelihood,
        sample_stats={},
        sampler=sampler,
        sampler_evidence=evidence if sampler == "smc" else None,
    )


TWO = np.array([draws_of(mode, 400) for mode in MODES])


def test_islands_in_two_phases_predict_as_quadrature_says(fitted):
    posterior = with_chains(fitted, TWO, log_evidence=LOG_Z)
    p, means, weights = posterior.predict(X_NEW), mean_of(GRID, X_NEW), softmax(LOG_JOINT)
    mean = weights @ means
    std = np.sqrt(NOISE**2 + weights @ (means - mean) ** 2)
    assert p.mean[0] == pytest.approx(mean, abs=1e-3)
    assert p.std[0] == pytest.approx(std, rel=1e-3)
    density = np.log(weights @ stats.norm.pdf(Y_NEW, means, NOISE))
    assert p.log_prob(Y_NEW)[0] == pytest.approx(density, abs=3e-3)
    assert weights @ stats.norm.cdf(p.quantile(0.03), means, NOISE) == pytest.approx(0.03, abs=1e-4)
    alike = replace(p, draw_weights=None)
    assert abs(alike.mean[0] - mean) > 0.3
    assert alike.log_prob(Y_NEW)[0] < density - 0.3


@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore:Found chain dimension to be longer")
def test_many_small_islands_are_consistent_by_their_evidence_alone(fitted):
    """Islands of one step: 8 draws from the prior, resampled. 4 standard errors: a false alarm once in 16,000."""
    rng = np.random.default_rng(1)
    prior = rng.normal(size=(600, 8))
    log_w = log_likelihoods(prior).sum(axis=-1)
    taken = np.array([rng.choice(8, 8, p=softmax(own)) for own in log_w])
    log_evidence = logsumexp(log_w, axis=1) - np.log(8)
    posterior = with_chains(fitted, np.take_along_axis(prior, taken, axis=1), log_evidence=log_evidence)
    p, truth = posterior.predict(X_NEW), softmax(LOG_JOINT) @ mean_of(GRID, X_NEW)
    of_islands = p.component_means.reshape(600, 8).mean(axis=1)
    error = np.sqrt(np.sum((posterior.chain_weights.values * (of_islands - truth)) ** 2))
    assert abs(p.mean[0] - truth) < 4 * error < 0.2
    assert abs(of_islands.mean() - truth) > 0.3


def test_other_chains_are_stacked_by_what_they_predict(fitted):
    """Leave-one-out densities of each mode by quadrature, and the best weights by trying all of them."""
    posterior = with_chains(fitted, TWO, "nuts")
    left_out = []
    for mode in MODES:
        joint, rows = LOG_JOINT[mode, None], ROWS_ON_GRID[mode]
        left_out.append(logsumexp(joint, axis=0) - logsumexp(joint - rows, axis=0))
    w = np.linspace(0.0005, 0.9995, 1000)
    score = [np.sum(logsumexp(left_out, axis=0, b=[[one], [1.0 - one]])) for one in w]
    assert posterior.chain_weights.method == "stacking"
    assert posterior.chain_weights.values[0] == pytest.approx(w[np.argmax(score)], abs=0.01)
    assert not posterior.convergence.converged
    text = f"chains disagree; predictions weigh them by stacking: {posterior.chain_weights.values[0]:.2f}"
    assert str(posterior.chain_weights).startswith(text)
    assert dict(posterior._section.facts)["predictions"] == str(posterior.chain_weights)
    assert text in posterior._repr_html_()


def test_chains_that_agree_count_alike(fitted):
    """Bit for bit, whatever their evidences are."""
    theta = np.stack([TWO[0], np.random.default_rng(2).permutation(TWO[0])])
    posterior = with_chains(fitted, theta, log_evidence=(0.0, -3.0))
    p = posterior.predict(X_NEW)
    assert p.draw_weights is None
    assert posterior.chain_weights == ChainWeights.alike(2)
    assert "predictions" not in dict(posterior._section.facts)
    means, y = mean_of(jnp.asarray(theta.ravel()), X_NEW), Y_NEW
    np.testing.assert_allclose(p.component_means[:, 0, 0], means, rtol=1e-14)
    assert p.mean[0] == p.component_means.mean(axis=0)[0, 0]
    assert p.log_prob(y)[0] == logsumexp(p.log_prob_of_draws(y), axis=0)[0] - np.log(len(means))
