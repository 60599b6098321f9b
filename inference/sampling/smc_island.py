"""What one island of SMC does: weight its particles, resample them, and move them.

Steps in tempering are adaptive (Del Moral, Doucet and Jasra 2006), resampling is BlackJAX's, and the moves are in
:mod:`bayes_nn.inference.sampling.moves`. A step is one compiled call for all islands; particles carry their log
likelihood, so reweighting costs nothing. Importing BlackJAX starts JAX's backend, so this module, and
:mod:`bayes_nn.inference.sampling.smc_run` with it, is imported when SMC is first asked for.
"""

from functools import partial
from typing import Any, NamedTuple

import blackjax.smc.base as smc_base
import blackjax.smc.ess as smc_ess
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.smc.resampling import systematic
from blackjax.smc.solver import dichotomy
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.move import UNIFORMS, Move, MoveInfo, Particle, evaluate, no_moves
from bayes_nn.inference.sampling.moves.pace import POINTS, adapt_pace
from bayes_nn.inference.sampling.moves.reference import Reference, fit_reference
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.mapping import map_each

#: Acceptance that the step size of a move is adapted to, and most sweeps at one tempering.
TARGET_ACCEPTANCE, MOST_SWEEPS = 0.75, 10


class Stage(NamedTuple):
    """All that a step in tempering adapts to its particles, or takes from a schedule.

    Attributes:
        tempering: power of the likelihood that it reaches, 1 at the end.
        step_size: largest angle of one step of the move.
        sweeps: moves of every particle.
        reference: the Gaussian that moves rotate about.
    """

    tempering: Float[Array, ""]
    step_size: Float[Array, ""]
    sweeps: Int[Array, ""]
    reference: Reference


class Plan(NamedTuple):
    """What all islands have in common.

    Attributes:
        problem: the posterior.
        move: how particles are moved.
        target_ess: effective fraction of particles that a step in tempering leaves.
        accepted_moves: accepted moves per particle and tempering, on average.
        prescribed: the stage to go to next, where islands follow a schedule.
        follows: whether they do; otherwise they adapt. One program does both.
    """

    problem: TemperedDensity
    move: Move
    target_ess: float | Array
    accepted_moves: float | Array
    prescribed: Stage
    follows: bool | Array


class Island(NamedTuple):
    """State of one island.

    Attributes:
        key: raw random key of the steps to come.
        particles: equally weighted particles, leading axis P.
        stage: the last one taken.
        log_evidence: log of the mean likelihood accumulated up to its tempering.
        variance: variance of ``log_evidence`` that the weights imply.
        acceptance: mean acceptance of the last sweep.
        info: what the last move of every particle did.
        gradient_evaluations: so far.
        unique: fraction of distinct ancestors at the last resampling for a rise in tempering.
        stays: whether the particles are to be moved at the tempering they are at before it rises.
    """

    key: Array
    particles: Particle
    stage: Stage
    log_evidence: Float[Array, ""]
    variance: Float[Array, ""]
    acceptance: Float[Array, ""]
    info: MoveInfo
    gradient_evaluations: Array
    unique: Float[Array, ""]
    stays: Array

    @property
    def tempering(self) -> Float[Array, ""]:
        """Power of the likelihood reached."""
        return self.stage.tempering


class IslandStart(NamedTuple):
    """Where an island begins, at this tempering; other attributes as in :class:`Island`."""

    key: Array
    u: Float[Array, "P D"]
    tempering: Float[Array, ""]
    log_evidence: Float[Array, ""]
    variance: Float[Array, ""]
    stays: Array


def first_stage(problem: TemperedDensity, dimension: int) -> Stage:
    """The stage before any that adapts, at the prior."""
    H = problem.n_hyperparameters
    # Of the types that later stages have, for which a step is then compiled once.
    gaussian: Any = np.zeros(H), np.eye(H), np.ones(dimension)
    step: Any = {"tempering": np.zeros(()), "step_size": np.full((), 0.5), "sweeps": np.zeros((), int)}
    return Stage(**step, reference=Reference(*gaussian))


def start_island(problem: TemperedDensity, start: IslandStart) -> Island:
    """An island before its first move."""
    particles = map_each(lambda one: evaluate(problem, one), start.u)
    return Island(
        start.key,
        particles,
        jax.tree.map(jnp.asarray, first_stage(problem, start.u.shape[1]))._replace(tempering=start.tempering),
        start.log_evidence,
        start.variance,
        jnp.zeros(()),
        no_moves(len(start.u)),
        jnp.zeros((), int),
        jnp.ones(()),
        start.stays,
    )


