"""Finite networks against exact results on their prior."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest

import bayes_nn as bnn
from bayes_nn.architecture.network import readout_features


def prior_outputs(activation, widths, weight_std, draws=200_000):
    """Outputs of networks drawn from the prior at one input, without biases."""
    net = bnn.mlp(depth=len(widths), activation=activation, weight_std=weight_std, bias_std=0.0)
    network = bnn.BayesianNetwork(net, widths)
    x = jnp.ones((1, 2))
    keys = jax.random.split(jax.random.key(0), 10)
    sites = network.hidden_weights((2,))
    values = {n: p.sample(k, (draws,)) for k, (n, p) in zip(keys, sites.items(), strict=False)}
    features = jax.vmap(lambda v: readout_features(net, v, x))(values)[:, 0]
    return np.asarray(jnp.sum(features * jax.random.normal(keys[-1], features.shape), axis=1))


@pytest.mark.statistical
@pytest.mark.parametrize(("activation", "weight_std", "excess"), [("relu", 2**0.5, 5), ("identity", 1.0, 2)])
def test_kurtosis_of_the_prior(activation, weight_std, excess):
    """THEORY T3: kurtosis 3 prod(1 + 5/n_l) for ReLU, 3 prod(1 + 2/n_l) for linear networks.

    Error by jackknife over 100 blocks, 4 standard errors: a false alarm once in 8,000 runs.
    """
    widths = (10, 10, 10)
    blocks = prior_outputs(activation, widths, weight_std).reshape(100, -1)
    moments = np.stack([(blocks**2).mean(axis=1), (blocks**4).mean(axis=1)])
    total = moments.mean(axis=1)
    left_out = (moments.sum(axis=1, keepdims=True) - moments) / 99
    kurtosis, others = total[1] / total[0] ** 2, left_out[1] / left_out[0] ** 2
    error = np.sqrt(99 * np.mean((others - others.mean()) ** 2))
    assert kurtosis == pytest.approx(3 * np.prod([1 + excess / n for n in widths]), abs=4 * error)
    assert error < 0.5


@pytest.mark.statistical
def test_probability_of_a_dead_relu_network():
    """THEORY T3: P(f = 0) = 1 - prod(1 - 2^-n_l); 4 standard errors."""
    dead = (prior_outputs("relu", (3, 3), 2**0.5) == 0).mean()
    expected = 1 - (1 - 2**-3) ** 2
    assert dead == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 200_000) ** 0.5)


def test_a_bias_of_zero_leaves_its_site_and_column_out():
    without = bnn.BayesianNetwork(bnn.mlp(depth=2, weight_std=1.0, bias_std=0.0), 4)
    assert sorted(without.hidden_weights((3,))) == ["hidden_weight_0", "hidden_weight_1"]
    with_bias = bnn.BayesianNetwork(bnn.mlp(depth=2, weight_std=1.0, bias_std=0.3), 4)
    values = {n: jnp.ones(p.event_shape) for n, p in with_bias.hidden_weights((3,)).items()}
    features = with_bias.process(values, jnp.ones((5, 3))).Phi
    assert features.shape == (5, 5)
    np.testing.assert_allclose(features[:, -1], 0.3)


def test_widths_may_differ_between_layers():
    network = bnn.BayesianNetwork(bnn.mlp(depth=2), width=(3, 5))
    shapes = {n: p.event_shape for n, p in network.hidden_weights((2,)).items()}
    assert shapes["hidden_weight_0"] == (2, 3)
    assert shapes["hidden_weight_1"] == (3, 5)


@pytest.mark.parametrize("kind", [bnn.BayesianNetwork, bnn.priors.ScaleMixture])
def test_the_numpyro_model_draws_data_and_scores_them(kind):
    model = kind(bnn.mlp(depth=1), 4).model(bnn.Gaussian())
    X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))
    trace = numpyro.handlers.trace(numpyro.handlers.seed(model, 1)).get_trace(X)
    y = trace["y"]["value"]
    assert y.shape == (6, 1)
    values = {n: site["value"] for n, site in trace.items() if n != "y"}
    log_density, _ = numpyro.infer.util.log_density(model, (X, y), {}, values)
    assert np.isfinite(float(log_density))
    assert trace["y"]["fn"].sample(jax.random.key(0), (3, 2)).shape == (3, 2, 6, 1)
