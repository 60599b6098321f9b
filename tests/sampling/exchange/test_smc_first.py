"""SMC where it is trusted, replica exchange where it is not, and no replica exchange that would never end."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst

NETWORK = bnn.BayesianNetwork(bnn.mlp(1, "relu", 1.4, 0.1), 6)
#: A single island is never reliable, since nothing checks it.
UNCHECKED = inference.SMC(particles=16, islands=1)
EXCHANGE = inference.ReplicaExchange(rounds=2, particles=16)


def fitted(data, sampler):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        return bnn.fit(NETWORK, *data, bnn.Gaussian(0.3), sampler, key=3, progress=False)


@pytest.mark.slow
def test_smc_that_is_reliable_is_kept(small_data):
    settings = inference.SMC(particles=64)
    alone, first = fitted(small_data, settings), fitted(small_data, SMCFirst(settings, EXCHANGE))
    assert alone.log_evidence.reliable
    assert first.sampler == "smc"
    np.testing.assert_array_equal(first.log_likelihood, alone.log_likelihood)


@pytest.mark.slow
def test_replica_exchange_follows_where_it_is_not(small_data):
    posterior = fitted(small_data, SMCFirst(UNCHECKED, EXCHANGE))
    assert posterior.sampler == "replica_exchange"
    assert posterior.log_evidence.method == "replica_exchange"
    assert posterior.shape[0] == EXCHANGE.systems
    reference = fitted(small_data, inference.SMC(particles=128)).log_evidence
    error = np.hypot(posterior.log_evidence.mcse, reference.mcse)
    assert abs(posterior.log_evidence.value - reference.value) < 4 * error


def test_a_phase_that_smc_has_missed_is_not_kept_quiet(small_data, monkeypatch):
    """SMC that is sure of a value 5 nats too low is overruled by the rounds that were to confirm it."""
    draw = inference.SMC.draw

    def misses(self, *arguments, **settings):
        drawn = draw(self, *arguments, **settings)
        return replace(drawn, evidence=Evidence(drawn.evidence.value - 5.0, 0.1, "smc"))

    monkeypatch.setattr(inference.SMC, "draw", misses)
    posterior = fitted(small_data, SMCFirst(inference.SMC(particles=16, islands=2), EXCHANGE))
    assert posterior.sampler == "replica_exchange"


def test_it_is_not_begun_where_smc_took_too_long(small_data):
    assert fitted(small_data, SMCFirst(UNCHECKED, EXCHANGE, max_seconds=1e-6)).sampler == "smc"


def test_smc_that_there_was_no_time_to_confirm_is_not_trusted(small_data):
    settings = inference.SMC(particles=64)
    assert fitted(small_data, settings).log_evidence.reliable
    evidence = fitted(small_data, SMCFirst(settings, EXCHANGE, max_seconds=1e-6)).log_evidence
    assert not evidence.reliable
    assert "raise max_seconds" in evidence.reasons[-1]


def test_compare_takes_the_time_it_may(small_data):
    with pytest.raises(ValueError, match="max_seconds"):
        bnn.compare([NETWORK], *small_data, max_seconds=0.0)
    with pytest.raises(ValueError, match="max_seconds"):
        bnn.compare([NETWORK], *small_data, sampler=UNCHECKED, max_seconds=-1.0)
