"""SMC evidence against quadrature, importance sampling and NUTS; and that it tells when it fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device

SETTINGS = inference.SMC(particles=256)


def test_quadrature_of_a_deep_linear_network_agrees_with_sampling_it(deep_linear_evidence, linear_data):
    """The oracle itself, against a plain mean over 400,000 scales; 5 standard errors."""
    X, y = linear_data
    rng = np.random.default_rng(0)
    s = (rng.chisquare(4, 400_000) / 4) * (rng.chisquare(4, 400_000) / 4)
    values, vectors = np.linalg.eigh(X @ X.T / 5)
    variance = np.maximum(values, 0) * s[:, None] + 0.25
    log_density = -0.5 * (np.log(2 * np.pi * variance) + (vectors.T @ y) ** 2 / variance).sum(axis=1)
    estimate = logsumexp(log_density) - np.log(len(s))
    error = np.exp(log_density - estimate).std() / len(s) ** 0.5
    assert deep_linear_evidence(X, y, 0.25, (4, 4)) == pytest.approx(estimate, abs=5 * error)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("width", [4, 16, 64])
@pytest.mark.parametrize("kind", [bnn.BayesianNetwork, priors.ScaleMixture])
def test_deep_linear_evidence(deep_linear_evidence, linear_data, kind, depth, width):
    """Within 3 MCSE and 0.2 nats of quadrature; with an honest MCSE a false alarm once in 370 per case, seeds fixed."""
    net = bnn.mlp(depth=depth, activation="identity", weight_std=1.0, bias_std=0.0)
    X, y = linear_data
    posterior = bnn.fit(kind(net, width), X, y, bnn.Gaussian(0.5), SETTINGS, standardize=False, key=1)
    exact = deep_linear_evidence(X, y, 0.25, (width,) * depth)
    evidence = posterior.log_evidence
    assert evidence.reliable, evidence.reasons
    assert abs(evidence.value - exact) < 0.2
    assert abs(evidence.value - exact) < 3 * evidence.mcse
    assert posterior.convergence.converged, posterior.convergence


@pytest.mark.slow
@pytest.mark.computes_much
@pytest.mark.statistical
def test_width_200_on_diabetes_agrees_with_importance_sampling(diabetes):
    """20,000 draws from the prior, whose own error is below 0.1; about -239.0 nats."""
    net = bnn.mlp(depth=1, activation="relu", weight_std=2**0.5, bias_std=0.1**0.5)
    network = bnn.BayesianNetwork(net, 200)
    X, y = diabetes
    posterior = bnn.fit(network, X, y, bnn.Gaussian(0.5**0.5), inference.SMC(particles=64), standardize=False)
    problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(0.5**0.5))

    @jax.jit
    def log_likelihoods(keys):
        one = map_over_devices(lambda problem, key: problem.log_likelihood(problem.sample_prior(key)), len(keys))
        return one(problem, keys)

    with one_blas_thread_per_device():
        log_likelihood = np.asarray(log_likelihoods(jax.random.split(jax.random.key(7), 20_000)))
    estimate = logsumexp(log_likelihood) - np.log(len(log_likelihood))
    error = np.exp(log_likelihood - estimate).std() / len(log_likelihood) ** 0.5
    assert error < 0.1
    evidence = posterior.log_evidence
    assert abs(evidence.value - estimate) < 3 * np.hypot(evidence.mcse, error)
    assert evidence.value == pytest.approx(-239.0, abs=0.4)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(("depth", "expected"), [(1, -237.3), (2, -237.3)])
def test_width_50_on_diabetes(diabetes, depth, expected):
    """The figures of an independent first experiment, given to 0.1 nats; feature information is positive."""
    net = bnn.mlp(depth=depth, activation="relu", weight_std=2**0.5, bias_std=0.1**0.5)
    settings = inference.SMC(particles=64)
    posterior = bnn.fit(bnn.BayesianNetwork(net, 50), *diabetes, bnn.Gaussian(0.5**0.5), settings, standardize=False)
    assert posterior.log_evidence.value == pytest.approx(expected, abs=0.4)
    information = posterior.feature_information
    assert information.value > 5 * information.mcse
    identity = information.expected_log_likelihood - posterior.log_evidence.value
    assert information.value == pytest.approx(identity, abs=1e-9)


@pytest.mark.statistical
def test_inferred_hyperparameters_agree_with_quadrature(small_data):
    """NNGP with the noise alone inferred: a one-dimensional integral over 2,000 points."""
    X, y = small_data
    net = bnn.mlp(depth=2, activation="erf", weight_std=1.4, bias_std=0.2)
    posterior = bnn.fit(priors.NNGP(net), X, y, sampler=SETTINGS, standardize=False)
    likelihood = bnn.Gaussian()
    prior = likelihood.noise_std
    grid = np.linspace(np.log(1e-3), np.log(20.0), 2_000)
    K = np.asarray(priors.NNGP(net).kernel.gram(jnp.asarray(X)).as_matrix())
    values, vectors = np.linalg.eigh(K)
    variance = values + np.exp(2 * grid)[:, None]
    log_density = -0.5 * (np.log(2 * np.pi * variance) + (vectors.T @ y) ** 2 / variance).sum(axis=1)
    log_prior = np.asarray(prior.log_prob(np.exp(grid))) + grid
    exact = logsumexp(log_density + log_prior) + np.log(grid[1] - grid[0])
    assert abs(posterior.log_evidence.value - exact) < max(3 * posterior.log_evidence.mcse, 0.02)
    weights = np.exp(log_density + log_prior - logsumexp(log_density + log_prior))
    draws = posterior.values["noise_std"]
    assert draws.mean() == pytest.approx((weights * np.exp(grid)).sum(), abs=5 * draws.std() / 512**0.5)
    assert float(posterior.feature_information) == 0.0


@pytest.mark.slow
@pytest.mark.computes_much
@pytest.mark.statistical
def test_smc_and_nuts_predict_alike(small_data):
    """Predictive means within 4 combined MCSE at 95% of 40 test points."""
    X, y = small_data
    X_new = np.random.default_rng(2).normal(size=(40, 3))
    network = bnn.BayesianNetwork(bnn.mlp(depth=2, activation="relu"), 8)
    means, errors = [], []
    for sampler in (inference.SMC(particles=256), inference.NUTS(warmup=400, draws=500)):
        posterior = bnn.fit(network, X, y, sampler=sampler, key=3)
        assert posterior.convergence.converged, posterior.convergence
        components = posterior.predict(X_new).component_means[..., 0]
        chains = components.reshape(*posterior.shape, -1)
        means.append(components.mean(axis=0))
        within = chains.var(axis=(0, 1)) / posterior.convergence.ess_bulk
        errors.append(np.maximum(within, chains.mean(axis=1).var(axis=0, ddof=1) / len(chains)))
    agree = np.abs(means[0] - means[1]) < 4 * np.sqrt(errors[0] + errors[1])
    assert agree.mean() >= 0.95


def test_too_few_particles_are_not_called_reliable(diabetes):
    """Eight particles on a hard problem: the estimate must come with a warning in words."""
    net = bnn.mlp(depth=2, activation="relu")
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(bnn.BayesianNetwork(net, 8), *diabetes, sampler=inference.SMC(particles=8, max_steps=4))
    assert not (posterior.log_evidence.reliable and posterior.convergence.converged)


def test_an_unfinished_run_says_so(small_data):
    settings = inference.SMC(particles=16, islands=2, max_temperatures=1)
    with pytest.warns(bnn.ConvergenceWarning, match="the posterior was not reached in 1 temperatures"):
        posterior = bnn.fit(bnn.BayesianNetwork(bnn.mlp(depth=1), 4), *small_data, sampler=settings)
    assert not posterior.log_evidence.reliable


def test_the_same_key_gives_the_same_numbers(small_data):
    network = bnn.BayesianNetwork(bnn.mlp(depth=1), 4)
    first, second = (bnn.fit(network, *small_data, sampler=inference.SMC(16, 2), key=5) for _ in range(2))
    assert first.log_evidence.value == second.log_evidence.value
    np.testing.assert_array_equal(first.values["noise_std"], second.values["noise_std"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_particles_are_moved_on_until_they_have_mixed(small_data, monkeypatch):
    """Few moves on the way leave clones; moving on at the posterior mends the draws and leaves log Z alone."""
    network, few = bnn.BayesianNetwork(bnn.mlp(depth=1), 4), inference.SMC(64, target_ess=0.15, accepted_moves=0.1)
    moved_on = bnn.fit(network, *small_data, sampler=few, key=6)
    monkeypatch.setattr("bayes_nn.inference.posterior.fit.SMALLEST_ESS_PER_CHAIN", np.inf)  # never moved on
    left = bnn.fit(network, *small_data, sampler=few, key=6)
    assert left.convergence.r_hat > 1.05 > moved_on.convergence.r_hat
    assert min(left.convergence.ess_bulk, left.convergence.ess_tail) < 100
    assert min(moved_on.convergence.ess_bulk, moved_on.convergence.ess_tail) > 100
    assert moved_on.sampler_evidence.value == left.sampler_evidence.value
    assert moved_on.sampler_evidence.mcse == left.sampler_evidence.mcse
    assert left.sampler_evidence.details["moves_at_the_end"] == 0
    assert moved_on.sampler_evidence.details["moves_at_the_end"] > 0


def test_moves_at_the_end_are_bounded_and_end_the_path(small_data):
    """A judge that is never content is asked as often as there were temperatures; the path ends at its particles."""
    from bayes_nn.inference.sampling.smc_run import run_smc

    problem = problem_of(bnn.BayesianNetwork(bnn.mlp(depth=1), 4), Dataset.of(*small_data, bnn.Gaussian()))
    asked = []
    run = run_smc(problem, inference.SMC(16, 2), jax.random.key(0), good_enough=lambda u, _: asked.append(u))
    assert len(asked) == run.evidence.details["moves_at_the_end"] == run.path.tempering.shape[1] - 1
    assert not np.array_equal(asked[0], asked[-1])
    np.testing.assert_array_equal(run.path.log_likelihood[:, -1], run.log_likelihood)


def test_temperings_and_data_of_one_shape_are_traced_once(small_data, monkeypatch):
    """Moves at the posterior included, which 64 particles of few moves need."""
    from bayes_nn.inference.sampling import smc_island as island

    traces = []
    original = island.temper_island
    monkeypatch.setattr(island, "temper_island", lambda *a: traces.append(1) or original(*a))
    X, y = small_data
    network, likelihood = bnn.BayesianNetwork(bnn.mlp(depth=1), 5), bnn.Gaussian()
    for shift in (0.0, 0.1):
        few = inference.SMC(64, 2, target_ess=0.15, accepted_moves=0.1)
        posterior = bnn.fit(network, X, y + X[:, 0] * shift, likelihood, few)
        assert posterior.sampler_evidence.details["moves_at_the_end"] > 0
        assert len(traces) == 1
