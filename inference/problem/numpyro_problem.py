"""The posterior of a NumPyro model as a density on an unconstrained vector, for every sampler of the package."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import biject_to, constraints

from bayes_nn.data.class_predictive import ClassPredictive
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.data.predictive import Predictive
from bayes_nn.data.scale import Scale
from bayes_nn.inference.problem.numpyro_latents import sample_latents, unflatten
from bayes_nn.inference.problem.numpyro_observation import ObservationDistribution
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.priors.numpyro_prior import OBSERVED, Latent, NumPyroPrior, Site, observed
from bayes_nn.priors.prior import Latents
from bayes_nn.runtime.mapping import map_each, one_at_a_time, unbatched

#: Most unconstrained latents that all get the fitted Gaussian reference of the hyperparameters.
SMALL = 16
#: Draws from the prior of which one must give y a positive density.
TRIALS = 200


@partial(jax.tree_util.register_dataclass, data_fields=["X", "Y"], meta_fields=["prior", "likelihood", "layout"])
@dataclass(frozen=True)
class NumPyroProblem(Problem):
    """A NumPyro model and data. Log prior and log likelihood come from a run of the model.

    The block of u that gets a fitted Gaussian reference holds all latents where there are few, and else the scalars.

    Attributes:
        X: inputs on the model's scale.
        Y: targets on the model's scale, labels encoded.
        prior: the model.
        likelihood: says whether y is a number or a label.
        layout: the latents in the order of u.

    Example:
        >>> import bayes_nn as bnn, numpyro
        >>> def line(X, y=None):
        ...     slope = numpyro.sample("slope", dist.Normal(0.0, 1.0))
        ...     numpyro.sample("y", dist.Normal(slope * X[:, 0], 0.5), obs=y)
        >>> prior, ones = bnn.priors.NumPyroPrior(line), jnp.ones((5, 1))
        >>> NumPyroProblem.of(prior, ones, ones, bnn.Gaussian()).dimension
        1
    """

    X: Float[Array, "N *shape"]
    Y: Float[Array, "N C"]
    prior: NumPyroPrior
    likelihood: Likelihood
    layout: tuple[Latent, ...]

    latents_independent = False
    independent_rows = False

    @classmethod
    def of(cls, prior: NumPyroPrior, X: Array, Y: Array, likelihood: Likelihood) -> "NumPyroProblem":
        """The problem of checked data on the model's scale.

        Raises:
            ValueError: if the model is not for such data.
        """
        found = prior.latent_sites(X, observed(likelihood, Y))
        if found != prior.latent_sites(X):
            raise ValueError(f"{prior.name} has other latents where y is given than where it is not")
        problem = cls(X, Y, prior, likelihood, tuple(sorted(found, key=lambda latent: latent.size > 1)))
        if ObservationDistribution.of(prior.trace(X, problem.y)).innermost.support is not constraints.real:
            u = problem.sample_prior(jax.random.key(0), (TRIALS,))
            if not bool(jnp.any(jnp.isfinite(_log_likelihoods(problem, u)))):
                raise ValueError(
                    f'{prior.name}: "y" has density 0 at the targets under {TRIALS} draws from the prior; are they '
                    "outside its support? standardize=False leaves them as they are"
                )
        return problem

    @property
    def y(self) -> Array:
        """The targets as the model reads them."""
        return observed(self.likelihood, self.Y)

    @property
    def dimension(self) -> int:
        """Length of u."""
        return sum(latent.size for latent in self.layout)

    @property
    def latents(self) -> Latents:
        """Distributions of the latents, those of dependent ones given one draw of the others."""
        return self.prior.latents(self.likelihood, self.X, self.Y.shape[1])

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
    def has_many_latents(self) -> bool:
        """Whether u goes beyond that block."""
        return self.n_hyperparameters < self.dimension

    @property
    def blocks(self) -> tuple[int, ...]:
        """Lengths of that block and of every latent beyond it."""
        return self.n_hyperparameters, *(latent.size for latent in self.layout if latent not in self._block)

    def at(self, u: Float[Array, " D"]) -> dict[str, Site]:
        """The sites of the model at u; a constraint may depend on the latents before it."""
        sites = unflatten(self.layout, u)

        def constrained(site: Site) -> Array | None:
            own = sites.get(site["name"]) if site["type"] == "sample" else None
            return None if own is None else biject_to(site["fn"].support)(own)

        return self.prior.trace(self.X, self.y, values=constrained)

    def values(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """The latents on their own scale, by site name."""
        return _values(self, u)

    def sample_prior(self, key: Array, shape: tuple[int, ...] = ()) -> Float[Array, "... D"]:
        """Draws of u from the prior, with leading axes ``shape``."""
        u = sample_latents(self.prior, self.layout, self.X, self.y, jax.random.split(key, math.prod(shape)))
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

    def given(self, values: dict[str, Array], X: Array | None = None) -> ObservationDistribution:
        """y given the latents, at the training inputs or others."""
        sites = self.prior.trace(self.X, self.y, values=values) if X is None else self.prior.trace(X, values=values)
        return ObservationDistribution.of(sites)

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

    def predictive(self, components: Any, scale: Scale) -> Predictive | ClassPredictive:
        """The equally weighted mixture over draws, on the user's scale."""
        if self.labels:
            assert self.likelihood.classes is not None
            return ClassPredictive(components, self.likelihood.classes)
        mean, variance = components
        return Predictive(scale.original(mean), scale.original_std(variance**0.5))

    def _no_predictions(self, wanted: str, y: ObservationDistribution) -> str:
        return (
            f'{self.prior.name} has an evidence, but predictions need "y" to be {wanted} given the latents; '
            f"it is {type(y.innermost).__name__}"
        )

    def draw_function(self, values: dict[str, Array], key: Array) -> dict[str, Array]:
        """``"f"``, the mean of y at the training inputs, and the deterministic sites that are no larger."""
        sites = self.prior.trace(self.X, self.y, values=values)
        f = ObservationDistribution.of(sites).mean(self.Y.shape, self.labels)
        kept = {
            name: jnp.asarray(site["value"])
            for name, site in sites.items()
            if site["type"] == "deterministic" and name not in ("f", OBSERVED) and "/" not in name
        }
        return {name: value for name, value in kept.items() if value.size <= f.size} | {"f": f}

    def draw_function_at(
        self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array
    ) -> Float[Array, "T C"]:
        """The mean of y at new inputs given the latents, which leave nothing of it to be drawn."""
        return self.given(values, X_new).mean((len(X_new), self.Y.shape[1]), self.labels)

    @property
    def labels(self) -> bool:
        """Whether y is the number of a class."""
        return self.likelihood.classes is not None

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
        f = ObservationDistribution.of(sites).mean(self.Y.shape, self.labels)
        return values, f, self.replicate(key_y, values, f)


@unbatched
def _values(problem: NumPyroProblem, u: Array) -> dict[str, Array]:
    sites = problem.at(u)
    return {latent.name: sites[latent.name]["value"] for latent in problem.layout}


@one_at_a_time
def _log_prior(problem: NumPyroProblem, u: Array) -> Float[Array, ""]:
    sites, unconstrained = problem.at(u), unflatten(problem.layout, u)
    total = jnp.zeros(())
    for name, own in unconstrained.items():
        distribution, value = sites[name]["fn"], sites[name]["value"]
        jacobian = biject_to(distribution.support).log_abs_det_jacobian(own, value)
        total = total + jnp.sum(distribution.log_prob(value)) + jnp.sum(jacobian)
    return total


@one_at_a_time
def _log_likelihood(problem: NumPyroProblem, u: Array) -> Float[Array, ""]:
    return ObservationDistribution.of(problem.at(u)).log_density(problem.y)


@jax.jit
def _log_likelihoods(problem: NumPyroProblem, u: Float[Array, "M D"]) -> Float[Array, " M"]:
    return map_each(problem.log_likelihood, u)
