"""What samplers and estimators need to know of a posterior: a known density times a likelihood, on a vector u."""

import abc
import math
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import biject_to

from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.data.scale import Scale
from bayes_nn.priors.prior import Latents, Prior
from bayes_nn.runtime.mapping import unbatched


class TemperedDensity(Protocol):
    """What moves need: a density over u that is a known one times a likelihood."""

    @property
    def n_hyperparameters(self) -> int:
        """H, the length of the hyperparameter block of u."""

    @property
    def has_many_latents(self) -> bool:
        """Whether u goes beyond that block, so that moves want gradients."""

    @property
    def blocks(self) -> tuple[int, ...]:
        """Lengths of the blocks of u that may be of different stiffness, H the first."""

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Array, Array]:
        """Log of the known density and log likelihood, nats."""

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of both in u for a trajectory whose steps have this angle, near enough to be accepted."""


class Problem(abc.ABC):
    """Prior, likelihood and data as a density over the unconstrained latents u.

    Implementations are pytrees whose arrays are traced, so that problems of equal shapes compile once: one of mixtures
    of Gaussian processes (:mod:`bayes_nn.inference.problem.collapsed`) and one of NumPyro models
    (:mod:`bayes_nn.inference.problem.numpyro_problem`).

    Attributes:
        X: inputs (N, d) or (N, H, W, C) on the model's scale.
        Y: targets (N, C) on the model's scale, labels encoded.
        prior: the prior over functions.
        likelihood: how y depends on f.
    """

    X: Float[Array, "N *shape"]
    Y: Float[Array, "N C"]
    prior: Prior
    likelihood: Likelihood

    #: Whether latents are independent of each other under the prior.
    latents_independent: bool = True
    #: Whether rows of y are independent given f, so that some of them can be left out.
    independent_rows: bool = True

    @property
    @abc.abstractmethod
    def latents(self) -> Latents:
        """All latents in the order of u."""

    @property
    @abc.abstractmethod
    def hyperparameters(self) -> Latents:
        """The latents of the first block of u, which gets a fitted Gaussian reference."""

    @property
    @abc.abstractmethod
    def n_hyperparameters(self) -> int:
        """H, the length of that block."""

    @property
    @abc.abstractmethod
    def dimension(self) -> int:
        """Length of u."""

    @property
    @abc.abstractmethod
    def has_hidden_weights(self) -> bool:
        """Whether u holds hidden weights."""

    @property
    def has_shape_latents(self) -> bool:
        """Whether u holds many latents that change the kernel's shape: hidden weights, or an input metric."""
        return self.has_hidden_weights

    @property
    @abc.abstractmethod
    def has_many_latents(self) -> bool:
        """Whether u goes beyond the hyperparameters, so that moves want gradients."""

    @property
    def blocks(self) -> tuple[int, ...]:
        """Lengths of the blocks of u that may be of different stiffness: the hyperparameters, then every latent."""
        rest = [latent for name, latent in self.latents.items() if name not in self.hyperparameters]
        return self.n_hyperparameters, *map(unconstrained_size, rest)

    def unflatten(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """u cut into unconstrained sites."""
        sites, start = {}, 0
        for name, prior in self.latents.items():
            sites[name] = u[start : start + unconstrained_size(prior)].reshape(unconstrained_shape(prior))
            start += unconstrained_size(prior)
        return sites

    def values(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """The latents on their own scale, by site name."""
        sites = self.unflatten(u)
        return {name: biject_to(prior.support)(sites[name]) for name, prior in self.latents.items()}

    def sample_prior(self, key: Array, shape: tuple[int, ...] = ()) -> Float[Array, "... D"]:
        """Draws of u from the prior, with leading axes ``shape``."""
        keys = jax.random.split(key, max(len(self.latents), 1))
        sites = [
            biject_to(prior.support).inv(prior.sample(one, shape)).reshape(*shape, -1)
            for one, prior in zip(keys, self.latents.values(), strict=False)
        ]
        return jnp.concatenate(sites, axis=-1) if sites else jnp.zeros((*shape, 0))

    def log_prior(self, u: Float[Array, " D"]) -> Float[Array, ""]:
        """Normalised log prior density of u, the Jacobian of the constraints included, in nats."""
        sites, latents = self.unflatten(u), self.latents
        return sum((unconstrained_log_density(latents[name], site) for name, site in sites.items()), jnp.zeros(()))

    @abc.abstractmethod
    def log_likelihood(self, u: Float[Array, " D"]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats, f integrated out where possible; -inf where it fails."""

    @abc.abstractmethod
    def log_likelihood_of(self, values: dict[str, Array]) -> Float[Array, ""]:
        """:meth:`log_likelihood` from the latents on their own scale."""

    @abc.abstractmethod
    def predict(self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array) -> Any:
        """The predictive distribution of y at new inputs given z, as the arrays that :meth:`predictive` takes."""

    @abc.abstractmethod
    def predictive(self, components: Any, scale: Scale) -> Any:
        """The equally weighted mixture of what :meth:`predict` gave for every draw, on the user's scale."""

    @abc.abstractmethod
    def draw_function(self, values: dict[str, Array], key: Array) -> dict[str, Array]:
        """``"f"`` at the training inputs given z, and what else was integrated out."""

    @abc.abstractmethod
    def draw_function_at(
        self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array
    ) -> Float[Array, "T C"]:
        """f at new inputs given z and the data, every input drawn on its own."""

    @abc.abstractmethod
    def pointwise_log_likelihood(self, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """``log p(y | f)`` of every row and, where they are independent, every output; nats."""

    @abc.abstractmethod
    def replicate(self, key: Array, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """One draw of y at the training inputs given f."""

    @abc.abstractmethod
    def draw_prior(self, key: Array) -> tuple[dict[str, Array], Float[Array, "N C"], Float[Array, "N *C"]]:
        """One draw from the prior: the latents, f and y at the training inputs."""

    def log_likelihood_and_gradient(self, u: Float[Array, " D"]) -> tuple[Array, Float[Array, " D"]]:
        """:meth:`log_likelihood` with its gradient in u; on a CPU one u at a time even under ``vmap``."""
        return _value_and_gradient(self, u)

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Array, Array]:
        """Log prior density and log likelihood of u, nats."""
        return self.log_prior(u), self.log_likelihood(u)

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of log prior and log likelihood for trajectories whose steps have this angle, radians."""
        return jax.grad(self.log_prior)(u), self.log_likelihood_and_gradient(u)[1]


@unbatched
@jax.jit
def _value_and_gradient(problem: Problem, u: Float[Array, " D"]) -> tuple[Array, Float[Array, " D"]]:
    value, gradient = jax.value_and_grad(problem.log_likelihood)(u)
    return value, jnp.where(jnp.isfinite(value) & jnp.isfinite(gradient), gradient, 0.0)


def unconstrained_shape(latent: dist.Distribution) -> tuple[int, ...]:
    """Shape of a latent in u, which differs from its own where a constraint takes freedom away."""
    return biject_to(latent.support).inverse_shape(latent.event_shape)


def unconstrained_size(latent: dist.Distribution) -> int:
    """Numbers that a latent takes in u."""
    return math.prod(unconstrained_shape(latent))


def unconstrained_log_density(latent: dist.Distribution, unconstrained: Array) -> Float[Array, ""]:
    """Log density of a latent on the unconstrained scale, the Jacobian included, nats."""
    transform = biject_to(latent.support)
    value = transform(unconstrained)
    jacobian = transform.log_abs_det_jacobian(unconstrained, value)
    return latent.log_prob(value) + jnp.sum(jacobian)
