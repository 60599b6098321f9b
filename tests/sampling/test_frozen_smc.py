"""SMC that a pilot has frozen: the mean of its Z is the evidence, few particles or many, and it is seldom too high."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.sampling import frozen_smc
from bayes_nn.inference.sampling.frozen_smc import frozen_schedule, run_frozen
from bayes_nn.inference.sampling.moves.crank_nicolson import CrankNicolson

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


def problem_of(prior, rows):
    X, y = map(jnp.asarray, rows)
    return CollapsedProblem.of(prior, X, y[:, None], bnn.Gaussian(NOISE))


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
    schedule, _ = frozen_schedule(problem, settings, jax.random.key(100))
    found = run_frozen(problem, settings, schedule, jax.random.key(0), islands)
    excess = found.log_evidence - deep_linear_evidence(*rows, NOISE**2, (3,))
    ratio = np.exp(excess)
    assert len(schedule.tempering) > 2
    assert excess.std() > 0.3
    assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std() / islands**0.5
    for above in (0.0, 0.5, 1.0, 2.0, 3.0):
        most = np.exp(-above)
        assert np.mean(excess > above) <= most + 4.0 * (most * (1.0 - most) / islands) ** 0.5


def test_a_schedule_is_all_that_the_pilot_leaves(rows):
    """It rises to the whole likelihood, moves nothing there, and nothing in it changes along the islands."""
    problem = problem_of(priors.ScaleMixture(NET, 3), rows)
    settings = inference.SMC(particles=8, islands=2)
    schedule, pilot = frozen_schedule(problem, settings, jax.random.key(0))
    assert np.all(np.diff(schedule.tempering) > 0.0)
    assert schedule.tempering[-1] == 1.0
    assert schedule.sweeps[-1] == 0
    assert np.all(schedule.sweeps[:-1] >= 1)
    assert schedule.reference.factor.shape == (len(schedule.tempering), 1, 1)
    assert len(schedule.tempering) <= pilot.path.tempering.shape[1]
    first, again, other = (run_frozen(problem, settings, schedule, jax.random.key(key), 2) for key in (1, 1, 2))
    np.testing.assert_array_equal(first.log_evidence, again.log_evidence)
    assert len({*first.log_evidence, *other.log_evidence}) == 4


def test_a_pilot_that_ends_early_gives_a_schedule_that_does_not(rows):
    settings = inference.SMC(particles=8, islands=2, target_ess=0.9, max_temperatures=5)
    problem = problem_of(bnn.BayesianNetwork(NET, 3), rows)
    schedule, pilot = frozen_schedule(problem, settings, jax.random.key(0))
    assert pilot.path.tempering.max() < 1.0
    assert schedule.tempering[-1] == 1.0
    assert np.isfinite(run_frozen(problem, settings, schedule, jax.random.key(1), 2).log_evidence).all()


def test_schedules_of_about_one_length_share_a_program(rows, monkeypatch):
    traces = []
    original = frozen_smc._frozen_island
    monkeypatch.setattr(frozen_smc, "_frozen_island", lambda *a: traces.append(1) or original(*a))
    problem = problem_of(priors.ScaleMixture(NET, 4), rows)
    lengths = set()
    for target_ess in (0.3, 0.7):
        settings = inference.SMC(particles=8, islands=2, target_ess=target_ess)
        schedule, _ = frozen_schedule(problem, settings, jax.random.key(0))
        found = run_frozen(problem, settings, schedule, jax.random.key(1), 2)
        lengths.add(len(schedule.tempering))
        assert found.acceptance.shape == (2, len(schedule.tempering) - 1)
    assert len(lengths) == 2
    assert len(traces) == 1