def temper_island(plan: Plan, island: Island) -> Island:
    """Raise the tempering as far as the target ESS allows, or the schedule says, resample, and move every particle.

    Particles that are still to be moved at their tempering are moved there: the step in tempering is 0.
    """
    key, key_step = jax.random.split(jax.random.wrap_key_data(island.key))
    key, key_pace = jax.random.split(key) if plan.move.has_pace else (key, key)
    count, before = len(island.particles.log_likelihood), island.stage
    remaining = 1.0 - before.tempering
    increment = smc_ess.ess_solver(
        lambda particles: particles.log_likelihood, island.particles, plan.target_ess, remaining, dichotomy
    )
    # An increment within rounding of the end is the end: the solver stops at a tolerance of its own.
    increment = jnp.where(increment > 0.999 * remaining, remaining, jnp.clip(increment, 1e-12, remaining))
    increment = jnp.where(plan.follows, plan.prescribed.tempering - before.tempering, increment)
    increment = jnp.where(island.stays, 0.0, increment)
    tempering = jnp.minimum(before.tempering + increment, 1.0)
    log_weights = increment * island.particles.log_likelihood
    total = logsumexp(log_weights)
    weights = jnp.exp(log_weights - total)

    def adapted() -> Stage:
        likely = island.particles.u[_systematic_order(weights)]
        reference = fit_reference(likely, plan.problem.n_hyperparameters)._replace(pace=before.reference.pace)
        stage = Stage(tempering, before.step_size, jnp.zeros_like(before.sweeps), reference)
        if not plan.move.has_pace:
            return stage
        some = likely[:: count // POINTS][:POINTS]
        reference, step_size = adapt_pace(plan.problem, reference, tempering, before.step_size, key_pace, some)
        return stage._replace(reference=reference, step_size=step_size)

    stage = jax.lax.cond(plan.follows, lambda: plan.prescribed, adapted)

    def update(keys: Array, particles: Particle, stage: Stage) -> tuple[Particle, tuple]:
        return _sweeps(plan, keys[0], particles, stage)

    moved, step_info = smc_base.step(
        key_step,
        smc_base.SMCState(island.particles, weights, stage),
        update,
        lambda particles: jnp.zeros_like(particles.log_likelihood),
        systematic,
    )
    stage, info, gradients = step_info.update_info
    log_evidence = island.log_evidence + total - jnp.log(count)
    variance = island.variance + 1.0 / smc_ess.ess(log_weights) - 1.0 / count
    ancestors = jnp.zeros(count).at[step_info.ancestors].set(1.0)
    return Island(
        jax.random.key_data(key),
        moved.particles,
        stage,
        jnp.where(island.stays, island.log_evidence, log_evidence),
        jnp.where(island.stays, island.variance, variance),
        jnp.mean(info.acceptance),
        info,
        island.gradient_evaluations + gradients,
        jnp.where(island.stays, island.unique, jnp.mean(ancestors)),
        jnp.zeros((), bool),
    )


def _sweeps(
    plan: Plan, key: Array, particles: Particle, stage: Stage
) -> tuple[Particle, tuple[Stage, MoveInfo, Array]]:
    """Move all particles in turn, as prescribed or until enough were accepted, adapting the step size in between."""
    count, prescribed = len(particles.log_likelihood), stage.sweeps

    def sweep(carry: tuple) -> tuple:
        key, particles, stage, accepted, _, gradients = carry
        key, key_direction, key_uniforms = jax.random.split(key, 3)
        directions = jax.random.normal(key_direction, particles.u.shape)
        uniforms = jax.random.uniform(key_uniforms, (count, UNIFORMS))
        particles, info = map_each(
            lambda each: plan.move(each[0], each[1], plan.problem, stage.reference, stage.tempering, stage.step_size),
            ((directions, uniforms), particles),
        )
        acceptance = jnp.mean(info.acceptance)
        adapted = jnp.clip(stage.step_size * jnp.exp(acceptance - TARGET_ACCEPTANCE), 1e-3, jnp.pi / 2)
        step_size = jnp.where(plan.follows, stage.step_size, adapted)
        stage = stage._replace(step_size=step_size, sweeps=stage.sweeps + 1)
        return key, particles, stage, accepted + acceptance, info, gradients + info.steps.sum()

    def unfinished(carry: tuple) -> Array:
        _, _, stage, accepted, *_ = carry
        adaptive = (accepted < plan.accepted_moves) & (stage.sweeps < MOST_SWEEPS)
        return jnp.where(plan.follows, stage.sweeps < prescribed, adaptive)

    begin = stage._replace(sweeps=jnp.zeros_like(prescribed))
    carry = key, particles, begin, jnp.zeros(()), no_moves(count), jnp.zeros((), int)
    _, particles, stage, _, info, gradients = jax.lax.while_loop(unfinished, sweep, carry)
    return particles, (stage, info, gradients)


def _systematic_order(weights: Float[Array, " P"]) -> Array:
    """Deterministic systematic resampling, for moments of the weighted particles."""
    count = len(weights)
    return jnp.clip(jnp.searchsorted(jnp.cumsum(weights), (jnp.arange(count) + 0.5) / count), 0, count - 1)


@jax.jit
def start_islands(problem: TemperedDensity, starts: IslandStart) -> Island:
    """All islands before their first move."""
    return map_over_devices(start_island, len(starts.tempering))(problem, starts)


@partial(jax.jit, donate_argnums=1)
def temper_islands(plan: Plan, islands: Island) -> Island:
    """One step of every island that has not reached tempering 1 or is to be moved there."""

    def advance(plan: Plan, island: Island) -> Island:
        finished = (island.tempering >= 1.0) & ~island.stays
        return jax.lax.cond(finished, lambda i: i, lambda i: temper_island(plan, i), island)

    return map_over_devices(advance, len(islands.tempering))(plan, islands)
