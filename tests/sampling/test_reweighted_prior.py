"""The part of the tempering path that draws from the prior carry alone, against many more draws and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn.inference import SMC
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.prior_draws import prior_log_likelihoods
from bayes_nn.inference.sampling import reweighted_prior
from bayes_nn.inference.sampling.reweighted_prior import reweight_prior
from bayes_nn.inference.sampling.smc_run import run_smc

NETWORK = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3), 5)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    y = np.sin(X[:, 0]) + 0.3 * rng.normal(size=30)
    return CollapsedProblem.of(NETWORK, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(0.3))


@pytest.mark.statistical
def test_moments_on_the_way_and_evidence_of_the_end(problem):
    """Within 4 standard errors of 200,000 draws of the prior at every tempering; false alarm about 1 in 1,000."""
    found = reweight_prior(problem, jax.random.key(1), 400, 8, 0.6)
    many = prior_log_likelihoods(problem, jax.random.key(2), 50_000).ravel()
    exact = logsumexp(found.tempering * many) - np.log(many.size)
    np.testing.assert_allclose(found.log_evidence.mean(), exact, atol=4.0 * np.sqrt(found.variance.mean() / 8))
    assert 0.01 < found.tempering < 1.0
    assert len(found.visited) > 2
    of_end = np.asarray(jax.lax.map(problem.log_likelihood, jnp.asarray(found.u).reshape(3200, -1))).reshape(8, 400)
    for temperings, log_likelihood in [*found.visited, (np.full(8, found.tempering), of_end)]:
        assert len(set(temperings)) == 1
        weights = np.exp(temperings[0] * many - logsumexp(temperings[0] * many))
        of_islands = log_likelihood.mean(axis=1)
        error = of_islands.std(ddof=1) / len(of_islands) ** 0.5
        assert abs(of_islands.mean() - weights @ many) < 4.0 * error


def test_steps_leave_what_was_asked_for(problem):
    found = reweight_prior(problem, jax.random.key(0), 100, 2, 0.8)
    draws = reweighted_prior.DRAWS_PER_PARTICLE * 100
    effective = 1.0 / (found.variance + 1.0 / draws)
    assert effective.min() == pytest.approx(reweighted_prior.EFFECTIVE_DRAWS_PER_PARTICLE * 100, rel=1e-6)
    coarse = reweight_prior(problem, jax.random.key(0), 100, 2, 0.5)
    assert coarse.tempering == pytest.approx(found.tempering)
    assert len(coarse.visited) < len(found.visited)


def test_draws_that_carry_the_whole_path(problem):
    """Data that say nothing: the path ends at once, at the exact evidence, and its particles are still moved."""
    vague = CollapsedProblem.of(NETWORK, problem.X[:2], problem.Y[:2], bnn.Gaussian(50.0))
    found = reweight_prior(vague, jax.random.key(0), 50, 2, 0.6)
    assert found.tempering == 1.0
    run = run_smc(vague, SMC(particles=50, islands=2), jax.random.key(0))
    exact = stats.norm.logpdf(np.asarray(vague.Y), scale=50.0).sum()
    assert run.evidence.value == pytest.approx(exact, abs=0.01)
    assert run.evidence.details["gradient_evaluations"] > 0
    assert run.path.tempering[:, -1].tolist() == [1.0, 1.0]


def test_impossible_draws_weigh_nothing(problem):
    """A likelihood of 0, or NaN turned into it, neither spoils the weights nor survives."""

    class Half(CollapsedProblem):
        def log_likelihood(self, u):
            return jnp.where(u[0] > 0.0, super().log_likelihood(u), -jnp.inf)

    jax.tree_util.register_dataclass(
        Half, data_fields=["X", "Y", "fixed", "repeated"], meta_fields=["prior", "likelihood"]
    )
    half = Half(problem.X, problem.Y, problem.prior, problem.likelihood, problem.fixed)
    found = reweight_prior(half, jax.random.key(0), 50, 2, 0.6)
    assert np.isfinite(found.log_evidence).all()
    assert (found.u[..., 0] > 0.0).all()


def test_a_few_hyperparameters(problem):
    """Particles of rows without hidden weights start from the same draws."""
    nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=bnn.Shared(dist.LogNormal(0.0, 0.5)), bias_std=0.1))
    found = reweight_prior(
        CollapsedProblem.of(nngp, problem.X, problem.Y, bnn.Gaussian(0.3)), jax.random.key(0), 40, 2, 0.6
    )
    assert found.u.shape == (2, 40, 1)
