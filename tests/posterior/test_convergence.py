"""Convergence is judged where the posterior is used: at test inputs as well as on the training data."""

import re
from dataclasses import replace

import arviz as az
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.posterior.convergence import largest_by_chance
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.sampling.sampler import SampledDraws
from bayes_nn.inference.sampling.smc import SMC

#: Rows for training lie below the kink of the model, those for testing beyond it.
X = np.linspace(-1.0, 1.0, 20)
X_TEST = np.linspace(2.0, 3.0, 60)
CHAINS, DRAWS = 2, 200


def model(X, y=None):
    """A line whose slope changes at 1.5, of which the training data say nothing."""
    slope = numpyro.sample("slope", dist.Normal(0.0, 1.0))
    change = numpyro.sample("change", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(slope * X[:, 0] + change * jnp.maximum(X[:, 0] - 1.5, 0.0), 0.1), obs=y)


PRIOR = priors.NumPyroPrior(model)
Y = X + 0.1 * np.random.default_rng(0).normal(size=len(X))


def drawn(apart):
    """Draws whose chains agree on the slope, and on its change up to a shift."""
    rng = np.random.default_rng(1)
    slope, change = rng.normal(1.0, 0.04, size=(CHAINS, DRAWS)), rng.normal(size=(CHAINS, DRAWS))
    change += apart * np.array([[-1.0], [1.0]])
    misfit = Y - slope[..., None] * X
    log_likelihood = -0.5 * np.sum((misfit / 0.1) ** 2, axis=-1)
    return {"slope": slope, "change": change}, log_likelihood


@pytest.fixture(scope="module")
def posterior():
    """Its draws are replaced by those of :func:`drawn`."""
    settings = inference.SMC(particles=16, islands=2)
    with pytest.warns(bnn.ConvergenceWarning):
        return bnn.fit(PRIOR, X, Y, sampler=settings, standardize=False, progress=False)


def with_draws(posterior, apart):
    values, log_likelihood = drawn(apart)
    return replace(posterior, values=values, log_likelihood=log_likelihood, sample_stats={}, sampler_reasons=())


def test_chains_that_agree_on_the_training_data_alone(posterior):
    apart = with_draws(posterior, 2.0)
    assert apart.convergence.converged, apart.convergence
    judged = apart.convergence_at(X_TEST)
    assert not judged.converged
    assert all("at test inputs" in reason for reason in judged.reasons)
    assert judged.r_hat > 1.5 > 1.05 > apart.convergence.r_hat
    assert judged.ess_bulk < apart.convergence.ess_bulk
    # Inputs of the kind that was trained on show nothing.
    assert apart.convergence_at(X).converged


@pytest.mark.slow
@pytest.mark.statistical
def test_few_draws_show_a_large_r_hat_by_chance():
    """The largest of 50 quantities; of 300 sets 3 should exceed the bound, more than 11 do once in 10,000 times."""
    draws = np.random.default_rng(0).normal(size=(4, 32, 300 * 50))
    r_hat = az.rhat(az.dict_to_dataset({"quantity": draws}))["quantity"].values.reshape(300, 50).max(axis=1)
    assert np.sum(r_hat > largest_by_chance(4, 32, 50)) <= 11
    assert np.mean(r_hat > 1.05) > 0.5  # the usual limit is no sign that chains disagree
    assert largest_by_chance(4, 1000, 50) < 1.05


def test_chains_that_agree_everywhere(posterior):
    judged = with_draws(posterior, 0.0).convergence_at(X_TEST)
    assert judged.converged, judged
    with pytest.raises(ValueError, match="columns"):
        posterior.convergence_at(np.zeros((3, 2)))


@pytest.mark.parametrize("apart", [0.0, 2.0])
def test_rows_of_a_comparison_are_judged_at_its_test_inputs(apart, monkeypatch):
    def draw(self, problem, key, **rest):
        return SampledDraws(*drawn(apart), evidence=Evidence(-10.0, 0.1, "smc"))

    monkeypatch.setattr(SMC, "draw", draw)
    arguments = {"standardize": False, "sampler": SMC(particles=16, islands=2), "progress": False}
    assert bnn.compare([PRIOR], X, Y, **arguments).rows[0].reliable
    if apart:
        with pytest.warns(bnn.ConvergenceWarning, match="at test inputs"):
            (row,) = bnn.compare([PRIOR], X, Y, X_TEST, X_TEST, **arguments).rows
    else:
        (row,) = bnn.compare([PRIOR], X, Y, X_TEST, X_TEST, **arguments).rows
    assert row.reliable == (apart == 0.0)
    assert len(row.sampler_reasons) == len(row.reasons)
    assert all("at test inputs" in reason for reason in row.reasons)


@pytest.mark.statistical
@pytest.mark.parametrize("standardize", [True, False])
def test_f_at_new_inputs_has_the_moments_of_the_prediction(standardize, small_data):
    """1,000 exact draws at 5 inputs: means and variances within 4.5 standard errors; by chance once in 7,000."""
    inputs, y = small_data
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    posterior = bnn.fit(priors.NNGP(net), inputs, y, bnn.Gaussian(0.3), standardize=standardize)
    new = inputs[:5] + 0.7
    f = posterior.function_draws_at(posterior.dataset.new_inputs(new)).reshape(-1, 5)
    scale = y.std() if standardize else 1.0
    shift = y.mean() if standardize else 0.0
    predictive = posterior.predict(new)
    std = np.sqrt((predictive.std / scale) ** 2 - 0.3**2)
    assert (abs(f.mean(axis=0) - (predictive.mean - shift) / scale) < 4.5 * std / len(f) ** 0.5).all()
    assert (abs(f.var(axis=0) / std**2 - 1.0) < 4.5 * (2 / len(f)) ** 0.5).all()


def test_the_bound_on_the_effective_sample_size_is_the_one_applied(posterior):
    """Draws that stay for 10 at a time: about 40 of 400 are effective, and two chains are asked for 50."""
    values, log_likelihood = drawn(0.0)
    slow = {name: np.repeat(value[:, ::10], 10, axis=1) for name, value in values.items()}
    log_likelihood = np.repeat(log_likelihood[:, ::10], 10, axis=1)
    judged = replace(posterior, values=slow, log_likelihood=log_likelihood, sample_stats={}, sampler_reasons=())
    (reason,) = [one for one in judged.convergence.reasons if "effective sample size" in one]
    size, bound = (
        float(number) for number in re.search(r"size (\d+).* is below (\d+) \(25 for each of 2\)", reason).groups()
    )
    assert size < bound == 50.0


def test_a_likelihood_that_is_constant_is_no_chain_that_stands_still(posterior):
    values, log_likelihood = drawn(0.0)
    constant = replace(
        posterior, values=values, log_likelihood=0.0 * log_likelihood, sample_stats={}, sampler_reasons=()
    )
    assert constant.convergence.converged, constant.convergence
