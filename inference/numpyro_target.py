"""The posterior of a NumPyro model as a density on an unconstrained vector, for every sampler of the package."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float
from numpyro.distributions import biject_to, constraints

from bayes_nn.inference.observed_site import ObservedSite
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Labels, Likelihood
from bayes_nn.parallel import one_at_a_time
from bayes_nn.priors.numpyro_prior import OBSERVED, Latent, NumPyroPrior, Site, observed
from bayes_nn.priors.prior import Latents

#: Most unconstrained latents that all get the fitted Gaussian reference of the hyperparameters.
SMALL = 16
#: Draws from the prior of which one must give y a positive density.
TRIALS = 200
#: Unconstrained values of draws that rounding put on the boundary of their support.
LOWEST, HIGHEST = -745.0, 37.0


@partial(jax.tree_util.register_dataclass, data_fields=["X", "Y"], meta_fields=["prior", "likelihood", "layout"])
@dataclass(frozen=True)
class NumPyroTarget(Target):
    """A NumPyro model and data. Log prior and log likelihood come from a run of the model.

    The block of u that gets a fitted Gaussian reference holds all latents where there are few, and else the scalars.

    Attributes:
        layout: the latents in the order of u.
    """

    prior: NumPyroPrior
    layout: tuple[Latent, ...]

    @classmethod
    def of(cls, X: Array, Y: Array, prior: NumPyroPrior, likelihood: Likelihood) -> "NumPyroTarget":
        """The target of checked data.

        Raises:
            ValueError: if the model is not for such data.
        """
        found = prior.latent_sites(X, observed(likelihood, Y))
        if found != prior.latent_sites(X):
            raise ValueError(f"{prior.name} has other latents where y is given than where it is not")
        target = cls(X, Y, prior, likelihood, tuple(sorted(found, key=lambda latent: latent.size > 1)))
        if ObservedSite.of(prior.trace(X, target.y)).innermost.support is not constraints.real:
            u = target.sample_prior(jax.random.key(0), (TRIALS,))
            if not bool(jnp.any(jnp.isfinite(_log_likelihoods(target, u)))):
                raise ValueError(
                    f'{prior.name}: "y" has density 0 at the targets under {TRIALS} draws from the prior; are they '
                    "outside its support? standardize=False leaves them as they are"
                )
        return target

    @property
    def y(self) -> Array:
        """The targets as the model reads them."""
        return observed(self.likelihood, self.Y)

    @property
    def dimension(self) -> int:
        """Length of u."""
        return sum(latent.size for latent in self.layout)

    @property
    def _block(self) -> tuple[Latent, ...]:
        return self.layout if self.dimension <= SMALL else tuple(one for one in self.layout if one.size == 1)

    @property
    def n_hyperparameters(self) -> int:
        """Length of the block of u that has a fitted Gaussian reference."""
        return sum(latent.size for latent in self._block)

    @property
    def hyperparameters(self) -> Latents:
        """The latents of that block."""
        latents = self.latents
        return {latent.name: latents[latent.name] for latent in self._block}

    @property
    def has_hidden_weights(self) -> bool:
        """What the prior says of itself."""
        return self.prior.learns_features

    @property
    def factorised(self) -> bool:
        """Latents may depend on each other."""
        return False

    @property
    def has_many_latents(self) -> bool:
        """Whether u goes beyond that block."""
        return self.n_hyperparameters < self.dimension

    def unflatten(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """u cut into unconstrained sites."""
        sites, start = {}, 0
        for latent in self.layout:
            sites[latent.name] = u[start : start + latent.size].reshape(latent.unconstrained_shape)
            start += latent.size
        return sites

    def at(self, u: Float[Array, " D"]) -> dict[str, Site]:
        """The sites of the model at u; a constraint may depend on the latents before it."""
        sites = self.unflatten(u)

        def constrained(site: Site) -> Array | None:
            own = sites.get(site["name"]) if site["type"] == "sample" else None
            return None if own is None else biject_to(site["fn"].support)(own)

        return self.prior.trace(self.X, self.y, values=constrained)

    def values(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """The latents on their own scale, by site name."""
        return _values(self, u)

    def sample_prior(self, key: Array, shape: tuple[int, ...] = ()) -> Float[Array, "... D"]:
        """Draws of u from the prior, with leading axes ``shape``."""
        u = _sample_prior(self, jax.random.split(key, math.prod(shape)))
        return u.reshape(*shape, self.dimension)

    def log_prior(self, u: Float[Array, " D"]) -> Float[Array, ""]:
        """Normalised log prior density of u, the Jacobian of the constraints included, in nats."""
        return _log_prior(self, u)

    def log_likelihood(self, u: Float[Array, " D"]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats; -inf where y is outside its support or the model fails."""
        return _log_likelihood(self, u)

    def log_likelihood_of(self, values: dict[str, Array]) -> Float[Array, ""]:
        """:meth:`log_likelihood` from the latents on their own scale."""
        return self.given(values).log_density(self.y)

    def given(self, values: dict[str, Array], X: Array | None = None) -> ObservedSite:
        """y given the latents, at the training inputs or others."""
        sites = self.prior.trace(self.X, self.y, values=values) if X is None else self.prior.trace(X, values=values)
        return ObservedSite.of(sites)

    def predict(self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array) -> Any:
        """Mean and variance of y at new inputs given the latents, (T, C) each, or class probabilities (T, K).

        Raises:
            ValueError: if y given the latents is not Normal, nor Bernoulli or Categorical for labels.
        """
        y = self.given(values, X_new)
        if self.labels:
            if y.probabilities is None:
                raise ValueError(self._no_predictions("Bernoulli or Categorical", y))
            return y.probabilities
        if not isinstance(y.innermost, dist.Normal):
            raise ValueError(self._no_predictions("Normal", y))
        shape = len(X_new), self.Y.shape[1]
        return y.distribution.mean.reshape(shape), y.distribution.variance.reshape(shape)

    def _no_predictions(self, wanted: str, y: ObservedSite) -> str:
        return (
            f'{self.prior.name} has an evidence, but predictions need "y" to be {wanted} given the latents; '
            f"it is {type(y.innermost).__name__}"
        )

    def draw_function(self, values: dict[str, Array], key: Array) -> dict[str, Array]:
        """``"f"``, the mean of y at the training inputs, and the deterministic sites that are no larger."""
        sites = self.prior.trace(self.X, self.y, values=values)
        f = self._mean(ObservedSite.of(sites))
        kept = {
            name: jnp.asarray(site["value"])
            for name, site in sites.items()
            if site["type"] == "deterministic" and name not in ("f", OBSERVED) and "/" not in name
        }
        return {name: value for name, value in kept.items() if value.size <= f.size} | {"f": f}

    def _mean(self, y: ObservedSite) -> Float[Array, "N C"]:
        """The mean of y, or the probabilities of its classes (of the second of two)."""
        if self.labels and y.probabilities is not None:
            return y.probabilities[:, -self.Y.shape[1] :]
        return jnp.broadcast_to(y.location.reshape(len(self.Y), -1), self.Y.shape)

    @property
    def labels(self) -> bool:
        """Whether y is the number of a class."""
        return isinstance(self.likelihood, Labels)

    def pointwise_log_likelihood(self, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """``log p(y | z)`` of every row and output, or of rows only where outputs depend on each other; nats."""
        log_prob = self.given(values).log_probs(self.y)
        return log_prob[:, None] if log_prob.ndim == 1 and self.Y.shape[1] == 1 and not self.labels else log_prob

    def replicate(self, key: Array, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """One draw of y at the training inputs given the latents."""
        y = self.given(values).distribution.sample(key)
        return y if self.labels else y.reshape(self.Y.shape)

    def draw_prior(self, key: Array) -> tuple[dict[str, Array], Float[Array, "N C"], Float[Array, "N *C"]]:
        """One draw from the prior: the latents, the mean of y and y at the training inputs."""
        key_values, key_y = jax.random.split(key)
        sites = self.prior.trace(self.X, key=key_values)
        values = {latent.name: sites[latent.name]["value"] for latent in self.layout}
        f = self._mean(ObservedSite.of(sites))
        return values, f, self.replicate(key_y, values, f)


@sequential_vmap
def _values(target: NumPyroTarget, u: Array) -> dict[str, Array]:
    sites = target.at(u)
    return {latent.name: sites[latent.name]["value"] for latent in target.layout}


@jax.jit
def _sample_prior(target: NumPyroTarget, keys: Array) -> Float[Array, "M D"]:
    def one(key: Array) -> Float[Array, " D"]:
        sites = target.prior.trace(target.X, target.y, key=key)
        drawn = [sites[latent.name] for latent in target.layout]
        parts = [jnp.ravel(biject_to(site["fn"].support).inv(site["value"])) for site in drawn]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    return jnp.nan_to_num(jax.lax.map(one, keys), nan=jnp.nan, posinf=HIGHEST, neginf=LOWEST)


@one_at_a_time
def _log_prior(target: NumPyroTarget, u: Array) -> Float[Array, ""]:
    sites, unconstrained = target.at(u), target.unflatten(u)
    total = jnp.zeros(())
    for name, own in unconstrained.items():
        distribution, value = sites[name]["fn"], sites[name]["value"]
        jacobian = biject_to(distribution.support).log_abs_det_jacobian(own, value)
        total = total + jnp.sum(distribution.log_prob(value)) + jnp.sum(jacobian)
    return total


@one_at_a_time
def _log_likelihood(target: NumPyroTarget, u: Array) -> Float[Array, ""]:
    return ObservedSite.of(target.at(u)).log_density(target.y)


@jax.jit
def _log_likelihoods(target: NumPyroTarget, u: Float[Array, "M D"]) -> Float[Array, " M"]:
    return jax.lax.map(target.log_likelihood, u)
