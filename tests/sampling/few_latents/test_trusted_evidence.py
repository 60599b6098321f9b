"""The evidence of few latents where a grid will not do: rounds of weighted draws, each made once, or none."""

import jax
import numpy as np
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.few_latents import trusted_evidence as module
from bayes_nn.inference.sampling.sampler import silent

#: Of the chains of every round: four, eight and twelve have errors of 0.15, 0.10 and 0.08 nats.
ROUND = np.array([-10.4, -9.8, -10.2, -9.7])


@pytest.fixture
def rounds(small_data, monkeypatch):
    """The evidence by rounds that bring these reasons, and the keys of the rounds that were made."""
    problem = problem_of(priors.NNGP(bnn.mlp(1, "relu", bias_std=0.1)), Dataset.of(*small_data, bnn.Gaussian(0.3)))
    monkeypatch.setattr(module, "quadrature_where_reliable", lambda *_: None)

    def of(*reasons):
        keys = []

        def estimate(self, problem, key, effort, report):
            keys.append(tuple(np.asarray(jax.random.key_data(key)).tolist()))
            return Estimates(ROUND, np.full(4, 1e-4), reasons, {})

        monkeypatch.setattr(inference.AdaptiveImportance, "estimate", estimate)
        return module.trusted_evidence(problem, jax.random.key(0), 0.09, 60.0, silent), keys

    return of


def test_rounds_are_added_until_the_error_is_small_and_none_is_made_twice(rounds):
    found, keys = rounds()
    assert len(set(keys)) == len(keys) == found.details["repeats"] > 1
    assert found.mcse < 0.09
    assert found.value == pytest.approx(logsumexp(ROUND) - np.log(4))


def test_one_round_is_enough_to_see_that_they_are_not_to_be_trusted(rounds):
    found, keys = rounds("a heavy tail")
    assert found is None
    assert len(keys) == 1
