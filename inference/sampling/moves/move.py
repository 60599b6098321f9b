"""What a Markov move is: a step from one particle to the next that leaves a tempered posterior invariant.

To add a move, derive :class:`Move` in a file of this folder and register it as a pytree, its settings as data; SMC and
Markov chains take it as ``SMC(move=...)`` and ``InfiniteHMC(move=...)``.
"""

import abc
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.reference import Reference

#: Uniform random numbers that a move is given.
UNIFORMS = 25


class Particle(NamedTuple):
    """A point with what the move and the tempering need to know about it.

    Attributes:
        u: unconstrained position, (D,).
        log_prior: log prior density at u.
        log_likelihood: log p(y | z) at u.
    """

    u: Float[Array, " D"]
    log_prior: Float[Array, ""]
    log_likelihood: Float[Array, ""]


class MoveInfo(NamedTuple):
    """What happened in a move.

    Attributes:
        acceptance: Metropolis acceptance probability.
        energy: total energy at the end of the move, nats.
        diverging: whether the energy error exceeded ``DIVERGENCE`` or was not finite.
        steps: gradient evaluations.
    """

    acceptance: Float[Array, ""]
    energy: Float[Array, ""]
    diverging: Array
    steps: Array


class Move(abc.ABC):
    """A Markov move.

    Attributes:
        adapts_step: whether its acceptance depends on a step size, which samplers then adapt.
        has_pace: whether blocks of latents may turn at a pace of their own, which samplers then adapt.
    """

    adapts_step: ClassVar[bool] = False
    has_pace: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(
        self,
        noise: tuple[Float[Array, " D"], Float[Array, " U"]],
        particle: Particle,
        problem: TemperedDensity,
        reference: Reference,
        tempering: Float[Array, ""],
        step_size: Float[Array, ""],
    ) -> tuple[Particle, MoveInfo]:
        """Move a particle.

        Args:
            noise: standard-normal numbers (D,) and ``UNIFORMS`` uniform ones; all the randomness of the move.
            particle: where to start.
            problem: the posterior.
            reference: a Gaussian near it.
            tempering: power of the likelihood, in [0, 1].
            step_size: largest angle of one step, radians, where the move takes steps.

        Returns:
            The particle after the move, and what happened.
        """


def evaluate(problem: TemperedDensity, u: Float[Array, " D"]) -> Particle:
    """The particle at u."""
    return Particle(u, *problem.log_densities(u))


def log_tempered(particle: Particle, tempering: Array) -> Float[Array, ""]:
    """Log density of the tempered posterior, up to its normalisation, nats."""
    return particle.log_prior + tempering * particle.log_likelihood


def no_moves(shape: int | tuple[()]) -> MoveInfo:
    """What happened to particles that have not been moved yet."""
    nothing = jnp.zeros(shape)
    return MoveInfo(nothing, nothing, nothing.astype(bool), nothing.astype(int))
