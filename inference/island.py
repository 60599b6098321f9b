"""What one island of SMC does: weight its particles, resample them, and move them.

Steps in temperature are adaptive (Del Moral, Doucet and Jasra 2006), resampling is BlackJAX's, and the moves are in
:mod:`bayes_nn.inference.move`. A step is one compiled call for all islands; particles carry their log likelihood, so
reweighting costs nothing. Importing BlackJAX starts JAX's backend, so this module, and
:mod:`bayes_nn.inference.smc` with it, is imported when SMC is first asked for.
"""

from functools import partial
from typing import NamedTuple

import blackjax.smc.base as smc_base
import blackjax.smc.ess as smc_ess
import jax
import jax.numpy as jnp
from blackjax.smc.resampling import systematic
from blackjax.smc.solver import dichotomy
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from bayes_nn.inference.move import (
    SLICE_POINTS,
    MoveInfo,
    Particle,
    Reference,
    evaluate,
    fit_reference,
    hamiltonian_move,
    slice_move,
)
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Density
from bayes_nn.parallel import map_islands


class Island(NamedTuple):
    """State of one island.

    Attributes:
        key: raw random key of the steps to come.
        particles: equally weighted particles, leading axis P.
        temperature: power of the likelihood reached, 1 at the end.
        log_evidence: log of the mean likelihood accumulated up to this temperature.
        variance: variance of ``log_evidence`` that the weights imply.
        step_size: largest angle of one step of the move.
        acceptance: mean acceptance of the last sweep.
        info: what the last move of every particle did.
        gradient_evaluations: so far.
        unique: fraction of distinct ancestors at the last resampling for a rise in temperature.
        stays: whether the particles are to be moved at the temperature they are at before it rises.
    """

    key: Array
    particles: Particle
    temperature: Float[Array, ""]
    log_evidence: Float[Array, ""]
    variance: Float[Array, ""]
    step_size: Float[Array, ""]
    acceptance: Float[Array, ""]
    info: MoveInfo
    gradient_evaluations: Array
    unique: Float[Array, ""]
    stays: Array


class Start(NamedTuple):
    """Where an island begins; attributes as in :class:`Island`."""

    key: Array
    u: Float[Array, "P D"]
    temperature: Float[Array, ""]
    log_evidence: Float[Array, ""]
    variance: Float[Array, ""]
    stays: Array


def start_island(target: Density, start: Start) -> Island:
    """An island before its first move."""
    particles = jax.lax.map(lambda one: evaluate(target, one), start.u)
    nothing = jnp.zeros(len(start.u))
    info = MoveInfo(nothing, nothing, nothing.astype(bool), nothing.astype(int))
    zero = jnp.zeros(())
    return Island(
        start.key,
        particles,
        start.temperature,
        start.log_evidence,
        start.variance,
        jnp.asarray(0.5, dtype=float),
        zero,
        info,
        jnp.zeros((), int),
        jnp.ones(()),
        start.stays,
    )


def temper_island(target: Density, island: Island, settings: SMC) -> Island:
    """Raise the temperature as far as the target ESS allows, resample, and move every particle.

    Particles that are still to be moved at their temperature are moved there: the step in temperature is 0.
    """
    key, key_step = jax.random.split(jax.random.wrap_key_data(island.key))
    remaining = 1.0 - island.temperature
    increment = smc_ess.ess_solver(
        lambda particles: particles.log_likelihood, island.particles, settings.target_ess, remaining, dichotomy
    )
    # An increment within rounding of the end is the end: the solver stops at a tolerance of its own.
    increment = jnp.where(increment > 0.999 * remaining, remaining, jnp.clip(increment, 1e-12, remaining))
    increment = jnp.where(island.stays, 0.0, increment)
    temperature = jnp.minimum(island.temperature + increment, 1.0)
    log_weights = increment * island.particles.log_likelihood
    total = logsumexp(log_weights)
    weights = jnp.exp(log_weights - total)
    reference = fit_reference(island.particles.u[_systematic_order(weights)], target.n_hyperparameters)

    def update(keys: Array, particles: Particle, step_size: Array) -> tuple[Particle, tuple]:
        return _sweeps(keys[0], particles, step_size, target, reference, temperature, settings)

    moved, step_info = smc_base.step(
        key_step,
        smc_base.SMCState(island.particles, weights, island.step_size),
        update,
        lambda particles: jnp.zeros_like(particles.log_likelihood),
        systematic,
    )
    step_size, info, gradients = step_info.update_info
    log_evidence = island.log_evidence + total - jnp.log(settings.particles)
    variance = island.variance + 1.0 / smc_ess.ess(log_weights) - 1.0 / settings.particles
    ancestors = jnp.zeros(settings.particles).at[step_info.ancestors].set(1.0)
    return Island(
        jax.random.key_data(key),
        moved.particles,
        temperature,
        jnp.where(island.stays, island.log_evidence, log_evidence),
        jnp.where(island.stays, island.variance, variance),
        step_size,
        jnp.mean(info.acceptance),
        info,
        island.gradient_evaluations + gradients,
        jnp.where(island.stays, island.unique, jnp.mean(ancestors)),
        jnp.zeros((), bool),
    )


