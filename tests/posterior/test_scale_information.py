"""Nats spent on scale and on shape, against quadrature over the scale of a linear network (THEORY T1)."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.features.scale_and_shape import with_free_scale
from bayes_nn.inference.posterior.scale_information import log_scale_divergence
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NOISE, WIDTH = 0.3, 8
LINEAR = bnn.mlp(1, "identity", 1.0, 0.0)
SMC = inference.SMC(particles=64, islands=4)


def target(inputs, scale=6.0):
    """30 rows of a linear target ``scale`` times as large as the prior expects."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, inputs))
    beta = rng.normal(size=inputs)
    y = scale * X @ (beta / np.linalg.norm(beta))
    return X, y + NOISE * rng.normal(size=30)


def fitted(prior, inputs, scale=6.0, **keywords):
    return bnn.fit(
        prior, *target(inputs, scale), bnn.Gaussian(NOISE), SMC, standardize=False, progress=False, **keywords
    )


def information_on_s(X, y, log_density):
    """KL( p(s|D) || p(s) ) for ``y | s ~ N(0, s XX'/d + noise^2)``, on a grid of log s."""
    log_s = np.linspace(-12.0, 8.0, 20_001)
    values, vectors = np.linalg.eigh(X @ X.T / X.shape[1])
    variance = np.exp(log_s)[:, None] * np.maximum(values, 0.0) + NOISE**2
    log_likelihood = -0.5 * np.sum(np.log(2.0 * np.pi * variance) + (vectors.T @ y) ** 2 / variance, axis=1)
    joint = log_likelihood + log_density(np.exp(log_s)) + log_s
    weights = np.exp(joint - logsumexp(joint))
    return float(weights @ log_likelihood - logsumexp(joint) - np.log(log_s[1] - log_s[0]))


def of_width(n):
    return stats.gamma(n / 2.0, scale=2.0 / n).logpdf


@pytest.fixture(scope="module")
def linear():
    return {inputs: fitted(bnn.BayesianNetwork(LINEAR, WIDTH), inputs) for inputs in (1, 4)}


@pytest.mark.slow
@pytest.mark.statistical
def test_one_input_leaves_a_linear_network_no_shape(linear):
    """The kernel is s XX', so that all is about s: 4 errors, and 0.15 nats for the Gaussian entropy."""
    expected = information_on_s(*target(1), of_width(WIDTH))
    parts = linear[1].feature_information
    assert expected > 3.0
    assert abs(parts.value - expected) < 4.0 * parts.mcse
    assert abs(parts.on_scale - expected) < 4.0 * parts.on_scale_mcse + 0.15
    assert abs(parts.on_shape) < 4.0 * parts.on_shape_mcse + 0.15
    assert 0.0 < parts.on_scale_mcse < 0.5
    assert "on scale" in str(parts)


@pytest.mark.slow
@pytest.mark.statistical
def test_several_inputs_bound_the_scale_from_below(linear):
    """Functions have the law of a random scale, hidden weights do not: 4.7 of 11.8 nats, and 8.8 for the scale."""
    parts = linear[4].feature_information
    of_functions = information_on_s(*target(4), of_width(WIDTH))
    assert 0.0 < parts.on_scale < of_functions < parts.value
    assert parts.on_shape == pytest.approx(parts.value - parts.on_scale)
    assert parts.upper == parts.value


@pytest.mark.slow
@pytest.mark.statistical
def test_a_free_scale_takes_what_was_spent_on_scale(linear):
    """From 11.5 to about 1 nat on shape, with a readout several times as large."""
    split = inference.scale_and_shape(linear[4], sampler=SMC, progress=False)
    assert split.on_shape < 2.0 < 0.25 * split.on_scale
    assert split.information == linear[4].feature_information.value
    assert 3.0 < split.scale[0] < 12.0
    assert split.scale[1] < split.scale[0] < split.scale[2]
    assert "on shape" in str(split)
    # The free scale's evidence, by quadrature over both scales: the network's prior is that of s w^2.
    X, y = target(4)
    log_w = np.linspace(-8.0, 8.0, 801)
    values, vectors = np.linalg.eigh(X @ X.T / 4.0)
    s = stats.gamma.ppf((np.arange(400) + 0.5) / 400, WIDTH / 2.0, scale=2.0 / WIDTH)
    variance = np.multiply.outer(np.exp(2.0 * log_w), s)[..., None] * np.maximum(values, 0.0) + NOISE**2
    total = -0.5 * np.sum(np.log(2.0 * np.pi * variance) + (vectors.T @ y) ** 2 / variance, axis=-1)
    log_mean = logsumexp(total, axis=1) - np.log(400)
    exact = logsumexp(log_mean + stats.norm.logpdf(log_w, 0.0, 2.0)) + np.log(log_w[1] - log_w[0])
    assert abs(split.log_evidence.value - exact) < 4.0 * split.log_evidence.mcse + 0.05


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["mixture", "student"])
def test_scales_that_are_latents_are_all_scale(kind):
    """The identity against quadrature, within 4 errors."""
    if kind == "mixture":
        prior, log_density = priors.ScaleMixture(LINEAR, WIDTH), of_width(WIDTH)
    else:
        prior, log_density = priors.StudentT(LINEAR, df=4), stats.invgamma(2.0, scale=2.0).logpdf
    parts = fitted(prior, 4).feature_information
    assert abs(parts.on_scale - information_on_s(*target(4), log_density)) < 4.0 * parts.on_scale_mcse + 0.02
    assert (parts.value, parts.on_shape, parts.on_shape_mcse) == (0.0, 0.0, 0.0)
    assert 0.0 < parts.on_scale_mcse < 0.5


