"""The part of the tempering path that draws from the prior carry alone, against many more draws and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn.inference import SMC, cold_end
from bayes_nn.inference.importance import prior_log_likelihoods
from bayes_nn.inference.smc import run_smc
from bayes_nn.inference.target import Target


@pytest.fixture(scope="module")
def target():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    y = np.sin(X[:, 0]) + 0.3 * rng.normal(size=30)
    network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3), 5)
    return Target(jnp.asarray(X), jnp.asarray(y)[:, None], network, bnn.Gaussian(0.3))


@pytest.mark.statistical
def test_moments_on_the_way_and_evidence_of_the_end(target):
    """Within 4 standard errors of 200,000 draws of the prior at every temperature; false alarm about 1 in 1,000."""
    settings = SMC(particles=400, islands=8)
    found = cold_end.cold_end(target, jax.random.key(1), settings)
    many = prior_log_likelihoods(target, jax.random.key(2), 50_000).ravel()
    exact = logsumexp(found.temperature * many) - np.log(many.size)
    np.testing.assert_allclose(found.log_evidence.mean(), exact, atol=4.0 * np.sqrt(found.variance.mean() / 8))
    assert 0.01 < found.temperature < 1.0
    assert len(found.visited) > 2
    of_end = np.asarray(jax.lax.map(target.log_likelihood, jnp.asarray(found.u).reshape(3200, -1))).reshape(8, 400)
    for temperatures, log_likelihood in [*found.visited, (np.full(8, found.temperature), of_end)]:
        assert len(set(temperatures)) == 1
        weights = np.exp(temperatures[0] * many - logsumexp(temperatures[0] * many))
        of_islands = log_likelihood.mean(axis=1)
        error = of_islands.std(ddof=1) / len(of_islands) ** 0.5
        assert abs(of_islands.mean() - weights @ many) < 4.0 * error


def test_steps_leave_what_was_asked_for(target):
    settings = SMC(particles=100, islands=2, target_ess=0.8)
    found = cold_end.cold_end(target, jax.random.key(0), settings)
    draws = cold_end.DRAWS_PER_PARTICLE * settings.particles
    effective = 1.0 / (found.variance + 1.0 / draws)
    assert effective.min() == pytest.approx(cold_end.EFFECTIVE_DRAWS_PER_PARTICLE * settings.particles, rel=1e-6)
    coarse = cold_end.cold_end(target, jax.random.key(0), SMC(particles=100, islands=2, target_ess=0.5))
    assert coarse.temperature == pytest.approx(found.temperature)
    assert len(coarse.visited) < len(found.visited)


def test_draws_that_carry_the_whole_path(target):
    """Data that say nothing: the path ends at once, at the exact evidence, and its particles are still moved."""
    vague = Target(target.X[:2], target.Y[:2], target.prior, bnn.Gaussian(50.0))
    found = cold_end.cold_end(vague, jax.random.key(0), SMC(particles=50, islands=2))
    assert found.temperature == 1.0
    run = run_smc(vague, SMC(particles=50, islands=2), jax.random.key(0))
    exact = stats.norm.logpdf(np.asarray(vague.Y), scale=50.0).sum()
    assert run.evidence.value == pytest.approx(exact, abs=0.01)
    assert run.evidence.details["gradient_evaluations"] > 0
    assert run.path.temperatures[:, -1].tolist() == [1.0, 1.0]


def test_impossible_draws_weigh_nothing(target):
    """A likelihood of 0, or NaN turned into it, neither spoils the weights nor survives."""

    class Half(Target):
        def log_likelihood(self, u):
            return jnp.where(u[0] > 0.0, super().log_likelihood(u), -jnp.inf)

    jax.tree_util.register_dataclass(Half, data_fields=["X", "Y"], meta_fields=["prior", "likelihood"])
    half = Half(target.X, target.Y, target.prior, target.likelihood)
    found = cold_end.cold_end(half, jax.random.key(0), SMC(particles=50, islands=2))
    assert np.isfinite(found.log_evidence).all()
    assert (found.u[..., 0] > 0.0).all()


def test_a_few_hyperparameters(target):
    """Particles of rows without hidden weights start from the same draws."""
    nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=bnn.Shared(dist.LogNormal(0.0, 0.5)), bias_std=0.1))
    found = cold_end.cold_end(
        Target(target.X, target.Y, nngp, bnn.Gaussian(0.3)), jax.random.key(0), SMC(particles=40, islands=2)
    )
    assert found.u.shape == (2, 40, 1)
