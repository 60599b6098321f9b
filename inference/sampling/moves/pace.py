"""How far every block of latents turns in a step of a trajectory: stiff blocks less, so that slack ones can turn more.

A leapfrog step is stable up to about ``2 / sqrt(lambda)``, lambda the largest curvature of the density. In a network
that has learnt, a few biases and the weights of later layers are tens of times stiffer than the first layer's weights,
and with one angle for all they would dictate it. The angles of a trajectory may differ by coordinate, since each
rotation leaves N(0, 1) invariant; they differ by latent, so that no symmetry of the network changes them.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.reference import Reference
from bayes_nn.runtime.mapping import map_each

#: Distance, in standard deviations of the reference, over which curvature is measured.
DISTANCE = 0.01
#: Slowest pace; and the size, relative to the largest block's, from which a block counts among those that set it.
SLOWEST, LARGE = 0.02, 0.5
#: Points at which curvature is measured.
POINTS = 4


def adapt_pace(
    problem: TemperedDensity,
    reference: Reference,
    tempering: Float[Array, ""],
    step_size: Float[Array, ""],
    key: Array,
    u: Float[Array, "P D"],
) -> tuple[Reference, Float[Array, ""]]:
    """The reference with a pace for every coordinate, and the step size for which the stiffest block turns as before.

    Args:
        problem: the posterior.
        reference: with the pace so far.
        tempering: power of the likelihood.
        step_size: largest angle of a step so far, radians.
        key: random key.
        u: points at which curvature is measured.
    """
    sizes = np.array([size for size in problem.blocks if size])
    keys = jax.random.split(key, len(u))
    powers = map_each(lambda own: _powers(problem, reference, tempering, step_size, sizes, *own), (keys, u))
    # At least 1, the curvature of the reference; in quarters of an octave, lest rounding change a run.
    stiffness = 2.0 ** (jnp.round(0.5 * jnp.log2(jnp.maximum(jnp.mean(powers, axis=0), 1.0))) / 4.0)
    leading = jnp.min(jnp.where(sizes >= LARGE * sizes.max(), stiffness, jnp.inf))
    pace = jnp.clip(leading / stiffness, SLOWEST, 1.0)
    starts = np.cumsum(sizes) - sizes
    longer = jnp.max(stiffness * reference.pace[starts]) / jnp.max(stiffness * pace)
    return reference._replace(pace=jnp.repeat(pace, sizes, total_repeat_length=int(sizes.sum()))), step_size * longer


def _powers(
    problem: TemperedDensity,
    reference: Reference,
    tempering: Array,
    step_size: Array,
    sizes: np.ndarray,
    key: Array,
    u: Float[Array, " D"],
) -> Float[Array, " B"]:
    """An unbiased estimate, for every block H of the Hessian, of the sum of the fourth powers of its eigenvalues.

    ``E|H H v|^2 = tr(H^4)`` for standard-normal v (Hutchinson 1989); products with H by differences of gradients.
    """
    z = reference.to_z(u)

    def force(z: Array) -> Array:
        known, likelihood = problem.gradients(reference.to_u(z), step_size)
        return reference.pull_back(known + tempering * likelihood)

    noise = jax.random.normal(key, z.shape)
    blocks = jnp.asarray(np.repeat(np.eye(len(sizes)), sizes, axis=1))
    count = 2 * len(blocks)

    def evaluate(number: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """The force at z, then for every block that at H v and that at H H v: one loop compiles one gradient."""
        here, product, products = carry
        block = blocks[jnp.maximum(number - 1, 0) // 2]
        vector = jnp.where(number == 0, 0.0, jnp.where(number % 2 == 1, block * noise, product))
        length = jnp.maximum(jnp.linalg.norm(vector), 1e-30)
        found = force(z + DISTANCE / length * vector)
        here = jnp.where(number == 0, found, here)
        product = block * (here - found) * (length / DISTANCE)
        return here, product, products.at[number].set(jnp.sum(product**2))

    carry = z, z, jnp.zeros(count + 1)
    powers = jax.lax.fori_loop(0, count + 1, evaluate, carry)[2][2::2]
    return jnp.where(jnp.isfinite(powers), powers, 0.0)
