"""From one posterior to the next, as a path of densities that SMC can follow: more rows, or another task.

The log evidence that SMC finds on the way is that of the new data given the old (data tempering: Chopin 2002,
Biometrika 89).
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem


@partial(jax.tree_util.register_dataclass, data_fields=["parts", "before", "after"], meta_fields=[])
@dataclass(frozen=True)
class DataTempering:
    """Densities ``p(z) prod_k p(y_k | z)^w_k`` with powers w that go from ``before`` to ``after``.

    A :class:`~bayes_nn.inference.problem.problem.TemperedDensity`: the known density is that at ``before``, up to a
    factor, and the likelihood the ratio of the densities at the two ends.

    Attributes:
        parts: problems with the same latents, (K,).
        before: powers of their likelihoods where the path begins, (K,).
        after: and where it ends, (K,).
    """

    parts: tuple[Problem, ...]
    before: Float[Array, " K"]
    after: Float[Array, " K"]

    @property
    def n_hyperparameters(self) -> int:
        """Of every part."""
        return self.parts[0].n_hyperparameters

    @property
    def has_many_latents(self) -> bool:
        """Of every part."""
        return self.parts[0].has_many_latents

    @property
    def blocks(self) -> tuple[int, ...]:
        """Of every part."""
        return self.parts[0].blocks

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Array, Array]:
        """Log density where the path begins, and the log ratio of its ends, nats; -inf where that fails."""
        likelihoods = jnp.stack([part.log_likelihood(u) for part in self.parts])

        def weighted(powers: Float[Array, " K"]) -> Array:
            return jnp.sum(jnp.where(powers == 0.0, 0.0, powers * likelihoods))

        ratio = weighted(self.after - self.before)
        known = self.parts[0].log_prior(u) + weighted(self.before)
        return known, jnp.where(jnp.isfinite(ratio), ratio, -jnp.inf)

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of both in u, for trajectories."""
        (prior_gradient, *_), likelihoods = zip(*[part.gradients(u, angle) for part in self.parts], strict=True)
        gradients = jnp.stack(likelihoods)
        return prior_gradient + self.before @ gradients, (self.after - self.before) @ gradients
