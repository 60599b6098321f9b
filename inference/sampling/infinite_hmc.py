"""Infinite-dimensional HMC: Markov chains of the moves that leave the prior of the hidden weights invariant.

The moves are those of SMC (:mod:`bayes_nn.inference.sampling.moves`). Warm-up raises the tempering from near the prior
to the posterior, which spares the chains the modes that a start far out would fall into, and adapts the step size
and the Gaussian reference of the hyperparameters; both are fixed afterwards.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.chains import MOVES_PER_CALL, ChainDraws, Chains, Draws, calls, run_chains
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.moves.default import default_move
from bayes_nn.inference.sampling.moves.move import UNIFORMS, Move, Particle, evaluate
from bayes_nn.inference.sampling.moves.pace import adapt_pace
from bayes_nn.inference.sampling.moves.reference import Reference, reference_of, reference_of_prior
from bayes_nn.inference.sampling.sampler import check_max_steps, silent
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.progress import Report

#: Tempering that warm-up starts from; it reaches 1 after ``ANNEALED`` of the warm-up moves.
FIRST_TEMPERING, ANNEALED = 1e-4, 0.5


@dataclass(frozen=True)
class InfiniteHMC(Chains):
    """Settings of infinite-dimensional HMC, whose acceptance does not fall as the width grows.

    Where only hyperparameters are sampled its move is an elliptical slice. Warm-up raises the tempering too.

    Args:
        chains: see :class:`Chains`.
        warmup: see :class:`Chains`.
        draws: see :class:`Chains`.
        target_accept: see :class:`Chains`.
        max_steps: most gradient evaluations in one trajectory.
        move: how chains move; None for trajectories where there are many latents, else elliptical slices.

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> InfiniteHMC(draws=1000).chains
        4
    """

    name = "infinite_hmc"
    target_accept: float = 0.75
    max_steps: int = 128
    move: Move | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_max_steps(self.max_steps)

    def draw_u(
        self, problem: Problem, key: Array, report: Report = silent, checkpoint: Checkpoint = NOWHERE
    ) -> ChainDraws:
        """Draws on the unconstrained scale, their log likelihood, and statistics under the names ArviZ reads."""
        H, warmup = problem.n_hyperparameters, calls(self.warmup)
        plan = Plan(problem, self.move or default_move(problem, self.max_steps), self.target_accept)
        temperings, gains = warm_up_schedule(warmup * MOVES_PER_CALL)

        def start() -> State:
            chains, reference = jax.tree.map(np.asarray, _start(problem, key, self.chains))
            return State(chains, reference, np.empty((self.chains, 0, H)), np.empty((self.chains, 0)))

        def advance(state: State, number: int) -> tuple[State, Draws]:
            sampling, part = number >= warmup, slice(number * MOVES_PER_CALL, (number + 1) * MOVES_PER_CALL)
            tempering = np.ones(MOVES_PER_CALL) if sampling else temperings[part]
            gain = np.zeros(MOVES_PER_CALL) if sampling else gains[part]
            # Through the host, so that the next call sees arguments placed alike and is not compiled anew.
            moved = _advance(plan, state.chains, state.reference, tempering, gain)
            chains, draws = jax.tree.map(np.asarray, moved)
            state = state._replace(chains=chains)
            if not sampling:
                annealing = tempering[0] < 1.0
                if plan.move.has_pace and (annealing or temperings[part.start - 1] < 1.0):
                    state = _adapt_pace(plan, state, tempering[-1])
                state = _adapt(state, draws["u"][..., :H], draws["log_step"], annealing, number == warmup - 1)
            return state, draws

        u, log_likelihood, stats = run_chains(self, start, advance, report, checkpoint)
        stats["step_size"] = np.exp(stats.pop("log_step"))
        return u, log_likelihood, stats


class Plan(NamedTuple):
    """What all chains have in common.

    Attributes:
        problem: the posterior.
        move: how chains move.
        target_accept: acceptance the step size is adapted to.
    """

    problem: Problem
    move: Move
    target_accept: float | Array


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


@partial(jax.jit, static_argnames="chains")
def _start(problem: Problem, key: Array, chains: int) -> tuple[Chain, Reference]:
    key_u, key_chains, key_reference = jax.random.split(key, 3)
    u = problem.sample_prior(key_u, (chains,))
    particles = map_over_devices(evaluate, chains)(problem, u)
    keys = jax.random.key_data(jax.random.split(key_chains, chains))
    start = jnp.full(chains, jnp.log(0.3))
    return Chain(keys, particles, start), reference_of_prior(problem, key_reference)


@jax.jit
def _advance(
    plan: Plan, chains: Chain, reference: Reference, temperings: Array, gains: Array
) -> tuple[Chain, dict[str, Array]]:
    """``MOVES_PER_CALL`` moves of every chain; a gain of 0 leaves the step size alone."""
    dimension = plan.problem.dimension
    split = jax.vmap(partial(jax.random.split, num=3))(jax.random.wrap_key_data(chains.key))
    directions = jax.vmap(lambda key: jax.random.normal(key, (MOVES_PER_CALL, dimension)))(split[:, 1])
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, (MOVES_PER_CALL, UNIFORMS)))(split[:, 2])

    def one_chain(shared: tuple, own: tuple) -> tuple[Particle, Array, dict[str, Array]]:
        (plan, reference, temperings, gains), (particle, log_step, *noise) = shared, own

        def move(carry: tuple[Particle, Array], each: tuple) -> tuple[tuple[Particle, Array], dict[str, Array]]:
            (particle, log_step), (noise, tempering, gain) = carry, each
            particle, info = plan.move(noise, particle, plan.problem, reference, tempering, jnp.exp(log_step))
            if plan.move.adapts_step:
                log_step = log_step + gain * (info.acceptance - plan.target_accept)
                log_step = jnp.clip(log_step, jnp.log(1e-4), jnp.log(jnp.pi / 2))
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

        carry, moves = jax.lax.scan(move, (particle, log_step), (tuple(noise), temperings, gains))
        return *carry, moves

    shared = plan, reference, temperings, gains
    particles, log_step, moves = map_over_devices(one_chain, len(chains.log_step))(
        shared, (chains.particle, chains.log_step, directions, uniforms)
    )
    return Chain(jax.random.key_data(split[:, 0]), particles, log_step), moves


_reference_of, _paced = jax.jit(reference_of), jax.jit(adapt_pace)


def _adapt_pace(plan: Plan, state: State, tempering: float) -> State:
    """The pace of every block of latents from the curvature where the chains are, and steps to go with it."""
    chains = state.chains
    key = jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(chains.key[0])), 0)
    step = np.exp(chains.log_step.mean())
    reference, longer = _paced(plan.problem, state.reference, tempering, step, key, chains.particle.u)
    chains = chains._replace(log_step=chains.log_step + np.log(np.asarray(longer) / step))
    return state._replace(chains=chains, reference=jax.tree.map(np.asarray, reference))


def _fit(history: Float[np.ndarray, "chains moves H"], pace: Float[np.ndarray, " D"]) -> Reference:
    """The reference of all chains; moments by NumPy, since the number of moves grows and nothing shall be retraced."""
    points = history.reshape(history.shape[0] * history.shape[1], -1) if history.size else np.zeros((1, 0))
    centred = points - points.mean(axis=0)
    moments = points.mean(axis=0), centred.T @ centred / len(points), np.float64(len(points)), pace
    return jax.tree.map(np.asarray, _reference_of(*moments))


def warm_up_schedule(count: int) -> tuple[Float[np.ndarray, " W"], Float[np.ndarray, " W"]]:
    """Temperings and step-size gains of the warm-up moves."""
    progress = np.arange(count) / (ANNEALED * count)
    return FIRST_TEMPERING ** np.clip(1.0 - progress, 0.0, 1.0), np.where(progress < 1.0, 1.0, 0.3)


def _adapt(state: State, hyperparameters: np.ndarray, log_steps: np.ndarray, annealing: bool, last: bool) -> State:
    """Fit the reference to the moves since the end of the annealing, or to the latest; fix the step in the end."""
    if not annealing:
        hyperparameters = np.concatenate([state.history, hyperparameters], axis=1)
        log_steps = np.concatenate([state.log_steps, log_steps], axis=1)
    chains = state.chains
    if last:
        # The steps of the first half are still on their way down from those of smaller temperings.
        settled = log_steps[:, log_steps.shape[1] // 2 :]
        chains = chains._replace(log_step=np.full(len(log_steps), settled.mean()))
    return State(chains, _fit(hyperparameters, np.asarray(state.reference.pace)), hyperparameters, log_steps)
