"""A system of replica exchange: one replica at every level, moved and then swapped with its neighbours.

Swaps alternate between the even and the odd pairs of neighbours, which lets replicas travel instead of diffusing
(Okabe et al. 2001; Syed, Bouchard-Cote, Deligiannidis and Doucet 2021, Journal of the Royal Statistical Society B 84,
Algorithm 1). Swaps cost nothing beside moves, so that both kinds follow every sweep. The replica at the prior is a new
independent draw in every sweep.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.moves.move import UNIFORMS, Move, MoveInfo, Particle, evaluate, no_moves
from bayes_nn.inference.sampling.moves.reference import Reference
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.mapping import map_each

#: Acceptance that the step size of every level is adapted to, and the largest and smallest step, radians.
TARGET_ACCEPTANCE, SMALLEST_STEP, LARGEST_STEP = 0.75, 1e-4, jnp.pi / 2


class Levels(NamedTuple):
    """What all systems have in common.

    Attributes:
        problem: the posterior.
        move: how replicas are moved.
        tempering: levels from 0 to 1, (T,).
        reference: the Gaussian that moves rotate about, one for every level above the prior, stacked, (T - 1, ...).
        moves: that a replica makes at every level above the prior in one sweep, (T - 1,).
    """

    problem: Problem
    move: Move
    tempering: Float[Array | np.ndarray, " T"]
    reference: Reference
    moves: Int[Array | np.ndarray, " T-1"]


class System(NamedTuple):
    """State of one system.

    Attributes:
        key: raw random key of the sweeps to come.
        particles: by level, (T, ...).
        replica: which replica is at every level, (T,).
        log_step: logarithm of the largest angle of one step of the move at every level above the prior, (T - 1,).
    """

    key: Array | np.ndarray
    particles: Particle
    replica: Int[Array | np.ndarray, " T"]
    log_step: Float[Array | np.ndarray, " T-1"]


class Sweep(NamedTuple):
    """What is kept of one sweep.

    Attributes:
        u: at the posterior, (D,).
        hyperparameters: first block of u at every level, (T, H).
        log_likelihood: at every level after the moves, (T,).
        rejection: probability that a swap of neighbours is refused, (T - 1,).
        replica: at every level after the swaps, (T,).
        steps: gradient evaluations at every level above the prior, (T - 1,).
        stats: of the move at the posterior, by the names ArviZ reads.
    """

    u: Float[np.ndarray, " D"]
    hyperparameters: Float[np.ndarray, "T H"]
    log_likelihood: Float[np.ndarray, " T"]
    rejection: Float[np.ndarray, " T-1"]
    replica: Int[np.ndarray, " T"]
    steps: Int[np.ndarray, " T-1"]
    stats: dict[str, Any]


@jax.jit
def start_systems(problem: Problem, u: Float[Array, "S T D"]) -> Particle:
    """Evaluate the particles that systems start from."""
    return map_over_devices(lambda problem, own: map_each(partial(evaluate, problem), own), len(u))(problem, u)


@partial(jax.jit, static_argnames="sweeps")
def sweep_systems(levels: Levels, systems: System, gain: Array, sweeps: int) -> tuple[System, Sweep]:
    """Sweep every system.

    Args:
        levels: what they have in common.
        systems: stacked.
        gain: of the adaptation of the step sizes; 0 leaves them alone.
        sweeps: how many.

    Returns:
        The systems after the last sweep, and what is kept of every one, (systems, sweeps, ...).
    """

    def advance(shared: tuple, system: System) -> tuple[System, Sweep]:
        levels, gain = shared
        return jax.lax.scan(lambda system, _: _sweep(levels, system, gain), system, length=sweeps)

    return map_over_devices(advance, len(systems.replica))((levels, gain), systems)


def _sweep(levels: Levels, system: System, gain: Array) -> tuple[System, Sweep]:
    problem, tempering = levels.problem, levels.tempering
    above, dimension = len(tempering) - 1, system.particles.u.shape[1]
    keys = jax.random.split(jax.random.wrap_key_data(jnp.asarray(system.key)), 4)
    drawn = evaluate(problem, problem.sample_prior(keys[1]))

    def moves(each: tuple) -> tuple[Particle, MoveInfo, Array]:
        key, particle, reference, tempering, log_step, count = each

        def move(number: Array, carry: tuple) -> tuple[Particle, MoveInfo, Array]:
            particle, _, steps = carry
            key_direction, key_uniforms = jax.random.split(jax.random.fold_in(key, number))
            noise = jax.random.normal(key_direction, (dimension,)), jax.random.uniform(key_uniforms, (UNIFORMS,))
            particle, info = levels.move(noise, particle, problem, reference, tempering, jnp.exp(log_step))
            return particle, info, steps + info.steps

        return jax.lax.fori_loop(0, count, move, (particle, no_moves(()), jnp.zeros((), int)))

    rest = jax.tree.map(lambda leaf: leaf[1:], system.particles)
    own = jax.random.split(keys[2], above), rest, levels.reference, tempering[1:], system.log_step, levels.moves
    moved, info, steps = map_each(moves, own)
    particles = jax.tree.map(lambda first, others: jnp.concatenate([first[None], others]), drawn, moved)
    log_likelihood = particles.log_likelihood
    order = jnp.arange(above + 1)
    for parity, uniforms in enumerate(jax.random.uniform(keys[3], (2, above))):
        in_turn = jnp.arange(above) % 2 == parity
        swapped = (uniforms < _swap_acceptance(tempering, log_likelihood[order])) & in_turn
        order = order[jnp.arange(above + 1) + jnp.pad(swapped, (0, 1)) - jnp.pad(swapped, (1, 0))]
    acceptance = _swap_acceptance(tempering, log_likelihood)
    log_step = system.log_step
    if levels.move.adapts_step:
        log_step = log_step + gain * (info.acceptance - TARGET_ACCEPTANCE)
        log_step = jnp.clip(log_step, jnp.log(SMALLEST_STEP), jnp.log(LARGEST_STEP))
    swept = System(
        jax.random.key_data(keys[0]), jax.tree.map(lambda leaf: leaf[order], particles), system.replica[order], log_step
    )
    stats = {
        "lp": particles.log_prior[-1] + log_likelihood[-1],
        "energy": info.energy[-1],
        "acceptance_rate": info.acceptance[-1],
        "diverging": info.diverging[-1],
        "n_steps": info.steps[-1],
        "step_size": jnp.exp(system.log_step[-1]),
    }
    hyperparameters = particles.u[:, : problem.n_hyperparameters]
    kept: Any = (particles.u[-1], hyperparameters, log_likelihood, 1.0 - acceptance, swept.replica, steps, stats)
    return swept, Sweep(*kept)


def _swap_acceptance(
    tempering: Float[Array | np.ndarray, " T"], log_likelihood: Float[Array, " T"]
) -> Float[Array, " T-1"]:
    """Of a swap of neighbours: the hotter replica takes the step in tempering, the colder one gives it up."""
    log_ratio = jnp.diff(tempering) * -jnp.diff(log_likelihood)
    return jnp.exp(jnp.minimum(jnp.nan_to_num(log_ratio, nan=-jnp.inf), 0.0))
