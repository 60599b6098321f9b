"""The preconditioned Crank-Nicolson move: no gradient, and an acceptance that does not fall with the dimension."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.move import Move, MoveInfo, Particle, evaluate, log_tempered
from bayes_nn.inference.sampling.moves.reference import Reference


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=[])
@dataclass(frozen=True)
class CrankNicolson(Move):
    """One rotation about the reference by the step size, accepted or refused by Metropolis' rule.

    Cotter, Roberts, Stuart and White 2013 (Statistical Science 28, section 4.2), with a fitted Gaussian in place of the
    prior where there is one. A step costs one log likelihood, and the moves are a random walk: for likelihoods whose
    gradient is dear or does not exist.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.inference.SMC(move=CrankNicolson()).move
        CrankNicolson()
    """

    adapts_step = True

    def __call__(
        self,
        noise: tuple[Float[Array, " D"], Float[Array, " U"]],
        particle: Particle,
        problem: TemperedDensity,
        reference: Reference,
        tempering: Float[Array, ""],
        step_size: Float[Array, ""],
    ) -> tuple[Particle, MoveInfo]:
        """See :class:`Move`; one of the uniforms is used."""
        direction, uniforms = noise
        start = reference.to_z(particle.u)
        end = jnp.cos(step_size) * start + jnp.sin(step_size) * direction
        proposal = evaluate(problem, reference.to_u(end))

        def height(particle: Particle, z: Float[Array, " D"]) -> Float[Array, ""]:
            """Log density relative to the reference, which the rotation leaves invariant."""
            return log_tempered(particle, tempering) + 0.5 * jnp.vdot(z, z)

        gain = height(proposal, end) - height(particle, start)
        acceptance = jnp.where(jnp.isnan(gain), 0.0, jnp.exp(jnp.minimum(gain, 0.0)))
        accepted = uniforms[0] < acceptance
        moved = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), proposal, particle)
        energy = -log_tempered(moved, tempering)
        return moved, MoveInfo(acceptance, energy, jnp.zeros((), bool), jnp.ones((), int))
