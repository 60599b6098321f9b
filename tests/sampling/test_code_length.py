"""Code length of frozen features against brute force and against its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.inference.sampling import code_length


def test_two_rows_by_brute_force(monkeypatch):
    """N = 2: log E p(y_1 | z) + log E p(y_2 | y_1, z) over 200,000 draws, in both orders."""
    monkeypatch.setattr(code_length, "WEIGHT_DRAWS", 5_000)
    rng = np.random.default_rng(0)
    X, y, v = np.array([[0.3, -1.0], [1.2, 0.4]]), np.array([0.5, -0.8]), 0.25
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.0)
    posterior = bnn.fit(priors.FrozenFeatures(net, 3), X, y, bnn.Gaussian(v**0.5), standardize=False)
    W = rng.normal(size=(200_000, 2, 3))
    Phi = 1.4 / 3**0.5 * np.maximum(1.4 / 2**0.5 * np.einsum("nd,mdk->mnk", X, W), 0)
    K = np.einsum("mik,mjk->mij", Phi, Phi) + v * np.eye(2)
    marginal = -0.5 * (y**2 / np.diagonal(K, axis1=1, axis2=2) + np.log(2 * np.pi * np.diagonal(K, axis1=1, axis2=2)))
    _, log_det = np.linalg.slogdet(K)
    joint = -0.5 * (np.einsum("i,mij,j->m", y, np.linalg.inv(K), y) + log_det + 2 * np.log(2 * np.pi))
    mean = lambda values: logsumexp(values) - np.log(len(values))  # noqa: E731
    orders = [mean(marginal[:, i]) + mean(joint - marginal[:, i]) for i in range(2)]
    codes = posterior.log_evidence.details["code_length_by_permutation"]
    assert all(min(abs(code - order) for order in orders) < 0.02 for code in codes)
    assert posterior.log_evidence.method == "code length"


@pytest.mark.statistical
def test_wide_frozen_features_reach_the_nngp(small_data):
    """At width 2,000 the draws of z hardly differ, so the code length is the NNGP's evidence."""
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    wide = bnn.fit(priors.FrozenFeatures(net, 2000), *small_data, bnn.Gaussian(0.3))
    limit = bnn.fit(priors.NNGP(net), *small_data, bnn.Gaussian(0.3))
    assert wide.log_evidence.value == pytest.approx(limit.log_evidence.value, abs=0.5)
    gap = np.abs(wide.predict(small_data[0]).mean - limit.predict(small_data[0]).mean).max()
    assert gap < 0.05


def test_hidden_weights_keep_their_prior(small_data):
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    posterior = bnn.fit(priors.FrozenFeatures(net, 10), *small_data, bnn.Gaussian(0.3))
    weights = posterior.values["hidden_weight_0"]
    assert abs(weights.mean()) < 5 / weights.size**0.5
    assert abs(weights.var() - 1) < 5 * (2 / weights.size) ** 0.5
    assert float(posterior.feature_information) == 0.0


@pytest.mark.slow
@pytest.mark.statistical
def test_inferred_hyperparameters_agree_with_a_direct_average(small_data, monkeypatch):
    """A prior on the noise alone: log E_h[q_h(y)] over 1,000 prior draws of h, with the same hidden weights.

    Four orders at 4 standard errors, from the effective sizes of both averages: a false alarm once in 4,000 runs.
    """
    monkeypatch.setattr(code_length, "HYPERPARAMETER_DRAWS", 100)
    X, y = small_data
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    posterior = bnn.fit(priors.FrozenFeatures(net, 12), X, y, standardize=False)
    problem = posterior.problem
    key_noise, key_weights, key_order, _ = jax.random.split(jax.random.key(0), 4)
    weights = code_length._sample_weights(problem, key_weights, (code_length.PERMUTATIONS, code_length.WEIGHT_DRAWS))
    orders = jnp.stack([jax.random.permutation(k, 30) for k in jax.random.split(key_order, code_length.PERMUTATIONS)])
    noise = problem.likelihood.noise_std.sample(key_noise, (1000,))
    codes = np.asarray(code_length._code_lengths((problem, {"noise_std": noise}), (weights, orders))[0])
    direct = logsumexp(codes, axis=1)
    effective = np.exp(2 * direct - logsumexp(2 * codes, axis=1))
    evidence = posterior.log_evidence
    assert evidence.reliable
    error = np.sqrt(1 / effective + 1 / np.array(evidence.details["effective_hyperparameter_draws"]))
    assert error.max() < 0.3
    difference = np.array(evidence.details["code_length_by_permutation"]) - (direct - np.log(1000))
    assert (np.abs(difference) < 4 * error).all()


def test_frozen_features_take_no_sampler(small_data):
    net = bnn.mlp(depth=1)
    with pytest.raises(ValueError, match="never updated by the data"):
        bnn.fit(priors.FrozenFeatures(net, 4), *small_data, sampler="nuts")
