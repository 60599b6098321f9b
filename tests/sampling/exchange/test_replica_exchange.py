"""Replica exchange against exact evidence, as a sampler and as an estimator."""

import jax
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.prior_draws import prior_log_likelihoods

LINEAR = bnn.BayesianNetwork(bnn.mlp(1, "identity", weight_std=1.0, bias_std=0.0), 4)


@pytest.mark.statistical
def test_evidence_of_a_linear_network(linear_data, deep_linear_evidence):
    """Against quadrature: within 4 standard errors and both sides near; a false alarm once in 16,000, seed fixed."""
    X, y = linear_data
    found = inference.log_evidence(
        LINEAR, X, y, "replica_exchange", bnn.Gaussian(0.5), standardize=False, key=1, tolerance=0.12, progress=False
    )
    exact = deep_linear_evidence(X, y, 0.25, (4,))
    assert found.reliable, found.reasons
    assert abs(found.value - exact) < 4 * found.mcse
    assert abs(found.lower - exact) < 0.6
    assert abs(found.upper - exact) < 0.6
    assert found.details["stopped"] == "tolerance"
    assert found.mcse <= 0.12


@pytest.mark.slow
@pytest.mark.statistical
def test_hyperparameters_alone_and_a_posterior_near_its_prior(small_data):
    """An NNGP with inferred standard deviations against importance sampling; 4 combined errors, seeds fixed."""
    X, y = small_data
    prior, likelihood = bnn.priors.NNGP(bnn.mlp(1)), bnn.Gaussian()
    posterior = bnn.fit(prior, X, y, likelihood, inference.ReplicaExchange(rounds=4), key=2, progress=False)
    found = posterior.log_evidence
    other = inference.log_evidence(prior, X, y, "importance", likelihood, key=3, progress=False)
    assert abs(found.value - other.value) < 4 * np.hypot(found.mcse, other.mcse)
    assert posterior.shape[0] == 2
    assert posterior.convergence.converged, posterior.convergence
    # E[log p(y|z)] over the posterior draws, against prior draws weighted by their likelihood.
    problem = CollapsedProblem.of(prior, posterior.problem.X, posterior.problem.Y, likelihood)
    log_likelihood = prior_log_likelihoods(problem, jax.random.key(5), 4000).ravel()
    weight = np.exp(log_likelihood - log_likelihood.max())
    expected = np.sum(weight * log_likelihood) / weight.sum()
    assert posterior.log_likelihood.mean() == pytest.approx(expected, abs=0.25)


@pytest.mark.slow
def test_the_same_key_gives_the_same_draws(small_data):
    runs = [
        bnn.fit(LINEAR, *small_data, bnn.Gaussian(0.5), inference.ReplicaExchange(rounds=2), key=4, progress=False)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0].log_likelihood, runs[1].log_likelihood)


@pytest.mark.parametrize(
    "wrong", [{"systems": 1}, {"rounds": 1}, {"tolerance": 0.0}, {"particles": 2}, {"max_steps": 0}]
)
def test_bad_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", ".")):
        inference.ReplicaExchange(**wrong)


def test_a_method_takes_its_own_settings_only(small_data):
    with pytest.raises(ValueError, match="ReplicaExchange"):
        inference.log_evidence(LINEAR, *small_data, "replica_exchange", sampler=inference.SMC())
