"""Sequential Monte Carlo from the prior to the posterior, in independent islands.

Each island tempers the likelihood adaptively (Del Moral, Doucet and Jasra 2006), first by weighting draws from the
prior (:mod:`bayes_nn.inference.cold_end`), then by resampling with BlackJAX and moving with
:mod:`bayes_nn.inference.move`. A temperature is one compiled call for all islands; particles carry their log likelihood
and its gradient, so reweighting costs nothing. The evidence is known once temperature 1 is reached; whoever wants
draws can have the particles moved on there until they are good enough. Importing BlackJAX starts JAX's backend, so this
module is imported when SMC is first asked for.
"""

from collections.abc import Callable
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
from jaxtyping import Array, Float

from bayes_nn.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.inference.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.cold_end import cold_end
from bayes_nn.inference.evidence import ACCEPTANCE_BAND, Evidence, combine_islands
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
from bayes_nn.inference.target import Density, Target
from bayes_nn.inference.tempering_path import TemperingPath, second_opinions
from bayes_nn.parallel import map_islands
from bayes_nn.progress import Report


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
def _start(target: Density, starts: Start, settings: SMC) -> Island:
    return map_islands(start_island, settings.islands)(target, starts)


@partial(jax.jit, static_argnames="settings", donate_argnums=1)
def _temper(target: Density, islands: Island, settings: SMC) -> Island:
    def advance(shared: Density, island: Island) -> Island:
        finished = (island.temperature >= 1.0) & ~island.stays
        return jax.lax.cond(finished, lambda i: i, lambda i: temper_island(shared, i, settings), island)

    return map_islands(advance, settings.islands)(target, islands)


class SMCRun(NamedTuple):
    """What SMC leaves behind.

    Attributes:
        u: equally weighted draws, (islands, particles, D).
        log_likelihood: log p(y | z) of every draw, (islands, particles).
        path: log likelihoods of the particles at every temperature, from the prior on.
        sample_stats: energy, acceptance, divergences and step counts of every particle's last move.
        evidence: log Z with its error.
        doubts: why not to trust the draws, which are doubts about the evidence as well; empty if none.
    """

    u: Float[np.ndarray, "I P D"]
    log_likelihood: Float[np.ndarray, "I P"]
    path: TemperingPath
    sample_stats: dict[str, np.ndarray]
    evidence: Evidence
    doubts: tuple[str, ...]


#: Judges particles u (islands, particles, D) and their log likelihoods (islands, particles).
Judge = Callable[[np.ndarray, np.ndarray], bool]


def run_smc(
    target: Density,
    settings: SMC,
    key: Array,
    report: Report = lambda fraction, text: None,
    checkpoint: Checkpoint = NOWHERE,
    start: Float[np.ndarray, "I P D"] | None = None,
    good_enough: Judge = lambda u, log_likelihood: True,
) -> SMCRun:
    """Run all islands to temperature 1, and move them there until they are good enough.

    Args:
        target: the posterior, or an :class:`~bayes_nn.inference.update.Update`.
        settings: sizes and limits.
        key: random key.
        report: called after every temperature with the fraction done and a text.
        checkpoint: where to keep the state, and to go on from.
        start: particles where the path begins; draws from the prior when left out.
        good_enough: asked of the particles at temperature 1. As long as the answer is no they are moved there, for at
            most as many rounds as there were temperatures; log Z and its error are those of the path, its checks use
            the particles at the end. By default particles are left as the path ends.

    Returns:
        Draws, their statistics, and the evidence.
    """
    hint_at_idle_cores()
    with one_blas_thread_per_device():
        visited, islands, rounds = checkpoint.load("islands") or (*_first(target, settings, key, start), 0)
        while len(visited) <= settings.max_temperatures and visited[-1][0].min() < 1.0:
            islands = _temper(target, islands, settings)
            visited.append(_where(islands))
            now = visited[-1][0]
            checkpoint.save("islands", (visited, islands, rounds))
            # Temperatures grow about geometrically, so the bar follows their logarithm.
            fraction = 1.0 + np.log10(max(now.min(), 1e-4)) / 4.0
            report(fraction, f"temperature {now.min():.3g}, acceptance {np.mean(islands.acceptance):.2f}")
        finished, most = visited[-1][0].min() >= 1.0, len(visited) - 1
        while finished and rounds < most and not good_enough(np.asarray(islands.particles.u), visited[-1][1]):
            islands = _temper(target, islands._replace(stays=jnp.ones_like(islands.stays)), settings)
            visited[-1], rounds = _where(islands), rounds + 1
            checkpoint.save("islands", (visited, islands, rounds))
            report(1.0, f"moving on at temperature 1, {rounds} of at most {most}")
    temperatures, log_likelihood = (np.stack(each, axis=1) for each in zip(*visited, strict=True))
    return _summarise(islands, TemperingPath(temperatures, log_likelihood), settings, rounds)


