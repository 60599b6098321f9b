"""Elliptical slices about the reference, for posteriors of few latents."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.move import UNIFORMS, Move, MoveInfo, Particle, evaluate, log_tempered
from bayes_nn.inference.sampling.moves.reference import Reference

#: Points that an elliptical slice tries before it stays where it is.
SLICE_POINTS = UNIFORMS - 1


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=[])
@dataclass(frozen=True)
class EllipticalSlice(Move):
    """One elliptical slice about the reference: no gradient, no step size, no refusal.

    Murray, Adams and MacKay 2010 (AISTATS), with a fitted Gaussian in place of the prior as in
    Nishihara, Murray and Adams 2014 (JMLR 15). For kernel priors, whose gradient costs several times
    their value and whose z has few dimensions, it is the cheaper move. Its ``acceptance`` is 0 only where no point was
    found.

    Example:
        >>> EllipticalSlice().adapts_step
        False
    """

    def __call__(
        self,
        noise: tuple[Float[Array, " D"], Float[Array, " U"]],
        particle: Particle,
        problem: TemperedDensity,
        reference: Reference,
        tempering: Float[Array, ""],
        step_size: Float[Array, ""],
    ) -> tuple[Particle, MoveInfo]:
        """See :class:`Move`; all of the uniforms are used, the step size is not."""
        direction, uniforms = noise
        start = reference.to_z(particle.u)

        def height(particle: Particle, z: Array) -> Array:
            return log_tempered(particle, tempering) + 0.5 * jnp.vdot(z, z)

        level = height(particle, start) + jnp.log(uniforms[0])
        first = 2.0 * jnp.pi * uniforms[1]

        def at(angle: Array) -> tuple[Particle, Array]:
            z = jnp.cos(angle) * start + jnp.sin(angle) * direction
            point = evaluate(problem, reference.to_u(z))
            return point, height(point, z)

        def outside(carry: tuple) -> Array:
            count, _, found = carry[0], carry[1], carry[2]
            return ~found & (count < SLICE_POINTS)

        def shrink(carry: tuple) -> tuple:
            count, angle, _, low, high, point = carry
            point, value = at(angle)
            found = value > level
            low, high = jnp.where(angle < 0.0, angle, low), jnp.where(angle < 0.0, high, angle)
            following = low + (high - low) * uniforms[jnp.minimum(count + 2, SLICE_POINTS)]
            return count + 1, jnp.where(found, angle, following), found, low, high, point

        carry = jnp.zeros((), int), first, jnp.zeros((), bool), first - 2.0 * jnp.pi, first, particle
        count, _, found, _, _, point = jax.lax.while_loop(outside, shrink, carry)
        moved = jax.tree.map(lambda new, old: jnp.where(found, new, old), point, particle)
        energy = 0.5 * jnp.vdot(direction, direction) - log_tempered(moved, tempering)
        return moved, MoveInfo(found.astype(float), energy, jnp.zeros((), bool), count)
