"""Hamiltonian trajectories whose acceptance does not fall with the number of hidden weights."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.move import Move, MoveInfo, Particle, evaluate, log_tempered
from bayes_nn.inference.sampling.moves.reference import Reference

#: Energy error (nats) beyond which a trajectory counts as divergent.
DIVERGENCE = 1000.0

#: Smallest fraction of the step size that a trajectory takes.
SMALLEST_STEP = 0.2


@partial(jax.tree_util.register_dataclass, data_fields=["max_steps"], meta_fields=[])
@dataclass(frozen=True)
class HamiltonianMove(Move):
    """One trajectory of random length, accepted or refused by Metropolis' rule.

    The flow of the reference is an exact rotation; the difference between posterior and reference kicks the momentum
    half way through each step (Beskos, Pinski, Sanz-Serna and Stuart 2011, Stochastic Processes and their Applications
    121). Stiff blocks of latents turn at a slower pace (:mod:`bayes_nn.inference.sampling.moves.pace`). A trajectory
    takes a random fraction of the step size, mostly near 1 and sometimes ``SMALLEST_STEP``, so that none stays where
    only small steps are stable.

    Args:
        max_steps: most gradient evaluations.

    Example:
        >>> HamiltonianMove(max_steps=64).adapts_step
        True
    """

    max_steps: int | Array = 64

    adapts_step = True
    has_pace = True

    def __call__(
        self,
        noise: tuple[Float[Array, " D"], Float[Array, " U"]],
        particle: Particle,
        problem: TemperedDensity,
        reference: Reference,
        tempering: Float[Array, ""],
        step_size: Float[Array, ""],
    ) -> tuple[Particle, MoveInfo]:
        """See :class:`Move`; three of the uniforms are used."""
        momentum, uniforms = noise
        length = jnp.pi / 2 * (0.4 + uniforms[0])
        step_size = step_size * SMALLEST_STEP ** (uniforms[1] ** 3)
        length = jnp.minimum(length, self.max_steps * step_size)
        steps = jnp.ceil(length / step_size - 1e-9).astype(int)
        largest = length / steps
        angle = largest * reference.pace

        def rotate(z: Array, momentum: Array, angle: Array) -> tuple[Array, Array]:
            cosine, sine = jnp.cos(angle), jnp.sin(angle)
            return cosine * z + sine * momentum, cosine * momentum - sine * z

        def kick(z: Array, momentum: Array) -> Array:
            """By the gradient of psi = -log density - |z|^2/2, which vanishes where problem and reference agree."""
            prior_gradient, likelihood_gradient = problem.gradients(reference.to_u(z), largest)
            return momentum + angle * (reference.pull_back(prior_gradient + tempering * likelihood_gradient) + z)

        def step(number: Array, point: tuple[Array, Array]) -> tuple[Array, Array]:
            z, momentum = point
            return rotate(z, kick(z, momentum), jnp.where(number == steps - 1, 0.5, 1.0) * angle)

        start = rotate(reference.to_z(particle.u), momentum, 0.5 * angle)
        end, end_momentum = jax.lax.fori_loop(0, steps, step, start)
        proposal = evaluate(problem, reference.to_u(end))
        before = 0.5 * jnp.vdot(momentum, momentum) - log_tempered(particle, tempering)
        after = 0.5 * jnp.vdot(end_momentum, end_momentum) - log_tempered(proposal, tempering)
        error = jnp.where(jnp.isfinite(after), after - before, jnp.inf)
        acceptance = jnp.exp(jnp.minimum(-error, 0.0))
        accepted = uniforms[2] < acceptance
        moved = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), proposal, particle)
        return moved, MoveInfo(acceptance, jnp.where(accepted, after, before), error > DIVERGENCE, steps)