def _where(islands: Island) -> tuple[Float[np.ndarray, " I"], Float[np.ndarray, "I P"]]:
    """Temperatures and log likelihoods, for the path."""
    return np.asarray(islands.temperature), np.asarray(islands.particles.log_likelihood)


def _first(
    target: Density, settings: SMC, key: Array, start: np.ndarray | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], Island]:
    """The beginning of the path, and the islands there."""
    key_prior, key_islands = jax.random.split(key)
    keys = jax.random.key_data(jax.random.split(key_islands, settings.islands))
    nothing, yes = jnp.zeros(settings.islands), jnp.ones(settings.islands, bool)
    if start is not None:
        islands = _start(target, Start(keys, jnp.asarray(start), nothing, nothing, nothing, ~yes), settings)
        return [_where(islands)], islands
    assert isinstance(target, Target), "an update begins at draws of a posterior"
    cold = cold_end(target, key_prior, settings)
    temperature = jnp.full(settings.islands, cold.temperature)
    log_evidence, variance = jnp.asarray(cold.log_evidence), jnp.asarray(cold.variance)
    starts = Start(keys, jnp.asarray(cold.u), temperature, log_evidence, variance, yes)
    return cold.visited, _start(target, starts, settings)


def _summarise(final: Island, path: TemperingPath, settings: SMC, rounds: int) -> SMCRun:
    islands: Any = jax.tree.map(np.asarray, final)
    value, mcse, reasons = combine_islands(islands.log_evidence, islands.variance)
    low, high = ACCEPTANCE_BAND
    doubts: tuple[str, ...] = ()
    if islands.temperature.min() < 1.0:
        doubts += (f"temperature 1 was not reached in {settings.max_temperatures} steps",)
    if not low <= islands.acceptance.min() <= high:
        doubts += (f"mean acceptance fell to {islands.acceptance.min():.2f}",)
    if islands.info.diverging.mean() > 0.05:
        doubts += (f"{islands.info.diverging.mean():.0%} of the last trajectories diverged",)
    checks, contradictions = second_opinions(path, islands.log_evidence)
    if islands.unique.min() < 0.25:
        clones = (f"only {islands.unique.min():.0%} of the particles survived a resampling",)
        # Draws that were moved on are judged by whether they have mixed.
        reasons, doubts = reasons + clones, doubts if rounds else doubts + clones
    reasons = tuple(dict.fromkeys(reasons + doubts + contradictions))
    details = {
        "log_evidence_by_island": islands.log_evidence.tolist(),
        "variance_by_island": islands.variance.tolist(),
        **checks,
        "temperatures": path.temperatures[:, 1:].tolist(),
        "acceptance_by_island": islands.acceptance.tolist(),
        "step_size_by_island": islands.step_size.tolist(),
        "gradient_evaluations": int(islands.gradient_evaluations.sum()),
        "rounds_at_the_end": rounds,
    }
    log_density = islands.particles.log_prior + islands.particles.log_likelihood
    stats = {
        "lp": log_density,
        "energy": islands.info.energy,
        "acceptance_rate": islands.info.acceptance,
        "diverging": islands.info.diverging,
        "n_steps": islands.info.steps,
    }
    return SMCRun(
        islands.particles.u,
        islands.particles.log_likelihood,
        path,
        stats,
        Evidence(value, mcse, "smc", not reasons, reasons, details),
        doubts,
    )
