"""Kernels with a lengthscale for every input, against scikit-learn and the same prior written as a KernelPrior."""

import gpjax as gpx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from sklearn.gaussian_process import kernels as sk

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NOISE = bnn.Gaussian(0.3)
THEIRS = {"rbf": sk.RBF, "matern32": lambda one: sk.Matern(one, nu=1.5), "matern52": lambda one: sk.Matern(one, nu=2.5)}


@pytest.mark.parametrize("kind", THEIRS)
def test_kernels_are_scikit_learns(small_data, kind):
    X, _ = small_data
    relevance = jnp.array([1.2, 0.0, -1.5])
    prior = priors.ARDKernel(kind, spread=0.8, variance=0.6)
    theirs = 0.6 * THEIRS[kind](3**0.5 * np.exp(-0.8 * np.asarray(relevance)))
    process = prior.process({"relevance": relevance}, jnp.asarray(X[:20]), jnp.asarray(X[20:]))
    np.testing.assert_allclose(process.K, theirs(X[:20]), rtol=1e-12)
    np.testing.assert_allclose(process.K_new, theirs(X[20:], X[:20]), rtol=1e-12)
    np.testing.assert_allclose(process.k_new, 0.6, rtol=1e-12)
    gpjaxs = prior.kernel_at({"relevance": relevance})
    np.testing.assert_allclose(process.K, gpjaxs.gram(jnp.asarray(X[:20])).as_matrix(), rtol=1e-12)


@pytest.mark.parametrize("inputs", [2, 50])
def test_distances_at_the_median_do_not_depend_on_the_number_of_inputs(inputs):
    """Squared distances over squared lengthscales have mean 2."""
    X = np.random.default_rng(0).normal(size=(400, inputs))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    scaled = X / np.asarray(priors.ARDKernel().lengthscales(np.zeros(inputs)))
    assert 2.0 * np.mean(np.sum(scaled**2, axis=1)) == pytest.approx(2.0)


def test_evidence_is_that_of_lognormal_lengthscales(small_data):
    """The same prior in other coordinates, both by quadrature."""
    X, y = small_data[0][:, :2], small_data[1]
    lengthscale = dist.LogNormal(0.5 * np.log(2.0), 1.0)
    by_name = priors.KernelPrior(
        gpx.kernels.Matern52(lengthscale=[1.0, 1.0]), {"lengthscale": lengthscale, "variance": dist.LogNormal(0.0, 1.0)}
    )
    found, expected = (
        inference.log_evidence(prior, X, y, "quadrature", NOISE, progress=False)
        for prior in (priors.ARDKernel("matern52"), by_name)
    )
    assert found.value == pytest.approx(expected.value, abs=0.01)


@pytest.mark.statistical
def test_smc_agrees_with_quadrature(small_data):
    """Within 5 standard errors of three degrees of freedom: a false alarm once in 65 runs of another seed."""
    X, y = small_data[0][:, :2], small_data[1]
    prior = priors.ARDKernel("rbf", variance=1.0)
    exact = inference.log_evidence(prior, X, y, "quadrature", NOISE, progress=False)
    posterior = bnn.fit(prior, X, y, NOISE, inference.SMC(particles=64), progress=False)
    assert abs(posterior.sampler_evidence.value - exact.value) < 5.0 * posterior.sampler_evidence.mcse
    assert posterior.sampler_evidence.mcse < 0.3
    assert posterior.problem.has_many_latents  # so that trajectories turn them
    assert not posterior.problem.has_hidden_weights  # so that the verdict counts it among the kernels


def test_gradient_agrees_with_finite_differences(small_data):
    X, y = small_data
    problem = CollapsedProblem.of(priors.ARDKernel("matern52"), jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian())
    u = problem.sample_prior(jax.random.key(1))
    value, gradient = jax.jit(jax.value_and_grad(problem.log_likelihood))(u)
    assert float(value) == pytest.approx(float(problem.log_likelihood(u)), abs=1e-8)
    steps = 1e-5 * jnp.eye(len(u))
    density = jax.jit(problem.log_likelihood)
    central = [(density(u + step) - density(u - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient, central, rtol=1e-5, atol=1e-5)


def test_latents_of_labels_hold_the_function_too(small_data):
    X = jnp.asarray(small_data[0])
    assert list(priors.ARDKernel().latents(bnn.Bernoulli((0, 1)), X, 1)) == ["variance", "relevance", "whitened_f"]


def test_equality():
    assert priors.ARDKernel("rbf") == priors.ARDKernel("rbf")
    assert len({priors.ARDKernel(kind) for kind in THEIRS} | {priors.ARDKernel("rbf", 0.5)}) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: priors.ARDKernel("cubic"), "kernel must be one of 'rbf', 'matern32', 'matern52'"),
        (lambda: priors.ARDKernel(spread=0.0), "spread must be a positive number"),
        (lambda: priors.ARDKernel(variance=-1.0), "variance must be a positive number"),
        (lambda: bnn.fit(priors.ARDKernel(), np.ones((9, 2, 2, 1)), np.arange(9.0)), "takes inputs"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
