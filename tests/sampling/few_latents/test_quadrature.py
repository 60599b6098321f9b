"""Quadrature over few latents against SciPy and a dense sum, where it is the choice, and where it is not for."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import integrate, stats

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.sampling.few_latents.quadrature import quadrature

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


#: Two scales are all that is random.
WIDTHS = (16, 8)
TWO_SCALES = priors.ScaleMixture(bnn.mlp(2, "identity", weight_std=1.0, bias_std=0.0), WIDTHS)


@pytest.fixture(scope="module")
def by_dblquad(linear_data):
    """log p(y) by SciPy's adaptive quadrature over both scales, chi2(n)/n each, in the eigenvectors of XX'."""
    X, y = linear_data
    values, vectors = np.linalg.eigh(X @ X.T / X.shape[1])
    values, squares = np.maximum(values, 0.0), (vectors.T @ y) ** 2

    def log_joint(*log_scales):
        variance = np.exp(sum(log_scales)) * values + 0.25
        log_likelihood = -0.5 * np.sum(np.log(2 * np.pi * variance) + squares / variance)
        of_scales = (
            stats.gamma.logpdf(np.exp(t), n / 2, scale=2 / n) + t for n, t in zip(WIDTHS, log_scales, strict=True)
        )
        return log_likelihood + sum(of_scales)

    highest = max(log_joint(a, b) for a in np.linspace(-2, 2, 41) for b in np.linspace(-2, 2, 41))
    integral, _ = integrate.dblquad(lambda a, b: np.exp(log_joint(a, b) - highest), -4, 3, -4, 3, epsrel=1e-6)
    return highest + np.log(integral)


def test_it_is_the_choice_where_there_are_few_latents(linear_data, by_dblquad):
    found = inference.log_evidence(TWO_SCALES, *linear_data, likelihood=NOISE, standardize=False)
    assert found.method == "quadrature"
    assert found.value == pytest.approx(by_dblquad, abs=1e-4)


def test_compare_takes_it_for_the_evidence_and_a_sampler_for_the_draws(linear_data, by_dblquad):
    result = bnn.compare([TWO_SCALES], *linear_data, likelihood=NOISE, standardize=False, splits=0, progress=False)
    (row,) = result.rows
    assert row.method == "quadrature"
    assert row.reliable, row.reasons
    assert row.log_evidence == pytest.approx(by_dblquad, abs=1e-4)
    assert row.details["method_of_sampler"] == result.posteriors[row.name].sampler
    error = max(row.details["mcse_of_sampler"], 0.05)
    assert abs(row.details["log_evidence_of_sampler"] - row.log_evidence) < 5 * error
    assert row.details["method_of_sampler"] == "adaptive_importance"
    with pytest.raises(ValueError, match="not fitted by tempering"):
        row.plot_tempering()


@pytest.mark.slow
def test_chosen_samplers_give_their_own(linear_data):
    few = inference.SMC(particles=32, islands=2)
    found = inference.log_evidence(
        TWO_SCALES, *linear_data, likelihood=NOISE, standardize=False, sampler=few, tolerance=10.0
    )
    with pytest.warns(bnn.ConvergenceWarning):
        (row,) = bnn.compare([TWO_SCALES], *linear_data, likelihood=NOISE, standardize=False, sampler=few).rows
    assert found.method == row.method == "smc"


def test_evidence_after_markov_chains(linear_data, by_dblquad):
    chains = inference.InfiniteHMC(chains=2, warmup=50, draws=100)
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(TWO_SCALES, *linear_data, NOISE, chains, standardize=False)
    assert posterior.sampler_evidence is None
    assert posterior.log_evidence.method == "quadrature"
    assert posterior.log_evidence.value == pytest.approx(by_dblquad, abs=1e-4)


def _even(X, y=None):
    """A slope that only its square tells of."""
    slope = numpyro.sample("slope", dist.Normal(0.0, 2.0))
    numpyro.sample("y", dist.Normal(slope**2 * X[:, 0], 0.1), obs=y)


def test_a_second_peak_off_the_grid_is_told():
    """The grid holds one of two equal peaks, so that it is log 2 too low."""
    X = jnp.linspace(0.5, 1.0, 8)[:, None]
    y = np.asarray(4.0 * X[:, 0]) + 0.1 * np.random.default_rng(0).normal(size=8)
    problem = problem_of(priors.NumPyroPrior(_even), Dataset.of(X, y, bnn.Gaussian(), standardize=False))
    found = quadrature(problem, jax.random.key(0), lambda *_: None)
    assert any("another peak" in reason for reason in found.reasons)

    def density(slope):
        log_likelihood = stats.norm.logpdf(y, slope**2 * np.asarray(X[:, 0]), 0.1).sum()
        return np.exp(log_likelihood) * stats.norm.pdf(slope, 0.0, 2.0)

    whole = np.log(2 * integrate.quad(density, 1.5, 2.5, epsrel=1e-8)[0])
    assert found.value == pytest.approx(whole - np.log(2.0), abs=1e-3)


def test_a_grid_that_would_take_too_long_is_left(linear_data):
    problem = problem_of(TWO_SCALES, Dataset.of(*linear_data, NOISE, standardize=False))
    found = quadrature(problem, jax.random.key(0), lambda *_: None, max_seconds=1e-6)
    assert not found.reliable
    assert "would take longer" in found.reasons[0]


def _nowhere(X, y=None):
    """A likelihood that is 0 whatever the latent."""
    numpyro.sample("slope", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(X[:, 0], 1e-200), obs=y)


def test_a_density_without_a_peak_is_told(small_data):
    X, y = small_data
    problem = problem_of(priors.NumPyroPrior(_nowhere), Dataset.of(X, y, bnn.Gaussian(), standardize=False))
    found = quadrature(problem, jax.random.key(0), lambda *_: None)
    assert "no peak" in found.reasons[0]
