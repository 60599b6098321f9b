"""Stiff blocks of latents turn at a slower pace, and trajectories leave the density invariant at any pace."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayes_nn.inference.sampling.moves.hamiltonian import HamiltonianMove
from bayes_nn.inference.sampling.moves.move import UNIFORMS, evaluate
from bayes_nn.inference.sampling.moves.pace import adapt_pace
from bayes_nn.inference.sampling.moves.reference import Reference

#: Curvature of every coordinate: a slack block, a stiff one, and a small one that the data say nothing of.
SIZES = 12, 4, 2
CURVATURE = np.repeat([25.0, 1600.0, 1.0], SIZES)
REFERENCE = Reference(jnp.zeros(0), jnp.zeros((0, 0)), jnp.ones(18))


class Gaussian(NamedTuple):
    """A standard normal prior and a likelihood that makes the posterior normal with these curvatures."""

    curvature: jax.Array
    n_hyperparameters = 0
    has_many_latents = True
    blocks = (0, *SIZES)

    def log_densities(self, u):
        return -0.5 * u @ u, -0.5 * (self.curvature - 1.0) @ u**2

    def gradients(self, u, angle):
        return -u, -(self.curvature - 1.0) * u


PROBLEM = Gaussian(jnp.asarray(CURVATURE))


def test_pace_is_that_of_the_curvatures():
    """The block of curvature 25 leads, that of 1600 is 8 times slower but for the sizes, to a power of an eighth."""
    u = jnp.asarray(np.random.default_rng(0).normal(size=(64, 18)) / CURVATURE**0.5)
    reference, step = adapt_pace(PROBLEM, REFERENCE, jnp.ones(()), jnp.asarray(0.04), jax.random.key(0), u)
    expected = 25.0**0.5 / 1600.0**0.5 * (12 / 4) ** 0.125
    # Either stiffness is rounded to quarters of an octave; its noise is smaller.
    np.testing.assert_allclose(np.unique(reference.pace[12:16]), expected, rtol=0.25)
    np.testing.assert_array_equal(reference.pace[:12], 1.0)
    np.testing.assert_array_equal(reference.pace[16:], 1.0)
    # The stiffest block turns as it did.
    assert step == pytest.approx(0.04 / float(reference.pace[12]))


@jax.jit
def moved(u, key):
    def chain(u, key):
        def move(particle, key):
            own = jax.random.split(key)
            noise = jax.random.normal(own[0], u.shape), jax.random.uniform(own[1], (UNIFORMS,))
            pace = jnp.asarray(np.repeat([1.0, 0.15, 0.5], SIZES))
            return HamiltonianMove(16)(
                noise, particle, PROBLEM, REFERENCE._replace(pace=pace), jnp.ones(()), jnp.asarray(0.25)
            )

        particle, info = jax.lax.scan(move, evaluate(PROBLEM, u), jax.random.split(key, 5))
        return particle.u, info.acceptance.mean()

    return jax.lax.map(lambda each: chain(*each), (u, jax.random.split(key, len(u))))


@pytest.mark.statistical
def test_any_pace_leaves_the_density_invariant():
    """Variances of 4,000 exact draws after five moves, within 4.5 standard errors for 18 coordinates: 1 in 8,000."""
    u = jnp.asarray(np.random.default_rng(1).normal(size=(4000, 18)) / CURVATURE**0.5)
    after, acceptance = moved(u, jax.random.key(2))
    assert 0.5 < acceptance.mean() < 0.99
    assert not np.any(np.all(np.asarray(after) == np.asarray(u), axis=1) & (np.asarray(acceptance) > 0.99))
    scaled = np.asarray(after) ** 2 * CURVATURE
    assert np.abs(scaled.mean(axis=0) - 1.0).max() < 4.5 * np.sqrt(2.0 / 4000)
