"""SMC that a pilot has frozen: the mean of its Z is the evidence, few particles or many, and it is seldom too high."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.sampling import smc_island
from bayes_nn.inference.sampling.moves.crank_nicolson import CrankNicolson
from bayes_nn.inference.sampling.schedule import run_pilot
from bayes_nn.inference.sampling.smc_run import run_smc

NET = bnn.mlp(1, "identity", weight_std=1.0, bias_std=0.0)
NOISE = 0.3
#: Prior, move, target effective fraction and islands: trajectories, a random walk, slices about a fitted reference.
CASES = {
    "trajectories": (bnn.BayesianNetwork(NET, 3), None, 0.3, 1000),
    "random walk": (bnn.BayesianNetwork(NET, 3), CrankNicolson(), 0.5, 4000),
    "slices": (priors.ScaleMixture(NET, 3), None, 0.7, 4000),
}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(12, 2))
    return X, 5.0 * X @ rng.normal(size=2) + NOISE * rng.normal(size=12)


def follow(problem, settings, schedule, key, islands):
    """Log evidence of islands along a schedule."""
    run = run_smc(problem, replace(settings, islands=islands), jax.random.key(key), schedule=schedule)
    assert run.evidence.unbiased
    return np.array(run.evidence.details["log_evidence_by_island"])


def problem_of(prior, rows):
    X, y = map(jnp.asarray, rows)
    return CollapsedProblem.of(prior, X, y[:, None], bnn.Gaussian(NOISE))


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("case", CASES)
def test_the_mean_of_many_islands_is_the_evidence(case, rows, deep_linear_evidence):
    """Eight particles an island, against quadrature.

    The mean of Z/Z_exact within 4 standard errors of 1, a false alarm once in 16,000 were it normal; and Markov's
    inequality for every island, 4 standard errors of a frequency allowed.
    """
    prior, move, target_ess, islands = CASES[case]
    problem = problem_of(prior, rows)
    settings = inference.SMC(particles=8, target_ess=target_ess, accepted_moves=0.75, move=move)
    schedule = run_pilot(problem, settings, jax.random.key(100)).schedule
    excess = follow(problem, settings, schedule, 0, islands) - deep_linear_evidence(*rows, NOISE**2, (3,))
    ratio = np.exp(excess)
    assert len(schedule.tempering) > 2
    assert excess.std() > 0.3
    assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std() / islands**0.5
    for above in (0.0, 0.5, 1.0, 2.0, 3.0):
        most = np.exp(-above)
        assert np.mean(excess > above) <= most + 4.0 * (most * (1.0 - most) / islands) ** 0.5


def test_a_schedule_is_all_that_the_pilot_leaves(rows):
    """It rises to the whole likelihood, and nothing in it changes along the islands."""
    problem = problem_of(priors.ScaleMixture(NET, 3), rows)
    settings = inference.SMC(particles=8, islands=2)
    pilot = run_pilot(problem, settings, jax.random.key(0))
    schedule = pilot.schedule
    assert pilot.reasons == ()
    assert len(pilot.log_evidence) == 1
    assert np.all(np.diff(schedule.tempering) > 0.0)
    assert schedule.tempering[-1] == 1.0
    assert np.all(schedule.sweeps >= 1)
    assert schedule.reference.factor.shape == (len(schedule.tempering), 1, 1)
    first, again, other = (follow(problem, settings, schedule, key, 2) for key in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len({*first, *other}) == 4


def test_islands_take_the_stages_that_are_prescribed(rows):
    problem = problem_of(bnn.BayesianNetwork(NET, 3), rows)
    settings = inference.SMC(particles=8, islands=2, target_ess=0.3)
    schedule = run_pilot(problem, settings, jax.random.key(0)).schedule
    taken = []

    def remember(islands):
        taken.append(jax.tree.map(np.array, islands.stage))

    run_smc(problem, settings, jax.random.key(1), schedule=schedule, visit=remember)
    every = jax.tree.map(lambda *leaves: np.stack(leaves), *taken[1:])
    for found, prescribed in zip(jax.tree.leaves(every), jax.tree.leaves(schedule), strict=True):
        np.testing.assert_array_equal(found[:, 0], prescribed)
        np.testing.assert_array_equal(found[:, 1], prescribed)


def test_a_pilot_that_ends_early_gives_a_schedule_that_does_not(rows):
    settings = inference.SMC(particles=8, islands=2, target_ess=0.9, max_temperatures=5)
    problem = problem_of(bnn.BayesianNetwork(NET, 3), rows)
    pilot = run_pilot(problem, settings, jax.random.key(0))
    assert "was not reached in 5" in pilot.reasons[0]
    assert pilot.schedule.tempering[-2] < pilot.schedule.tempering[-1] == 1.0
    assert np.isfinite(follow(problem, settings, pilot.schedule, 1, 2)).all()
    drawn = settings.draw(problem, jax.random.key(0))
    assert not drawn.evidence.reliable
    assert set(pilot.reasons) <= {*drawn.reasons} & {*drawn.evidence.reasons}


def test_the_pilot_and_the_islands_share_a_program(rows, monkeypatch):
    traces = []
    original = smc_island.temper_island
    monkeypatch.setattr(smc_island, "temper_island", lambda *a: traces.append(1) or original(*a))
    problem = problem_of(priors.ScaleMixture(NET, 4), rows)
    for target_ess in (0.3, 0.7):
        drawn = inference.SMC(particles=8, islands=2, target_ess=target_ess).draw(problem, jax.random.key(0))
        assert drawn.evidence.unbiased
        assert len(drawn.evidence.details["log_evidence_of_pilot"]) == 1
    assert len(traces) == 1
