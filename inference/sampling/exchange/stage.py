"""What a round of replica exchange begins with, and what the next one learns from it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.exchange.ladder import count_levels, place_levels
from bayes_nn.inference.sampling.exchange.round_result import RoundResult
from bayes_nn.inference.sampling.exchange.start import Start
from bayes_nn.inference.sampling.exchange.system import Sweep, System, start_systems
from bayes_nn.inference.sampling.moves.move import Move
from bayes_nn.inference.sampling.moves.pace import adapt_pace
from bayes_nn.inference.sampling.moves.reference import Reference, reference_of, reference_of_prior
from bayes_nn.runtime.mapping import map_each

#: Rounds after which a system that lags behind is begun anew from the best one, and the nats it must lag.
COPYING_ROUNDS, LAG = 2, 2.0
#: Gradient evaluations that a level may take in one sweep by making more moves, and most moves: where they are cheap a
#: replica that arrives has to forget where it comes from, which decides whether it comes back.
STEPS_PER_SWEEP, MOST_MOVES = 48, 8


class Stage(NamedTuple):
    """What a round begins with.

    Attributes:
        tempering: levels from 0 to 1, (T,).
        reference: stacked over the levels above the prior.
        moves: in one sweep, at every level above the prior.
        systems: stacked.
    """

    tempering: Float[np.ndarray, " T"]
    reference: Reference
    moves: Int[np.ndarray, " T-1"]
    systems: System


def first_stage(problem: Problem, move: Move, start: Start, key: Array) -> Stage:
    """Every replica where SMC left it; references fitted to the particles of all systems at the level and beside it."""
    systems, levels = start.u.shape[:2]
    particles = _on_host(start_systems(problem, jnp.asarray(start.u)))
    keys = jax.random.key_data(jax.random.split(key, systems))
    replica = np.tile(np.arange(levels), (systems, 1))
    log_step = np.full((systems, levels - 1), np.log(0.5))
    key_reference = jax.random.fold_in(key, 1)
    wide = reference_of_prior(problem, key_reference)
    reference = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], levels - 1, axis=0), wide)
    moves = np.ones(levels - 1, int)
    stage = Stage(start.tempering, reference, moves, System(keys, particles, replica, log_step))
    return adapt_paces(problem, move, stage, jax.random.fold_in(key, 2))


def next_stage(problem: Problem, move: Move, stage: Stage, result: RoundResult, sweeps: Sweep, number: int) -> Stage:
    """Levels of equal rejection, references of the draws at every level, and a new start for systems that lag behind.

    Args:
        problem: the posterior.
        move: how replicas are moved.
        stage: at the end of the round.
        result: of the round.
        sweeps: of the round, (systems, sweeps, ...).
        number: of the round, from 0.
    """
    levels = place_levels(
        stage.tempering, result.local_barriers, count_levels(result.local_barriers.sum(), len(stage.tempering))
    )
    nearest = np.abs(stage.tempering - levels[:, None]).argmin(axis=1)
    above = np.maximum(nearest[1:], 1) - 1
    fitted = _fit_references(sweeps.hyperparameters[:, :, 1:], np.asarray(stage.reference.pace))
    reference = jax.tree.map(lambda leaf: leaf[above], fitted)
    values = np.array([each.value for each in result.evidence])
    source = np.arange(len(values))
    if number < COPYING_ROUNDS:
        source = np.where(values.max() - values > LAG, values.argmax(), source)
    old = stage.systems
    log_step = np.tile(old.log_step.mean(axis=0)[above], (len(values), 1))
    particles = jax.tree.map(lambda leaf: leaf[source][:, nearest], old.particles)
    replica = np.tile(np.arange(len(levels)), (len(values), 1))
    steps_of_a_move = np.interp(levels[1:], stage.tempering[1:], sweeps.steps.mean(axis=(0, 1)) / stage.moves)
    moves = np.clip(np.round(STEPS_PER_SWEEP / steps_of_a_move), 1, MOST_MOVES).astype(int)
    begun = Stage(levels, reference, moves, System(old.key, particles, replica, log_step))
    key = jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(old.key[0])), number)
    return adapt_paces(problem, move, begun, key)


def adapt_paces(problem: Problem, move: Move, stage: Stage, key: Array) -> Stage:
    """The pace of every block of latents at every level, from the curvature at the replicas there."""
    if not move.has_pace:
        return _on_host(stage)
    systems, tempering = stage.systems, stage.tempering[1:]
    own = np.arange(len(tempering))
    neighbours = np.clip(own[:, None] + [-1, 0, 1], 0, own[-1])
    # A level's replicas are few, and those beside it are alike.
    u = np.swapaxes(systems.particles.u[:, 1:], 0, 1)[neighbours].reshape(len(own), -1, systems.particles.u.shape[2])
    keys = jax.random.split(key, len(own))
    steps = np.exp(systems.log_step.mean(axis=0))
    reference, steps = _adapt_paces(problem, stage.reference, (tempering, steps, keys, u))
    log_step = np.tile(np.log(steps), (len(systems.log_step), 1))
    return _on_host(stage._replace(reference=reference, systems=systems._replace(log_step=log_step)))


@jax.jit
def _adapt_paces(problem: Problem, references: Reference, own: tuple) -> tuple[Reference, Float[Array, " T"]]:
    return map_each(lambda each: adapt_pace(problem, each[0], *each[1]), (references, own))


def _fit_references(hyperparameters: Float[np.ndarray, "S sweeps T H"], pace: Float[np.ndarray, "T D"]) -> Reference:
    """A Gaussian for every level, of the draws of all systems."""
    draws = np.concatenate(hyperparameters)
    centred = draws - draws.mean(axis=0)
    covariance = np.einsum("nta,ntb->tab", centred, centred) / len(draws)
    counts = np.full(draws.shape[1], float(len(draws)))
    return _on_host(_references_of(draws.mean(axis=0), covariance, counts, pace))


@jax.jit
def _references_of(*moments: Array) -> Reference:
    return map_each(lambda each: reference_of(*each), moments)


def _on_host(tree: Any) -> Any:
    """As NumPy arrays, so that every call sees arguments placed alike and is not compiled anew."""
    return jax.tree.map(np.asarray, tree)
