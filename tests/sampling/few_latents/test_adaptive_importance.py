"""Adaptive importance sampling against quadrature and sums over a grid, and that it tells where it fails."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.evidence import combine_islands
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.few_latents.adaptive_importance import MOST_LATENTS, metropolis
from bayes_nn.inference.sampling.few_latents.quadrature import quadrature
from bayes_nn.inference.sampling.sampler import silent

SETTINGS = inference.AdaptiveImportance()
#: Weights, biases and noise inferred: three latents.
KERNEL = priors.NNGP(bnn.mlp(2, "erf", bnn.Shared(dist.LogNormal(0.3, 0.5)), bnn.Shared(dist.LogNormal(-1.0, 1.0))))


def two_peaks(X, y=None):
    """y is about theta squared times X, so that theta has one peak on either side of 0."""
    theta = numpyro.sample("theta", dist.Normal(0.5, 1.0))
    numpyro.sample("y", dist.Normal(theta**2 * X[:, 0], 0.6), obs=y)


@pytest.fixture(scope="module")
def estimates(small_data):
    """log Z of 20 runs of 4 chains less that of quadrature, and the variances that their weights imply."""
    problem = problem_of(KERNEL, Dataset.of(*small_data, bnn.Gaussian()))
    truth = quadrature(problem, jax.random.key(0), silent)
    assert truth.reliable
    found = [SETTINGS.estimate(problem, jax.random.key(100 + seed), 1, silent) for seed in range(20)]
    assert not any(one.reasons for one in found)
    return np.array([one.log_evidence for one in found]) - truth.value, np.array([one.variance for one in found])


@pytest.mark.slow
@pytest.mark.statistical
def test_errors_of_the_evidence_are_as_stated(estimates):
    """z has a t distribution of 3 degrees; both ends of the interval are crossed once in 1,000 seeds each."""
    combined = [combine_islands(values, variance) for values, variance in zip(*estimates, strict=True)]
    z = np.array([value / mcse for value, mcse, _ in combined])
    p = stats.t.cdf(z, 3)
    # The mean of 20 uniforms, and how many of 20 are in the outer tenth.
    assert abs(p.mean() - 0.5) < stats.norm.ppf(0.9995) / (12 * len(p)) ** 0.5
    assert np.sum(abs(p - 0.5) > 0.45) <= stats.binom.ppf(0.999, len(p), 0.1)
    assert max(mcse for _, mcse, _ in combined) < 0.2


@pytest.mark.slow
@pytest.mark.statistical
def test_the_evidence_is_unbiased(estimates):
    """The mean of 80 chains' Z over the true one is 1; off by four of its errors once in 16,000 seeds."""
    ratio = np.exp(estimates[0]).ravel()
    assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std(ddof=1) / len(ratio) ** 0.5


@pytest.mark.statistical
def test_draws_have_the_moments_of_a_grid():
    """A posterior of two peaks by a sum over 20,001 points; off by four errors once in 8,000 seeds for each moment."""
    x, y = np.linspace(0.5, 1.5, 5), np.array([0.3, 0.8, 0.9, 1.3, 1.2])
    prior = priors.NumPyroPrior(two_peaks)
    posterior = bnn.fit(prior, x, y, sampler=SETTINGS, standardize=False, key=1, progress=False)
    theta = np.linspace(-4.0, 4.0, 20_001)
    log_joint = stats.norm.logpdf(theta, 0.5) + stats.norm.logpdf(y[:, None], theta**2 * x[:, None], 0.6).sum(axis=0)
    truth = logsumexp(log_joint) + np.log(theta[1] - theta[0])
    assert posterior.log_evidence.reliable
    assert abs(posterior.log_evidence.value - truth) < 4.0 * posterior.log_evidence.mcse
    weights = np.exp(log_joint - logsumexp(log_joint))
    draws = posterior.values["theta"]
    for moment in (lambda t: t, lambda t: (t > 0.0).astype(float), lambda t: t**2):
        expected = weights @ moment(theta)
        values = moment(draws)
        error = values.mean(axis=1).std(ddof=1) / 2.0 + values.std() / posterior.log_likelihood.size**0.5
        assert abs(values.mean() - expected) < 4.0 * error


@pytest.mark.statistical
def test_metropolis_chains_have_the_target_as_their_law():
    """Proposals uniform on 0 to 3, target proportional to 1, 2, 3, 4: chi-squared at 1 in 1,000."""
    rng, target = np.random.default_rng(3), np.array([0.1, 0.2, 0.3, 0.4])
    proposed = rng.integers(4, size=(2_000, 30))
    places, acceptance = metropolis(np.log(4.0 * target[proposed]), rng)
    last = np.take_along_axis(proposed, places, axis=1)[:, -1]
    counts = np.bincount(last, minlength=4)
    assert stats.chisquare(counts, target * len(last)).pvalue > 1e-3
    assert ((acceptance >= 0.0) & (acceptance <= 1.0)).all()


def many_peaks(X, y=None):
    """Many thin peaks in ten dimensions, which no Student t fits."""
    z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([10]).to_event(1))
    numpyro.sample("y", dist.Normal(jnp.sum(jnp.sin(6.0 * z)) * X[:, 0], 0.01), obs=y)


def test_it_does_not_trust_itself_where_no_student_t_fits():
    found = inference.log_evidence(
        priors.NumPyroPrior(many_peaks),
        np.linspace(0.5, 1.5, 4),
        8.0 * np.linspace(0.5, 1.5, 4),
        "adaptive_importance",
        standardize=False,
        max_seconds=1e-3,
        progress=False,
    )
    assert not found.reliable
    assert any("[B209]" in reason or "[B108]" in reason for reason in found.reasons)


def test_many_latents_are_refused(small_data):
    network = bnn.BayesianNetwork(bnn.mlp(1, "relu", 1.4, 0.1), 8)
    with pytest.raises(ValueError, match=f"at most {MOST_LATENTS} latents"):
        bnn.fit(network, *small_data, bnn.Gaussian(0.3), "adaptive_importance", progress=False)
    with pytest.raises(ValueError, match="at least 1"):
        inference.AdaptiveImportance(chains=0)


@pytest.mark.slow
def test_a_comparison_takes_it_for_kernels_and_smc_where_it_fails(small_data, monkeypatch):
    alone = SMCFirst(inference.SMC(particles=32), exchange=None)
    chosen = bnn.fit(KERNEL, *small_data, bnn.Gaussian(), alone, key=2, progress=False)
    assert chosen.sampler == "adaptive_importance"
    assert chosen.log_evidence.method == "quadrature"
    assert chosen.log_evidence.details["method_of_sampler"] == "adaptive_importance"
    name = "bayes_nn.inference.sampling.few_latents.adaptive_importance.SMALLEST_EFFECTIVE_DRAWS"
    monkeypatch.setattr(name, float("inf"))
    assert bnn.fit(KERNEL, *small_data, bnn.Gaussian(), alone, key=2, progress=False).sampler == "smc"


def test_the_same_key_gives_the_same_draws(small_data):
    first, second = (bnn.fit(KERNEL, *small_data, bnn.Gaussian(), SETTINGS, key=5, progress=False) for _ in range(2))
    np.testing.assert_array_equal(first.log_likelihood, second.log_likelihood)
    assert first.log_evidence == second.log_evidence
