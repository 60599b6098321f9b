"""A second fit of an equal network to data of the same shape compiles nothing."""

import numpy as np
import pytest
from jax import monitoring

import bayes_nn as bnn
from bayes_nn import inference, priors


@pytest.fixture
def compilations():
    """Counts what is compiled, or loaded as compiled code, from now on."""
    seen = []

    def listener(event, duration, **kwargs):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    monitoring.register_event_duration_secs_listener(listener)
    yield seen
    monitoring.unregister_event_duration_listener(listener)


def network(weight_std=None, bias_std=None):
    return bnn.BayesianNetwork(bnn.mlp(1, "relu", weight_std, bias_std), 4)


CASES = {
    "chains, other numbers of draws": (
        lambda: (network(), bnn.Gaussian(), inference.InfiniteHMC(2, 25, 120)),
        lambda: (network(), bnn.Gaussian(), inference.InfiniteHMC(2, 50, 250, target_accept=0.6, max_steps=20)),
    ),
    "chains, other fixed numbers": (
        lambda: (network(1.4, 0.1), bnn.Gaussian(0.3), inference.InfiniteHMC(2, 25, 120)),
        lambda: (network(1.2, 0.2), bnn.Gaussian(0.4), inference.InfiniteHMC(2, 25, 120)),
    ),
    "particles": (
        lambda: (network(), bnn.Gaussian(), inference.SMC(16, 2)),
        lambda: (network(), bnn.Gaussian(), inference.SMC(16, 2, target_ess=0.5, accepted_moves=1.0, max_steps=32)),
    ),
    "NUTS, other numbers of draws": (
        lambda: (network(), bnn.Gaussian(), inference.NUTS(2, 25, 120)),
        lambda: (network(), bnn.Gaussian(), inference.NUTS(2, 25, 200)),
    ),
    "exact, other fixed numbers": (
        lambda: (priors.NNGP(bnn.mlp(2, "erf", 1.4, 0.1)), bnn.Gaussian(0.3), None),
        lambda: (priors.NNGP(bnn.mlp(2, "erf", 1.5, 0.2)), bnn.Gaussian(0.2), None),
    ),
}


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize("name", CASES)
def test_an_equal_network_compiles_nothing(name, small_data, compilations):
    X, y = small_data
    first, second = CASES[name]
    prior, likelihood, sampler = first()
    bnn.fit(prior, X, y, likelihood, sampler, key=0).predict(X)
    assert len(compilations) > 0
    compilations.clear()
    prior, likelihood, sampler = second()
    posterior = bnn.fit(prior, X, np.cos(y), likelihood, sampler, key=7)
    posterior.predict(X)
    assert compilations == []
