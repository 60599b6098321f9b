"""The Gaussian that moves rotate about: the prior of the hidden weights, and a fit to the hyperparameters.

For the hidden weights it is the prior, so that acceptance does not fall as the width grows, and for the few
hyperparameters a Gaussian fitted to the particles, so that a quarter turn decorrelates stiff and slack directions
alike.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem

#: Draws from the prior that a reference is fitted to before anything is known of the posterior.
PRIOR_DRAWS = 256


class Reference(NamedTuple):
    """The Gaussian N(mean, L L') of the hyperparameter block; the hidden weights' is N(0, I).

    Attributes:
        mean: (H,).
        factor: lower-triangular, (H, H).
        pace: angle of every coordinate in a step, relative to the largest
            (:mod:`bayes_nn.inference.sampling.moves.pace`).
    """

    mean: Float[Array, " H"]
    factor: Float[Array, "H H"]
    pace: Float[Array, " D"]

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


@jax.jit
def reference_of_prior(problem: Problem, key: Array) -> Reference:
    """The Gaussian fitted to draws from the prior, to begin with."""
    return fit_reference(problem.sample_prior(key, (PRIOR_DRAWS,)), problem.n_hyperparameters)


def fit_reference(u: Float[Array, "P D"], dimension: int) -> Reference:
    """A Gaussian with the particles' mean and covariance in the hyperparameter block.

    The covariance is shrunk towards its diagonal by d/(d + P), since few particles know few correlations.
    """
    block = u[:, :dimension]
    mean = jnp.mean(block, axis=0)
    centred = block - mean
    return reference_of(mean, centred.T @ centred / len(u), jnp.asarray(len(u), float), jnp.ones(u.shape[1]))


def reference_of(
    mean: Float[Array, " H"], covariance: Float[Array, "H H"], count: Float[Array, ""], pace: Float[Array, " D"]
) -> Reference:
    """The Gaussian of these moments, found from ``count`` points and shrunk as in :func:`fit_reference`."""
    dimension = len(mean)
    if dimension == 0:
        return Reference(mean, covariance, pace)
    shrink = dimension / (dimension + count)
    variance = jnp.diagonal(covariance) + 1e-8
    covariance = (1.0 - shrink) * covariance + shrink * jnp.diag(variance)
    return Reference(mean, jnp.linalg.cholesky(covariance + 1e-8 * jnp.eye(dimension)), pace)