def test_a_kernel_without_latents_spends_nothing():
    parts = bnn.fit(priors.NNGP(LINEAR), *target(4), bnn.Gaussian(NOISE), standardize=False).feature_information
    assert (parts.on_scale, parts.on_shape, parts.upper) == (0.0, 0.0, 0.0)


@pytest.mark.statistical
@pytest.mark.parametrize(("shape", "factor"), [(4.0, 3.0), (20.0, 2.0), (200.0, 1.5)])
def test_divergence_of_gamma_laws(shape, factor):
    """KL of Gamma(k, factor) from Gamma(k, 1) is k (factor - 1 - log factor); the entropy's bias is below 0.05."""
    rng = np.random.default_rng(1)
    after, before = np.log(rng.gamma(shape, factor, 4_000)), np.log(rng.gamma(shape, 1.0, 20_000))
    exact = shape * (factor - 1.0 - np.log(factor))
    assert log_scale_divergence(after, before) == pytest.approx(exact, rel=0.06, abs=0.05)
    assert log_scale_divergence(before, before[::-1]) < 0.05
    dead = np.append(after, -np.inf)
    assert log_scale_divergence(dead, before) == pytest.approx(log_scale_divergence(after, before))
    assert log_scale_divergence(np.full(3, -np.inf), before) == 0.0


@pytest.mark.slow
@pytest.mark.statistical
def test_labels_bound_feature_information_from_above():
    """Against draws from the prior of a tiny network: 3,000 hidden weights with 400 readouts each; 4 errors + 0.05."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(12, 1))
    y = X[:, 0] > 0.2
    net = bnn.mlp(1, "relu", 2.0, 0.0)
    posterior = bnn.fit(
        bnn.BayesianNetwork(net, 2), X, y, bnn.Bernoulli(), inference.SMC(256, 8), standardize=False, progress=False
    )
    parts = posterior.feature_information
    w, v = rng.normal(size=(3_000, 1, 2)), rng.normal(size=(3_000, 2, 400))
    f = 2.0 / 2**0.5 * np.maximum(2.0 * X @ w, 0.0) @ v
    given = -np.logaddexp(0.0, np.where(y[:, None], -f, f)).sum(axis=1)
    of_weights = logsumexp(given, axis=1) - np.log(400)
    log_z = logsumexp(of_weights) - np.log(3_000)
    together = np.sum(np.exp(given - log_z) * (given - log_z)) / given.size
    alone = np.mean(np.exp(of_weights - log_z) * (of_weights - log_z))
    assert np.isnan(parts.value)
    assert abs(parts.upper - together) < 4.0 * np.hypot(posterior.log_evidence.mcse, 0.03) + 0.05
    assert 0.0 < alone < parts.upper


def test_a_free_scale_starts_at_the_networks_own():
    X, y = target(4)
    for weight_std in (1.5, dist.LogNormal(np.log(1.5), 0.5)):
        net = bnn.mlp(1, "erf", weight_std, 0.1)
        network = bnn.BayesianNetwork(net, 4, parameterization="mean-field")
        problem = CollapsedProblem.of(network, jax.numpy.asarray(X), jax.numpy.asarray(y)[:, None], bnn.Gaussian(0.5))
        free, own = with_free_scale(problem)
        assert own == pytest.approx(0.75)
        assert "readout_scale" not in free.fixed
        u = free.sample_prior(jax.random.key(0))
        values = free.values(u) | {"weight_std_1": jax.numpy.asarray(own)}
        hidden = {name: value for name, value in values.items() if name in problem.latents}
        same = problem.log_likelihood_of(hidden | {"weight_std_1": jax.numpy.asarray(1.5)})
        assert float(free.log_likelihood_of(values)) == pytest.approx(float(same), rel=1e-9)


def test_what_cannot_be_split_is_refused(small_data):
    X, y = small_data
    with pytest.raises(ValueError, match="no hidden weights"):
        inference.scale_and_shape(bnn.fit(priors.NNGP(LINEAR), X, y, bnn.Gaussian(0.3)))
    frozen = bnn.compare(
        [priors.FrozenFeatures(LINEAR, 3)], X, y, splits=0, likelihood=bnn.Gaussian(0.3), progress=False
    )
    with pytest.raises(ValueError, match="never updated"):
        inference.scale_and_shape(next(iter(frozen.posteriors.values())))
