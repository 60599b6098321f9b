"""What a NumPyro model says of y given its latents."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.priors.numpyro_prior import OBSERVED, Site


class ObservationDistribution(NamedTuple):
    """The distribution of y given the latents, as a NumPyro model states it.

    Attributes:
        distribution: of all of y.

    Example:
        >>> y = ObservationDistribution(dist.Normal(jnp.zeros(3), 1.0).to_event(1))
        >>> type(y.innermost).__name__, y.log_probs(jnp.zeros(3)).shape
        ('Normal', (3,))
    """

    distribution: Any

    @classmethod
    def of(cls, sites: Mapping[str, Site]) -> "ObservationDistribution":
        """That of one run of a model."""
        return cls(sites[OBSERVED]["fn"])

    @property
    def innermost(self) -> dist.Distribution:
        """What is inside ``to_event``, ``expand`` and ``mask``."""
        distribution = self.distribution
        while isinstance(distribution, (dist.Independent, dist.ExpandedDistribution, dist.MaskedDistribution)):
            distribution = distribution.base_dist
        return distribution

    @property
    def probabilities(self) -> Float[Array, "N K"] | None:
        """Probability of every class, None where y is not the number of a class."""
        inner, shape = self.innermost, self.distribution.shape()
        if isinstance(inner, (dist.BernoulliProbs, dist.BernoulliLogits)):
            second = jnp.broadcast_to(inner.probs, shape)
            return jnp.stack([1.0 - second, second], axis=1)
        if isinstance(inner, (dist.CategoricalProbs, dist.CategoricalLogits)):
            return jnp.broadcast_to(inner.probs, (*shape, inner.probs.shape[-1]))
        return None

    @property
    def location(self) -> Array:
        """The mean of y; the location parameter where there is no finite mean."""
        mean, location = self.distribution.mean, getattr(self.innermost, "loc", None)
        return mean if location is None else jnp.where(jnp.isfinite(mean), mean, location)

    def mean(self, shape: tuple[int, ...], labels: bool) -> Float[Array, "N C"]:
        """The mean of y, (N, C), or, where it is a label, the probabilities of its classes (of the second of two)."""
        if labels and self.probabilities is not None:
            return self.probabilities[:, -shape[1] :]
        return jnp.broadcast_to(self.location.reshape(shape[0], -1), shape)

    def log_density(self, y: Array) -> Float[Array, ""]:
        """``log p(y | z)`` in nats; -inf where y is outside the support or the model fails."""
        log_density = jnp.sum(self.distribution.log_prob(y))
        possible = jnp.isfinite(log_density) & jnp.all(self.distribution.support(y))
        return jnp.where(possible, log_density, -jnp.inf)

    def log_probs(self, y: Array) -> Array:
        """``log p(y | z)`` of as many parts of y as are independent given the latents, (N, C), (N,) or ()."""
        distribution = self.distribution
        while isinstance(distribution, dist.Independent):
            distribution = distribution.base_dist
        return distribution.log_prob(y)
