"""Gradients of trajectories: single precision where it will do, double where it will not, smooth at kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.architecture import forward_pass
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.data_tempering import DataTempering
from bayes_nn.inference.problem.partly_observed import PartlyObserved

NETWORK = bnn.BayesianNetwork(bnn.mlp(depth=2), 12)


def problem_for(X, y, likelihood):
    Y = y if likelihood.conjugate else np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    likelihood = likelihood.of_targets(Y)
    columns = likelihood.encode(Y, "y")
    return CollapsedProblem.of(NETWORK, jnp.asarray(X), jnp.asarray(columns, float), likelihood)


#: Steps of this angle smooth nothing.
NO_ANGLE = jnp.zeros(())


def both(problem, u):
    rounded = jax.jit(jax.vmap(problem.gradients, (0, None)))(u, NO_ANGLE)[1]
    return np.asarray(rounded), np.asarray(jax.jit(jax.vmap(problem.log_likelihood_and_gradient))(u)[1])


@pytest.mark.parametrize("likelihood", [bnn.Gaussian(), bnn.Gaussian(0.3), bnn.Categorical()])
def test_gradients_are_single_and_near(small_data, likelihood):
    """Relative error below 1e-3, and rounded indeed: never equal to the last bit."""
    problem = problem_for(*small_data, likelihood)
    rounded, double = both(problem, problem.sample_prior(jax.random.key(0), (10,)))
    error = np.linalg.norm(rounded - double, axis=1) / np.linalg.norm(double, axis=1)
    assert np.all((error > 0.0) & (error < 1e-3))


def test_double_constants_of_an_activation_are_rounded_too(small_data):
    """A NumPy float promotes what it meets to double; gradients must come out, and near."""
    X, y = small_data
    network = bnn.BayesianNetwork(bnn.mlp(1, bnn.Activation(lambda x: np.sqrt(2.0) * jnp.tanh(x))), 6)
    problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian())
    rounded, double = both(problem, problem.sample_prior(jax.random.key(0), (4,)))
    np.testing.assert_allclose(rounded, double, rtol=1e-3, atol=1e-3 * np.abs(double).max())


def test_ill_conditioned_gradients_are_double(small_data):
    """A noise_std of 1e-4 gives a condition number far above 1e7, where single precision is lost."""
    problem = problem_for(*small_data, bnn.Gaussian(1e-4))
    u = problem.sample_prior(jax.random.key(0), (10,))
    rounded, double = both(problem, u)
    smoothed = jax.jit(lambda u: jax.lax.map(lambda one: jax.grad(problem._smoothed)(one, NO_ANGLE), u))(u)
    # To rounding: the two are compiled apart. Single precision would be wrong in the third digit here.
    assert np.all(np.linalg.norm(rounded - smoothed, axis=1) < 1e-11 * np.linalg.norm(smoothed, axis=1))
    assert np.all(np.linalg.norm(rounded - double, axis=1) < 1e-11 * np.linalg.norm(double, axis=1))


def test_rows_that_are_not_seen_do_not_count(small_data):
    """From 12 rows to all: gradients against those of problems that hold these rows only."""
    X, y = (np.asarray(each) for each in small_data)
    seen = jnp.asarray(np.arange(len(y)) < 12, float)
    whole, some = problem_for(X, y, bnn.Gaussian(0.3)), problem_for(X[:12], y[:12], bnn.Gaussian(0.3))
    rows = [PartlyObserved.of_rows(whole, each) for each in (seen, jnp.ones(len(y)))]
    path = DataTempering(tuple(rows), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
    u = whole.sample_prior(jax.random.key(1))
    before, ratio = jax.jit(path.gradients)(u, NO_ANGLE)
    (prior, first), (_, last) = (jax.jit(problem.gradients)(u, NO_ANGLE) for problem in (some, whole))
    np.testing.assert_allclose(before, prior + first, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ratio, last - first, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("activation", ["relu", "leakyrelu", "abs", "tanh"])
def test_smoothing_vanishes_with_the_angle_and_leaves_densities(small_data, activation):
    """Gradients at three angles and at none against the exact one: the error falls; a smooth activation has none."""
    X, y = small_data
    prior = bnn.BayesianNetwork(bnn.mlp(1, activation), 400)
    problem = CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(0.3))
    u = problem.sample_prior(jax.random.key(2))
    function = jax.jit(jax.grad(problem._smoothed))
    exact = problem.log_likelihood_and_gradient(u)[1]
    errors = [float(jnp.linalg.norm(function(u, angle) - exact)) for angle in (0.4, 0.2, 0.1, 0.0)]
    assert errors[-1] == pytest.approx(0.0, abs=1e-10 * float(jnp.linalg.norm(exact)))
    if activation == "tanh":
        assert max(errors) == errors[-1]
    else:
        # About N n angle entries are smoothed, independently: the norm falls like the root of the angle or faster.
        assert errors[2] < 0.65 * errors[0] < 0.65 * 0.5 * float(jnp.linalg.norm(exact))
    np.testing.assert_allclose(problem._smoothed(u, 0.4), problem.log_likelihood(u), rtol=1e-12)


def test_units_that_see_nothing_have_a_gradient():
    """Where an image is black and there are no biases, every unit is 0 and so is the width of the smoothing."""
    prior = bnn.BayesianNetwork(bnn.mlp(2, bias_std=0.0), 12)
    problem = CollapsedProblem.of(prior, jnp.zeros((4, 3)).at[0].set(1.0), jnp.ones((4, 1)), bnn.Gaussian(0.3))
    u = problem.sample_prior(jax.random.key(0))
    smoothed = jax.jit(problem.gradients)(u, 0.1)[1]
    assert np.all(np.isfinite(smoothed))
    assert np.any(np.asarray(smoothed) != 0.0)


@pytest.mark.slow
def test_smooth_slopes_allow_longer_steps(monkeypatch):
    """The step that warm-up adapts on the diabetes data: over 1.5 times as long as without smoothing."""
    X, y = (jnp.asarray(scale(each[:200])) for each in load_diabetes(return_X_y=True))
    problem = CollapsedProblem.of(bnn.BayesianNetwork(bnn.mlp(2), 64), X, y[:, None], bnn.Gaussian())
    settings = inference.InfiniteHMC(chains=2, warmup=200, draws=25)

    def adapted_step(smoothing):
        monkeypatch.setattr("bayes_nn.architecture.forward_pass.SMOOTHING", smoothing)
        jax.clear_caches()
        stats = settings.draw_u(problem, jax.random.key(2))[2]
        return stats["step_size"].mean()

    longer, shorter = adapted_step(forward_pass.SMOOTHING), adapted_step(0.0)
    jax.clear_caches()
    assert longer > 1.5 * shorter


@pytest.mark.slow
@pytest.mark.computes_much
@pytest.mark.statistical
def test_rounded_trajectories_draw_from_the_same_posterior(small_data, monkeypatch):
    """SMC with rounded and with double gradients, log Z and mean log density within 4 combined errors. Keys fixed."""
    X, y = small_data
    runs = [bnn.fit(NETWORK, X, y, bnn.Gaussian(0.1), inference.SMC(particles=128), key=0)]
    monkeypatch.setattr("bayes_nn.inference.problem.collapsed.LARGEST_CONDITION", 0.0)
    jax.clear_caches()
    runs.append(bnn.fit(NETWORK, X, y, bnn.Gaussian(0.1), inference.SMC(particles=128), key=1))
    jax.clear_caches()
    rounded, double = runs
    error = np.hypot(rounded.log_evidence.mcse, double.log_evidence.mcse)
    assert abs(rounded.log_evidence.value - double.log_evidence.value) < 4 * error
    means = [run.log_likelihood.mean(axis=1) for run in runs]
    error = np.hypot(*(each.std(ddof=1) / len(each) ** 0.5 for each in means))
    assert abs(means[0].mean() - means[1].mean()) < 4 * error
