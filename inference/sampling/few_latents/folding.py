"""Coordinates in which latents whose sign does not matter have one peak in place of two each."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float

from bayes_nn.inference.problem.problem import Problem, unconstrained_size
from bayes_nn.inference.sampling.few_latents.densities import Density


@partial(jax.tree_util.register_dataclass, data_fields=["problem", "signless"], meta_fields=[])
@dataclass(frozen=True)
class Folded:
    """A posterior whose latents without a sign are folded: a has become ``v``, with ``Phi(v) = 2 Phi(|a|) - 1``.

    Under the prior a and v are standard normal both, so that a latent that the data leave alone stays Gaussian; the
    logarithm of ``|a|`` would have a long tail.

    Attributes:
        problem: the posterior.
        signless: which entries of u are folded; they are standard normal under the prior.
    """

    problem: Problem
    signless: Bool[np.ndarray, " D"]

    @property
    def dimension(self) -> int:
        """Length of v."""
        return self.problem.dimension

    def sample_prior(self, key: Array, shape: tuple[int, ...] = ()) -> Float[Array, "... D"]:
        """Draws of v from the prior, with leading axes ``shape``."""
        u = self.problem.sample_prior(key, shape)
        return jnp.where(self.signless, -ndtri(2.0 * ndtr(-jnp.abs(u))), u)

    def log_densities(self, v: Float[Array, " D"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Log prior density of v and log likelihood, nats."""
        u = self.unfolded(v)
        log_prior, log_likelihood = self.problem.log_densities(u)
        return log_prior + 0.5 * jnp.sum(u * u - v * v, where=self.signless), log_likelihood

    def unfolded(self, v: Float[Array, "... D"]) -> Float[Array, "... D"]:
        """u, with positive signs."""
        return jnp.where(self.signless, -ndtri(0.5 * ndtr(-v)), v)


def fold(problem: Problem) -> Density:
    """The posterior with its latents without a sign folded; as it is where there are none.

    Example:
        >>> import bayes_nn as bnn
        >>> from bayes_nn.inference.problem.collapsed import CollapsedProblem
        >>> prior = bnn.priors.InputMetric(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(prior, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian())
        >>> fold(problem).signless.tolist()  # the noise, and a scale for either input
        [False, True, True]
    """
    names = problem.prior.latents_without_sign
    if not names:
        return problem
    signless = [np.full(unconstrained_size(latent), name in names) for name, latent in problem.latents.items()]
    return Folded(problem, np.concatenate(signless))


def unfold(density: Density, v: Float[np.ndarray, "... D"], rng: np.random.Generator) -> Float[np.ndarray, "... D"]:
    """u for the v of a density that was folded, with signs at random."""
    if not isinstance(density, Folded):
        return v
    return np.asarray(_unfolded(density, v)) * np.where(density.signless, rng.choice([-1.0, 1.0], size=v.shape), 1.0)


@jax.jit
def _unfolded(density: Folded, v: Float[Array, "... D"]) -> Float[Array, "... D"]:
    return density.unfolded(v)