def _sweeps(
    key: Array,
    particles: Particle,
    step_size: Array,
    target: Density,
    reference: Reference,
    temperature: Array,
    settings: SMC,
) -> tuple[Particle, tuple[Array, MoveInfo, Array]]:
    """Move all particles in turn until enough moves were accepted, adapting the step size between sweeps."""

    def move(noise: tuple[Array, Array], particle: Particle, step_size: Array) -> tuple[Particle, MoveInfo]:
        if not target.has_many_latents:
            return slice_move(noise, particle, target, reference, temperature)
        return hamiltonian_move(noise, particle, target, reference, temperature, step_size, settings.max_steps)

    def sweep(carry: tuple) -> tuple:
        key, particles, step_size, accepted, count, _, gradients = carry
        key, key_direction, key_uniforms = jax.random.split(key, 3)
        directions = jax.random.normal(key_direction, particles.u.shape)
        uniforms = jax.random.uniform(key_uniforms, (settings.particles, SLICE_POINTS + 1))
        particles, info = jax.lax.map(
            lambda each: move(each[0], each[1], step_size), ((directions, uniforms), particles)
        )
        acceptance = jnp.mean(info.acceptance)
        step_size = jnp.clip(step_size * jnp.exp(acceptance - 0.75), 1e-3, jnp.pi / 2)
        return key, particles, step_size, accepted + acceptance, count + 1, info, gradients + info.steps.sum()

    def unfinished(carry: tuple) -> Array:
        accepted, count = carry[3], carry[4]
        return (accepted < settings.accepted_moves) & (count < 10)

    zero, nothing = jnp.zeros((), int), jnp.zeros(settings.particles)
    info = MoveInfo(nothing, nothing, nothing.astype(bool), nothing.astype(int))
    carry = key, particles, step_size, jnp.zeros(()), zero, info, zero
    _, particles, step_size, _, _, info, gradients = jax.lax.while_loop(unfinished, sweep, carry)
    return particles, (step_size, info, gradients)


def _systematic_order(weights: Float[Array, " P"]) -> Array:
    """Deterministic systematic resampling, for moments of the weighted particles."""
    count = len(weights)
    return jnp.clip(jnp.searchsorted(jnp.cumsum(weights), (jnp.arange(count) + 0.5) / count), 0, count - 1)


@partial(jax.jit, static_argnames="settings")
def start_islands(target: Density, starts: Start, settings: SMC) -> Island:
    """All islands before their first move."""
    return map_islands(start_island, settings.islands)(target, starts)


@partial(jax.jit, static_argnames="settings", donate_argnums=1)
def temper_islands(target: Density, islands: Island, settings: SMC) -> Island:
    """One step of every island that has not reached temperature 1 or is to be moved there."""

    def advance(shared: Density, island: Island) -> Island:
        finished = (island.temperature >= 1.0) & ~island.stays
        return jax.lax.cond(finished, lambda i: i, lambda i: temper_island(shared, i, settings), island)

    return map_islands(advance, settings.islands)(target, islands)
