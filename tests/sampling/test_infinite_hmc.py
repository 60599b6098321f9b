"""The default sampler: compiled once, indifferent to width, and right for several outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.sampling import infinite_hmc, nuts
from bayes_nn.inference.sampling.moves.reference import Reference


@pytest.mark.parametrize("module", [infinite_hmc, nuts])
def test_warm_up_sampling_and_new_data_are_compiled_once(module, small_data):
    X, y = small_data
    network, likelihood = bnn.BayesianNetwork(bnn.mlp(depth=1), 3), bnn.Gaussian()
    before = module._advance._cache_size()
    for key, targets in enumerate((y, -y)):
        problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(targets)[:, None], likelihood)
        settings = inference.InfiniteHMC if module is infinite_hmc else inference.NUTS
        settings(2, 75, 50).draw_u(problem, jax.random.key(key))
    assert module._advance._cache_size() == before + 1


@pytest.mark.statistical
def test_the_step_does_not_shrink_as_the_width_grows(small_data):
    """Dimension grows 64-fold; a sampler that felt it would shrink its step by 64^(1/4) = 2.8. Seeds fixed."""
    X, y = small_data
    steps = []
    for width in (4, 256):
        network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3), width)
        problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(0.3))
        _, _, stats = inference.InfiniteHMC(2, 200, 50).draw_u(problem, jax.random.key(0))
        assert 0.6 < stats["acceptance_rate"].mean() < 0.95
        steps.append(stats["step_size"].mean())
    assert steps[1] > steps[0]


def test_the_step_at_the_end_of_warm_up_forgets_the_way_down_from_higher_temperatures():
    chains = infinite_hmc.Chain(np.zeros((2, 2)), None, np.zeros(2))
    reference = Reference(np.zeros(1), np.eye(1), np.ones(1))
    state = infinite_hmc.State(chains, reference, np.empty((2, 0, 1)), np.empty((2, 0)))
    falling, settled = np.linspace(-1.0, -5.0, 25), np.full(25, -5.0)
    for part in (falling, settled):
        moves = np.stack([part, part + 0.2])
        state = infinite_hmc._adapt(state, np.zeros((2, 25, 1)), moves, False, last=part is settled)
    np.testing.assert_allclose(state.chains.log_step, -4.9)


@pytest.mark.slow
@pytest.mark.statistical
def test_kernel_hyperparameters_agree_with_smc(small_data):
    """Means of the log noise and log weight_std within 5 combined errors, slices against particles."""
    prior = priors.NNGP(bnn.mlp(depth=1, activation="erf", bias_std=0.2))
    chains = bnn.fit(prior, *small_data, sampler=inference.InfiniteHMC(warmup=200, draws=500))
    particles = bnn.fit(prior, *small_data, sampler=inference.SMC(particles=256))
    assert chains.convergence.converged, chains.convergence
    for name, draws in chains.values.items():
        a, b = np.log(draws), np.log(particles.values[name])
        error = np.hypot(a.std() / chains.convergence.ess_bulk**0.5, b.mean(axis=1).std(ddof=1) / 2)
        assert abs(a.mean() - b.mean()) < 5 * error, name


@pytest.mark.slow
def test_several_outputs_reach_the_datatree(small_data):
    X, y = small_data
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(
            bnn.BayesianNetwork(bnn.mlp(depth=1), 3),
            X,
            np.column_stack([y, y**2]),
            sampler=inference.InfiniteHMC(2, 25, 25),
        )
    tree = posterior.to_datatree()
    for group in ("posterior_predictive", "log_likelihood", "prior_predictive"):
        assert tree[group]["y"].dims == ("chain", "draw", "row", "output")
    assert posterior.predict(X[:4]).quantile([0.1, 0.9]).shape == (2, 4, 2)


def test_a_run_without_hyperparameters(small_data):
    network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3), 3)
    posterior = bnn.fit(network, *small_data, bnn.Gaussian(0.3), inference.InfiniteHMC(2, 200, 200))
    assert set(posterior.values) == {"hidden_weight_0", "hidden_bias_0"}
