"""Infinite-dimensional HMC: Markov chains of the moves that leave the prior of the hidden weights invariant.

The moves are those of SMC (:mod:`bayes_nn.inference.move`). Warm-up raises the temperature from near the prior
to the posterior, which spares the chains the modes that a start far out would fall into, and adapts the step size
and the Gaussian reference of the hyperparameters; both are fixed afterwards.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.chains import Draws, run_chains
from bayes_nn.inference.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.move import (
    SLICE_POINTS,
    Particle,
    Reference,
    evaluate,
    fit_reference,
    hamiltonian_move,
    reference_of,
    slice_move,
)
from bayes_nn.inference.settings import CHUNK, InfiniteHMC, calls
from bayes_nn.inference.target import Target
from bayes_nn.parallel import map_islands
from bayes_nn.progress import Report

#: Temperature that warm-up starts from; it reaches 1 after ``ANNEALED`` of the warm-up moves.
FIRST_TEMPERATURE, ANNEALED = 1e-4, 0.5


class Chain(NamedTuple):
    """State of one chain.

    Attributes:
        key: raw random key of the moves to come, (2,).
        particle: where the chain is.
        log_step: logarithm of the largest angle of one step.
    """

    key: Array
    particle: Particle
    log_step: Float[Array | np.ndarray, ""]


class State(NamedTuple):
    """All chains, and what warm-up has learnt.

    Attributes:
        chains: stacked.
        reference: of all chains.
        history: hyperparameters since the last call of the annealing, (chains, moves, H).
        log_steps: steps taken meanwhile, (chains, moves).
    """

    chains: Chain
    reference: Reference
    history: Float[np.ndarray, "chains moves H"]
    log_steps: Float[np.ndarray, "chains moves"]


@partial(jax.jit, static_argnames="settings")
def _start(target: Target, key: Array, settings: InfiniteHMC) -> tuple[Chain, Reference]:
    key_u, key_chains, key_reference = jax.random.split(key, 3)
    u = target.sample_prior(key_u, (settings.chains,))
    particles = map_islands(evaluate, settings.chains)(target, u)
    keys = jax.random.key_data(jax.random.split(key_chains, settings.chains))
    start = jnp.full(settings.chains, jnp.log(0.3))
    prior = fit_reference(target.sample_prior(key_reference, (256,)), target.n_hyperparameters)
    return Chain(keys, particles, start), prior


@partial(jax.jit, static_argnames="settings")
def _advance(
    target: Target, chains: Chain, reference: Reference, temperatures: Array, gains: Array, settings: InfiniteHMC
) -> tuple[Chain, dict[str, Array]]:
    """``CHUNK`` moves of every chain; a gain of 0 leaves the step size alone."""
    split = jax.vmap(partial(jax.random.split, num=3))(jax.random.wrap_key_data(chains.key))
    directions = jax.vmap(lambda key: jax.random.normal(key, (CHUNK, target.dimension)))(split[:, 1])
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, (CHUNK, SLICE_POINTS + 1)))(split[:, 2])

    def one_chain(shared: tuple, own: tuple) -> tuple[Particle, Array, dict[str, Array]]:
        (target, reference, temperatures, gains), (particle, log_step, *noise) = shared, own

        def move(carry: tuple[Particle, Array], each: tuple) -> tuple[tuple[Particle, Array], dict[str, Array]]:
            (particle, log_step), (noise, temperature, gain) = carry, each
            if target.has_many_latents:
                step_size = jnp.exp(log_step)
                particle, info = hamiltonian_move(
                    noise, particle, target, reference, temperature, step_size, settings.max_steps
                )
                log_step = log_step + gain * (info.acceptance - settings.target_accept)
                log_step = jnp.clip(log_step, jnp.log(1e-4), jnp.log(jnp.pi / 2))
            else:
                particle, info = slice_move(noise, particle, target, reference, temperature)
            return (particle, log_step), {
                "u": particle.u,
                "log_likelihood": particle.log_likelihood,
                "lp": particle.log_prior + particle.log_likelihood,
                "energy": info.energy,
                "acceptance_rate": info.acceptance,
                "diverging": info.diverging,
                "n_steps": info.steps,
                "log_step": log_step,
            }

        carry, moves = jax.lax.scan(move, (particle, log_step), (tuple(noise), temperatures, gains))
        return *carry, moves

    shared = target, reference, temperatures, gains
    particles, log_step, moves = map_islands(one_chain, settings.chains)(
        shared, (chains.particle, chains.log_step, directions, uniforms)
    )
    return Chain(jax.random.key_data(split[:, 0]), particles, log_step), moves


_reference_of = jax.jit(reference_of)


def _fit(history: Float[np.ndarray, "chains moves H"]) -> Reference:
    """The reference of all chains; moments by NumPy, since the number of moves grows and nothing shall be retraced."""
    points = history.reshape(history.shape[0] * history.shape[1], -1) if history.size else np.zeros((1, 0))
    centred = points - points.mean(axis=0)
    moments = points.mean(axis=0), centred.T @ centred / len(points), np.float64(len(points))
    return jax.tree.map(np.asarray, _reference_of(*moments))


def warm_up_schedule(count: int) -> tuple[Float[np.ndarray, " W"], Float[np.ndarray, " W"]]:
    """Temperatures and step-size gains of the warm-up moves."""
    progress = np.arange(count) / (ANNEALED * count)
    return FIRST_TEMPERATURE ** np.clip(1.0 - progress, 0.0, 1.0), np.where(progress < 1.0, 1.0, 0.3)


def run_infinite_hmc(
    target: Target,
    settings: InfiniteHMC,
    key: Array,
    report: Report = lambda fraction, text: None,
    checkpoint: Checkpoint = NOWHERE,
) -> tuple[np.ndarray, np.ndarray, Draws]:
    """Draw from the posterior over u.

    Args:
        target: the posterior.
        settings: numbers of chains, draws and steps.
        key: random key.
        report: called after every compiled call.
        checkpoint: where to keep the state, and to go on from.

    Returns:
        Draws of u (chains, draws, D), their log likelihood (chains, draws), and the sampler's statistics under the
        names ArviZ reads.
    """
    H, warmup = target.n_hyperparameters, calls(settings.warmup)
    temperatures, gains = warm_up_schedule(warmup * CHUNK)

    def start() -> State:
        chains, reference = jax.tree.map(np.asarray, _start(target, key, settings))
        return State(chains, reference, np.empty((settings.chains, 0, H)), np.empty((settings.chains, 0)))

    def advance(state: State, number: int) -> tuple[State, Draws]:
        sampling, part = number >= warmup, slice(number * CHUNK, (number + 1) * CHUNK)
        heat = np.ones(CHUNK) if sampling else temperatures[part]
        gain = np.zeros(CHUNK) if sampling else gains[part]
        # Through the host, so that the next call sees arguments placed alike and is not compiled anew.
        chains, draws = jax.tree.map(np.asarray, _advance(target, state.chains, state.reference, heat, gain, settings))
        state = state._replace(chains=chains)
        if not sampling:
            state = _adapt(state, draws["u"][..., :H], draws["log_step"], heat[0] < 1.0, number == warmup - 1)
        return state, draws

    u, log_likelihood, stats = run_chains(settings, start, advance, report, checkpoint)
    stats["step_size"] = np.exp(stats.pop("log_step"))
    return u, log_likelihood, stats


def _adapt(state: State, hyperparameters: np.ndarray, log_steps: np.ndarray, annealing: bool, last: bool) -> State:
    """Fit the reference to the moves since the end of the annealing, or to the latest; fix the step in the end."""
    if not annealing:
        hyperparameters = np.concatenate([state.history, hyperparameters], axis=1)
        log_steps = np.concatenate([state.log_steps, log_steps], axis=1)
    chains = state.chains
    if last:
        # The steps of the first half are still on their way down from those of higher temperatures.
        settled = log_steps[:, log_steps.shape[1] // 2 :]
        chains = chains._replace(log_step=np.full(len(log_steps), settled.mean()))
    return State(chains, _fit(hyperparameters), hyperparameters, log_steps)
