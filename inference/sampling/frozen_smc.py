"""Sequential Monte Carlo in which nothing adapts: every island's estimate of Z is unbiased, whatever it has missed.

The mean weights of SMC multiply to an unbiased estimate of Z where the temperatures, the moves and the number of moves
do not depend on the particles (Del Moral 2004, Feynman-Kac Formulae, section 7.4; Andrieu, Doucet and Holenstein 2010,
JRSS B 72, for any resampling whose numbers of offspring have the weights as means, the systematic one among them). A
pilot run of adaptive SMC therefore fixes all of this, and islands with keys of their own follow what it fixed. Each
begins with its own draws from the prior and shares nothing with another but the schedule.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.smc.ess import ess
from blackjax.smc.resampling import systematic
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.moves.default import default_move
from bayes_nn.inference.sampling.moves.move import UNIFORMS, Move, Particle, evaluate
from bayes_nn.inference.sampling.moves.reference import Reference, fit_reference
from bayes_nn.inference.sampling.reweighted_prior import DRAWS_PER_PARTICLE, NEVER
from bayes_nn.inference.sampling.sampler import silent
from bayes_nn.inference.sampling.smc_island import MOST_SWEEPS, Island
from bayes_nn.inference.sampling.smc_run import SMCRun, run_smc
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report

#: Schedules are filled up to a multiple of so many temperatures, so that those of about one length share a program.
TEMPERATURES = 16


class Schedule(NamedTuple):
    """All that a pilot run fixes, by temperature.

    Attributes:
        tempering: rising powers of the likelihood; the first is reached by weighting draws from the prior, the last is
            1, (K,).
        step_size: of the moves at each, (K,).
        sweeps: moves of every particle at each; none at the last, where the evidence is known, (K,).
        reference: that moves rotate about, leading axis K.
    """

    tempering: Float[Array, " K"]
    step_size: Float[Array, " K"]
    sweeps: Int[Array, " K"]
    reference: Reference


class FrozenIslands(NamedTuple):
    """What islands that followed a schedule found.

    Attributes:
        log_evidence: of every island, nats, (I,).
        variance: of each, as far as its weights tell, (I,).
        acceptance: of the last sweep at every temperature but the last, (I, K - 1).
        gradient_evaluations: of every island, (I,).
    """

    log_evidence: Float[np.ndarray, " I"]
    variance: Float[np.ndarray, " I"]
    acceptance: Float[np.ndarray, "I J"]
    gradient_evaluations: Int[np.ndarray, " I"]


def frozen_schedule(
    problem: Problem, settings: SMCSettings, key: Array, report: Report = silent
) -> tuple[Schedule, SMCRun]:
    """A pilot run, and the schedule of its island that took the most temperatures.

    Step sizes are those adapted to, references those of its particles, and at every temperature there are as many
    sweeps as the acceptance there asks for.

    Args:
        problem: the posterior.
        settings: of the pilot.
        key: random key of the pilot alone.
        report: called after every step in tempering.

    Returns:
        The schedule, which ends with the whole likelihood even where the pilot did not get there; and the pilot.
    """
    visited: list[tuple[np.ndarray, ...]] = []

    def remember(islands: Island) -> None:
        hyperparameters = islands.particles.u[..., : problem.n_hyperparameters]
        kept = islands.tempering, islands.step_size, islands.acceptance, hyperparameters, islands.pace
        visited.append(tuple(np.array(one) for one in kept))

    pilot = run_smc(problem, settings, key, report, visit=remember)
    # At the first visit particles have not been moved; a pilot that ends there leaves nothing better.
    moved = visited[1:] or visited
    tempering, step_size, acceptance, hyperparameters, pace = (np.stack(each) for each in zip(*moved, strict=True))
    steps = np.sum(tempering < 1.0, axis=0)
    finest = int(np.argmax(steps))
    own = slice(min(int(steps[finest]) + 1, len(tempering))), finest
    wanted = np.ceil(settings.accepted_moves / np.maximum(acceptance[own], 1e-9))
    sweeps = np.clip(wanted, 1, MOST_SWEEPS).astype(int)
    references = [
        _reference(jnp.asarray(one))._replace(pace=jnp.asarray(own_pace))
        for one, own_pace in zip(hyperparameters[own], pace[own], strict=True)
    ]
    reference = jax.tree.map(lambda *leaves: jnp.stack(leaves), *references)
    schedule = Schedule(jnp.asarray(tempering[own]), jnp.asarray(step_size[own]), jnp.asarray(sweeps), reference)
    if schedule.tempering[-1] < 1.0:
        schedule = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[-1:]]), schedule)
    schedule = schedule._replace(tempering=schedule.tempering.at[-1].set(1.0), sweeps=schedule.sweeps.at[-1].set(0))
    return schedule, pilot


@jax.jit
def _reference(hyperparameters: Float[Array, "P H"]) -> Reference:
    return fit_reference(hyperparameters, hyperparameters.shape[1])


def run_frozen(problem: Problem, settings: SMCSettings, schedule: Schedule, key: Array, islands: int) -> FrozenIslands:
    """Independent islands along a schedule, side by side over the devices in one compiled call.

    Args:
        problem: the posterior.
        settings: of the pilot; its particles and move count.
        schedule: from a pilot with a key of its own.
        key: random key.
        islands: how many.

    Returns:
        What each found; the mean of exp(log evidence) over keys is the evidence.
    """
    temperatures = len(schedule.tempering)
    missing = -(temperatures - 1) % TEMPERATURES
    filled = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.repeat(leaf[-1:], missing, axis=0)]), schedule)
    move = settings.move or default_move(problem, settings.max_steps)
    keys = jax.random.key_data(jax.random.split(key, islands))
    with one_blas_thread_per_device():
        found = FrozenIslands(*map(np.asarray, _frozen_islands(problem, move, filled, keys, settings.particles)))
    return found._replace(acceptance=found.acceptance[:, : temperatures - 1])


@partial(jax.jit, static_argnames="particles")
def _frozen_islands(
    problem: Problem, move: Move, schedule: Schedule, keys: Array, particles: int
) -> tuple[Array, Array, Array, Array]:
    def island(shared: tuple[Problem, Move, Schedule], key: Array) -> tuple[Array, Array, Array, Array]:
        return _frozen_island(*shared, jax.random.wrap_key_data(key), particles)

    return map_over_devices(island, len(keys))((problem, move, schedule), keys)


def _frozen_island(
    problem: Problem, move: Move, schedule: Schedule, key: Array, count: int
) -> tuple[Array, Array, Array, Array]:
    """One island: weighted draws from the prior, then moves, weights and resampling at every temperature in turn."""
    key_draws, key_first, key_path = jax.random.split(key, 3)
    every = jax.random.split(key_draws, DRAWS_PER_PARTICLE * count)
    log_likelihood = map_each(lambda one: problem.log_likelihood(problem.sample_prior(one)), every)
    chosen, log_mean, variance = _weigh(key_first, schedule.tempering[0], log_likelihood, count)
    start = map_each(lambda one: evaluate(problem, problem.sample_prior(one)), every[chosen])

    def step(particles: Particle, stage: Any) -> tuple[Particle, tuple[Array, ...]]:
        key, here, following = stage
        key_sweeps, key_weights = jax.random.split(key)
        particles, acceptance, gradients = _sweeps(problem, move, key_sweeps, particles, here)
        rise = following - here.tempering
        chosen, log_mean, variance = _weigh(key_weights, rise, particles.log_likelihood, count)
        return jax.tree.map(lambda leaf: leaf[chosen], particles), (log_mean, variance, acceptance, gradients)

    here = jax.tree.map(lambda leaf: leaf[:-1], schedule)
    keys = jax.random.split(key_path, len(schedule.tempering) - 1)
    _, (log_means, variances, acceptance, gradients) = jax.lax.scan(step, start, (keys, here, schedule.tempering[1:]))
    return log_mean + jnp.sum(log_means), variance + jnp.sum(variances), acceptance, jnp.sum(gradients)


def _weigh(
    key: Array, rise: Float[Array, ""], log_likelihood: Float[Array, " M"], count: int
) -> tuple[Int[Array, " P"], Float[Array, ""], Float[Array, ""]]:
    """Who survives a rise in tempering, the log of the mean weight, and its variance as far as the weights tell."""
    log_weights = rise * jnp.maximum(log_likelihood, NEVER)
    total, draws = logsumexp(log_weights), len(log_weights)
    chosen = systematic(key, jnp.exp(log_weights - total), count)
    return chosen, total - jnp.log(draws), 1.0 / ess(log_weights) - 1.0 / draws


def _sweeps(
    problem: Problem, move: Move, key: Array, particles: Particle, here: Schedule
) -> tuple[Particle, Array, Array]:
    """Move all particles in turn, as often as the schedule says; the acceptance of the last sweep, and gradients."""
    count = len(particles.log_likelihood)

    def sweep(number: Array, carry: tuple[Particle, Array, Array]) -> tuple[Particle, Array, Array]:
        particles, _, gradients = carry
        key_directions, key_uniforms = jax.random.split(jax.random.fold_in(key, number))
        noise = (
            jax.random.normal(key_directions, particles.u.shape),
            jax.random.uniform(key_uniforms, (count, UNIFORMS)),
        )
        particles, info = map_each(
            lambda each: move(each[0], each[1], problem, here.reference, here.tempering, here.step_size),
            (noise, particles),
        )
        return particles, jnp.mean(info.acceptance), gradients + info.steps.sum()

    return jax.lax.fori_loop(0, here.sweeps, sweep, (particles, jnp.ones(()), jnp.zeros((), int)))
