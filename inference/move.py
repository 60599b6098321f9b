"""The Markov moves of SMC particles and of chains; both rotate about a Gaussian reference that they leave invariant.

The reference is the prior for the hidden weights, so that acceptance does not fall as the width grows,
and a Gaussian fitted to the particles for the few hyperparameters, so that a quarter turn decorrelates
stiff and slack directions alike.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.target import Density

#: Energy error (nats) beyond which a trajectory counts as divergent.
DIVERGENCE = 1000.0

#: Smallest fraction of the step size that a trajectory takes.
SMALLEST_STEP = 0.2

#: Points that an elliptical slice tries before it stays where it is.
SLICE_POINTS = 24


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


class Reference(NamedTuple):
    """The Gaussian N(mean, L L') of the hyperparameter block; the hidden weights' is N(0, I).

    Attributes:
        mean: (H,).
        factor: lower-triangular, (H, H).
    """

    mean: Float[Array, " H"]
    factor: Float[Array, "H H"]

    def to_u(self, z: Float[Array, " D"]) -> Float[Array, " D"]:
        """From reference coordinates, in which the reference is N(0, I)."""
        H = len(self.mean)
        return jnp.concatenate([self.mean + self.factor @ z[:H], z[H:]])

    def to_z(self, u: Float[Array, " D"]) -> Float[Array, " D"]:
        """Into reference coordinates."""
        H = len(self.mean)
        if H == 0:
            return u
        return jnp.concatenate([jax.scipy.linalg.solve_triangular(self.factor, u[:H] - self.mean, lower=True), u[H:]])

    def pull_back(self, gradient: Float[Array, " D"]) -> Float[Array, " D"]:
        """A gradient in u turned into one in z."""
        H = len(self.mean)
        return jnp.concatenate([self.factor.T @ gradient[:H], gradient[H:]])


def fit_reference(u: Float[Array, "P D"], dimension: int) -> Reference:
    """A Gaussian with the particles' mean and covariance in the hyperparameter block.

    The covariance is shrunk towards its diagonal by d/(d + P), since few particles know few correlations.
    """
    block = u[:, :dimension]
    mean = jnp.mean(block, axis=0)
    centred = block - mean
    return reference_of(mean, centred.T @ centred / len(u), jnp.asarray(len(u), float))


def reference_of(mean: Float[Array, " H"], covariance: Float[Array, "H H"], count: Float[Array, ""]) -> Reference:
    """The Gaussian of these moments, found from ``count`` points and shrunk as in :func:`fit_reference`."""
    dimension = len(mean)
    if dimension == 0:
        return Reference(mean, covariance)
    shrink = dimension / (dimension + count)
    variance = jnp.diagonal(covariance) + 1e-8
    covariance = (1.0 - shrink) * covariance + shrink * jnp.diag(variance)
    return Reference(mean, jnp.linalg.cholesky(covariance + 1e-8 * jnp.eye(dimension)))


def evaluate(target: Density, u: Float[Array, " D"]) -> Particle:
    """The particle at u."""
    return Particle(u, *target.log_densities(u))


def _tempered(particle: Particle, temperature: Array) -> Float[Array, ""]:
    return particle.log_prior + temperature * particle.log_likelihood


def hamiltonian_move(
    noise: tuple[Float[Array, " D"], Float[Array, " U"]],
    particle: Particle,
    target: Density,
    reference: Reference,
    temperature: Float[Array, ""],
    step_size: Float[Array, ""],
    max_steps: int,
) -> tuple[Particle, MoveInfo]:
    """One trajectory of random length, accepted or refused by Metropolis' rule.

    The flow of the reference is an exact rotation; what target and reference differ by kicks the momentum half way
    through each step (Beskos, Pinski, Sanz-Serna and Stuart 2011, Stochastic Processes and their Applications 121).

    Args:
        noise: a standard-normal momentum (D,) and uniforms, of which three are used.
        particle: where to start.
        target: the posterior.
        reference: the Gaussian left invariant by the rotation.
        temperature: power of the likelihood, in [0, 1].
        step_size: largest angle of one step, radians; pi/2 is a quarter turn. A trajectory takes a random fraction
            of it, mostly near 1 and sometimes ``SMALLEST_STEP``, so that none stays where only small steps are stable.
        max_steps: most gradient evaluations.

    Returns:
        The particle after the move, and what happened.
    """
    momentum, uniforms = noise
    length = jnp.pi / 2 * (0.4 + uniforms[0])
    step_size = step_size * SMALLEST_STEP ** (uniforms[1] ** 3)
    length = jnp.minimum(length, max_steps * step_size)
    steps = jnp.ceil(length / step_size - 1e-9).astype(int)
    angle = length / steps

    def rotate(z: Array, momentum: Array, angle: Array) -> tuple[Array, Array]:
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        return cosine * z + sine * momentum, cosine * momentum - sine * z

    def kick(z: Array, momentum: Array) -> Array:
        """By the gradient of psi = -log density - |z|^2/2, which vanishes where target and reference agree."""
        prior_gradient, likelihood_gradient = target.gradients(reference.to_u(z), angle)
        return momentum + angle * (reference.pull_back(prior_gradient + temperature * likelihood_gradient) + z)

    def step(number: Array, point: tuple[Array, Array]) -> tuple[Array, Array]:
        z, momentum = point
        return rotate(z, kick(z, momentum), jnp.where(number == steps - 1, 0.5, 1.0) * angle)

    start = rotate(reference.to_z(particle.u), momentum, 0.5 * angle)
    end, end_momentum = jax.lax.fori_loop(0, steps, step, start)
    proposal = evaluate(target, reference.to_u(end))
    before = 0.5 * jnp.vdot(momentum, momentum) - _tempered(particle, temperature)
    after = 0.5 * jnp.vdot(end_momentum, end_momentum) - _tempered(proposal, temperature)
    error = jnp.where(jnp.isfinite(after), after - before, jnp.inf)
    acceptance = jnp.exp(jnp.minimum(-error, 0.0))
    accepted = uniforms[2] < acceptance
    moved = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), proposal, particle)
    return moved, MoveInfo(acceptance, jnp.where(accepted, after, before), error > DIVERGENCE, steps)


def slice_move(
    noise: tuple[Float[Array, " D"], Float[Array, " U"]],
    particle: Particle,
    target: Density,
    reference: Reference,
    temperature: Float[Array, ""],
) -> tuple[Particle, MoveInfo]:
    """One elliptical slice about the reference: no gradient, no step size, no refusal.

    Murray, Adams and MacKay 2010 (AISTATS), with a fitted Gaussian in place of the prior as in
    Nishihara, Murray and Adams 2014 (JMLR 15). For kernel priors, whose gradient costs several times
    their value and whose z has few dimensions, it is the cheaper move.

    Args:
        noise: a standard-normal direction (D,) and ``SLICE_POINTS + 1`` uniforms.
        particle: where to start.
        target: the posterior.
        reference: the Gaussian that the ellipse is drawn from.
        temperature: power of the likelihood, in [0, 1].

    Returns:
        The particle after the move, and what happened; ``acceptance`` is 0 only where no point was found.
    """
    direction, uniforms = noise
    start = reference.to_z(particle.u)

    def height(particle: Particle, z: Array) -> Array:
        return _tempered(particle, temperature) + 0.5 * jnp.vdot(z, z)

    level = height(particle, start) + jnp.log(uniforms[0])
    first = 2.0 * jnp.pi * uniforms[1]

    def at(angle: Array) -> tuple[Particle, Array]:
        z = jnp.cos(angle) * start + jnp.sin(angle) * direction
        point = evaluate(target, reference.to_u(z))
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
    energy = 0.5 * jnp.vdot(direction, direction) - _tempered(moved, temperature)
    return moved, MoveInfo(found.astype(float), energy, jnp.zeros((), bool), count)
