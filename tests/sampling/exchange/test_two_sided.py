"""Two-sided evidence against a Gaussian whose log Z is known in closed form."""

import warnings

import numpy as np
import pytest

from bayes_nn.inference.sampling.exchange.two_sided import BLOCKS, two_sided_evidence

#: Prior N(0, 1) and log likelihood -PRECISION u^2/2, so that log Z_t = -log(1 + PRECISION t)/2.
PRECISION = 200.0
TEMPERING = np.concatenate([[0.0], np.geomspace(0.01, 1.0, 7)])
LOG_Z = -0.5 * np.log1p(PRECISION)


def log_likelihoods(rng, sweeps, correlation=0.0):
    """Log likelihoods at every level of draws that follow an autoregression, (sweeps, T)."""
    u = np.empty((sweeps, len(TEMPERING)))
    u[0] = rng.normal(size=len(TEMPERING))
    for sweep in range(1, sweeps):
        u[sweep] = correlation * u[sweep - 1] + np.sqrt(1 - correlation**2) * rng.normal(size=len(TEMPERING))
    return -0.5 * PRECISION * u**2 / (1.0 + PRECISION * TEMPERING)


@pytest.mark.statistical
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_value_and_error_are_right_and_the_sides_enclose_the_truth(correlation):
    """400 replications: the mean within 4 errors (a false alarm in 16,000), RMS z in [0.85, 1.2], the seed fixed."""
    rng = np.random.default_rng(3)
    found = [two_sided_evidence(TEMPERING, log_likelihoods(rng, 400, correlation)) for _ in range(400)]
    lower, upper, value, variance = np.array(found).T
    z = (value - LOG_Z) / np.sqrt(variance)
    assert abs(value.mean() - LOG_Z) < 4 * value.std() / 20
    assert 0.85 < np.sqrt(np.mean(z**2)) < 1.2
    assert lower.mean() < value.mean() < upper.mean()
    assert np.mean(upper - lower) < 0.5


def test_few_draws_leave_the_sides_apart_on_the_right_sides():
    """Of 300 replications with 32 draws a level, the mean of the lower side is below the truth, of the upper above."""
    rng = np.random.default_rng(4)
    found = [two_sided_evidence(TEMPERING, log_likelihoods(rng, 32)) for _ in range(300)]
    lower, upper = np.array(found)[:, 0], np.array(found)[:, 1]
    assert lower.mean() < LOG_Z < upper.mean()


def test_a_failure_at_the_prior_counts_as_no_likelihood():
    """Half of the prior draws have likelihood 0, the others e^-3: log Z = -3 - log 2."""
    at_prior = np.where(np.arange(320) % 2 == 0, -np.inf, -3.0)
    found = two_sided_evidence(np.array([0.0, 1.0]), np.stack([at_prior, np.full(320, -3.0)], axis=1))
    assert found.lower == pytest.approx(-3.0 - np.log(2.0), abs=1e-9)
    assert np.isfinite(found.value)


def test_an_error_that_too_few_draws_leave_unknown_is_infinite():
    few = np.random.default_rng(0).normal(-3.0, 0.1, size=(BLOCKS - 1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = two_sided_evidence(np.array([0.0, 1.0]), few)
    assert found.variance == np.inf
    assert found.value == pytest.approx(-3.0, abs=0.1)
