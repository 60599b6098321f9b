"""The posterior over z as a density on an unconstrained vector u, split into prior and likelihood."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float
from numpyro.distributions import biject_to

from bayes_nn.likelihood import Gaussian, Labels, Likelihood
from bayes_nn.priors.finite_width import BayesianNetwork
from bayes_nn.priors.gaussian_process import FeatureProcess, Process
from bayes_nn.priors.prior import Latents, Prior

#: Condition number beyond which the gradient of a trajectory is not left to single precision, whose unit is 6e-8.
LARGEST_CONDITION = 1e7


class Density(Protocol):
    """What moves need to know of a density over u that is a known one times a likelihood."""

    @property
    def n_hyperparameters(self) -> int:
        """H, the length of the hyperparameter block of u."""

    @property
    def has_many_latents(self) -> bool:
        """Whether moves want gradients."""

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Array, Array]:
        """Log of the known density and log likelihood, nats."""

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of both in u for a trajectory whose steps have this angle, near enough to be accepted."""


@partial(jax.tree_util.register_dataclass, data_fields=["X", "Y"], meta_fields=["prior", "likelihood"])
@dataclass(frozen=True)
class Target:
    """Prior, likelihood and data; a pytree whose data are traced, so that equal shapes compile once.

    The unconstrained vector u holds the H hyperparameters first, then the hidden weights, then, where f cannot be
    integrated out, the readout or the whitened f.

    Attributes:
        X: inputs (N, d) or (N, H, W, C) on the model's scale.
        Y: targets (N, C) on the model's scale, labels encoded.
        prior: the prior over functions.
        likelihood: the noise model.
    """

    X: Float[Array, "N *shape"]
    Y: Float[Array, "N C"]
    prior: Prior
    likelihood: Likelihood

    @property
    def hyperparameters(self) -> Latents:
        """Low-dimensional latents, the noise's included."""
        return self.prior.hyperparameters() | self.likelihood.hyperparameter_priors()

    @property
    def latents(self) -> Latents:
        """All latents in the order of u."""
        return self.prior.latents(self.likelihood, self.X, self.Y.shape[1])

    @property
    def function_weights(self) -> Latents:
        """The latents that f is linear in given z."""
        return self.prior.function_weights(self.X, self.Y.shape[1])

    @property
    def n_hyperparameters(self) -> int:
        """H, the length of the hyperparameter block of u."""
        return sum(_size(prior) for prior in self.hyperparameters.values())

    @property
    def dimension(self) -> int:
        """Length of u."""
        return sum(_size(prior) for prior in self.latents.values())

    def unflatten(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """u cut into unconstrained sites."""
        sites, start = {}, 0
        for name, prior in self.latents.items():
            sites[name] = u[start : start + _size(prior)].reshape(_unconstrained_shape(prior))
            start += _size(prior)
        return sites

    def values(self, u: Float[Array, " D"]) -> dict[str, Array]:
        """The latents on their own scale, by site name."""
        sites = self.unflatten(u)
        return {name: biject_to(prior.support)(sites[name]) for name, prior in self.latents.items()}

    @property
    def has_hidden_weights(self) -> bool:
        """Whether u holds hidden weights."""
        return bool(self.prior.hidden_weights(self.X.shape[1:]))

    @property
    def factorised(self) -> bool:
        """Whether latents are independent of each other under the prior."""
        return True

    @property
    def has_many_latents(self) -> bool:
        """Whether u holds more than hyperparameters, so that moves want gradients."""
        return len(self.latents) > len(self.hyperparameters)

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
        sites = self.unflatten(u)
        return sum((_log_density(self.latents[name], site) for name, site in sites.items()), jnp.zeros(()))

    def log_likelihood(self, u: Float[Array, " D"]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats, the readout or f integrated out where possible; -inf where it fails."""
        log_likelihood = self.log_likelihood_of(self.values(u))
        return jnp.where(jnp.isfinite(log_likelihood), log_likelihood, -jnp.inf)

    def log_likelihood_of(self, values: dict[str, Array]) -> Float[Array, ""]:
        """:meth:`log_likelihood` from the latents on their own scale."""
        return self.log_likelihood_given(self.prior.process(values, self.X), values)

    def log_likelihood_given(self, process: Process, values: dict[str, Array]) -> Float[Array, ""]:
        """:meth:`log_likelihood` from the Gaussian process that the latents stand for."""
        if isinstance(self.likelihood, Gaussian):
            return process.log_marginal(self.Y, self.noise_variance(values))
        f = process.function(values[self.prior.function_site])
        return jnp.sum(self.likelihood.log_prob(values, self.Y, f))

    def noise_variance(self, values: dict[str, Array]) -> Float[Array, ""]:
        """Of Gaussian noise, in the precision of the data."""
        assert isinstance(self.likelihood, Gaussian)
        return self.likelihood.noise_variance(values).astype(self.Y.dtype)

    def log_likelihood_and_gradient(self, u: Float[Array, " D"]) -> tuple[Array, Float[Array, " D"]]:
        """:meth:`log_likelihood` with its gradient in u; one u at a time even under ``vmap``."""

        @sequential_vmap
        def evaluate(target: Target, u: Array) -> tuple[Array, Array]:
            value, gradient = jax.value_and_grad(target.log_likelihood)(u)
            return value, jnp.where(jnp.isfinite(value) & jnp.isfinite(gradient), gradient, 0.0)

        return evaluate(self, u)

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Array, Array]:
        """Log prior density and log likelihood of u: the two ends of the tempering path, less the first."""
        return self.log_prior(u), self.log_likelihood(u)

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of log prior and log likelihood for trajectories whose steps have this angle, radians.

        A trajectory is accepted by its densities, which are double and exact, so that its gradients may differ: a
        network's are smoothed where the activation has a kink, and rounded to single precision. Where the matrix to
        be factorised is too ill-conditioned for single precision, or it fails, the gradient is double.
        """
        prior_gradient = jax.grad(self.log_prior)(u)
        if not isinstance(self.prior, BayesianNetwork):
            return prior_gradient, self.log_likelihood_and_gradient(u)[1]

        @sequential_vmap
        def evaluate(target: Target, u: Array, angle: Array) -> Array:
            gradient, condition = jax.grad(target._rounded, has_aux=True)(u, angle)
            sound = jnp.all(jnp.isfinite(gradient)) & (condition < LARGEST_CONDITION)
            return jax.lax.cond(sound, lambda u: gradient, lambda u: jax.grad(target._smoothed)(u, angle), u)

        gradient = evaluate(self, u, angle)
        return prior_gradient, jnp.where(jnp.isfinite(gradient), gradient, 0.0)

    def _smoothed(self, u: Float[Array, " D"], angle: Array) -> Float[Array, ""]:
        """:meth:`log_likelihood`, to be differentiated for steps of this angle."""
        assert isinstance(self.prior, BayesianNetwork)
        values = self.values(u)
        return self.log_likelihood_given(self.prior.process_for_steps(values, self.X, angle), values)

    def _rounded(self, u: Float[Array, " D"], angle: Array) -> tuple[Array, Array]:
        """:meth:`_smoothed` in single precision, and the condition number of what it factorises, from above."""
        assert isinstance(self.prior, BayesianNetwork)
        rounded, values = _single(self), _single(self.values(u))
        condition = jnp.ones((), jnp.float32)
        with jax.default_matmul_precision("highest"):
            # Constants of an activation may be double.
            process = _single(self.prior.process_for_steps(values, rounded.X, angle))
            if isinstance(process, FeatureProcess) and isinstance(self.likelihood, Gaussian):
                condition = process.condition(rounded.noise_variance(values))
            return rounded.log_likelihood_given(process, values), condition

    def predict(self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array) -> Any:
        """Mean and variance of y at new inputs given z, (T, C) and (T, 1) or (T, C), or class probabilities (T, K)."""
        process = self.prior.process(values, self.X, X_new)
        if isinstance(self.likelihood, Gaussian):
            noise_variance = self.likelihood.noise_variance(values)
            mean, variance = process.predict(self.Y, noise_variance)
            return mean, (variance + noise_variance)[:, None]
        assert isinstance(self.likelihood, Labels)
        return self.likelihood.probabilities(key, *process.predict_function(values[self.prior.function_site]))

    def draw_function(self, values: dict[str, Array], key: Array) -> dict[str, Array]:
        """``"f"`` at the training inputs given z, and the readout where it was integrated out."""
        process = self.prior.process(values, self.X)
        if isinstance(self.likelihood, Gaussian):
            return process.draw(key, self.Y, self.likelihood.noise_variance(values))
        return {"f": process.function(values[self.prior.function_site])}

    def pointwise_log_likelihood(self, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """``log p(y | f)`` of every row, and of every output on its own; nats."""
        if isinstance(self.likelihood, Labels):
            return self.likelihood.log_prob(values, self.Y, f)
        return self.likelihood.distribution(values, f).base_dist.log_prob(self.Y)

    def replicate(self, key: Array, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """One draw of y at the training inputs given f."""
        return self.likelihood.draw(key, values, f)

    def draw_prior(self, key: Array) -> tuple[dict[str, Array], Float[Array, "N C"], Float[Array, "N *C"]]:
        """One draw from the prior: the latents (a network's readout among them), f and y at the training inputs."""
        key_u, key_weights, key_y = jax.random.split(key, 3)
        values, site = self.values(self.sample_prior(key_u)), self.prior.function_site
        integrated_out = {} if site in values else self.function_weights
        weights = {name: prior.sample(key_weights) for name, prior in integrated_out.items()}
        f = self.prior.process(values, self.X).function((values | weights)[site])
        kept = values | weights if site == "readout" else values
        return kept, f, self.replicate(key_y, values, f)


def _single(tree: Any) -> Any:
    """In single precision."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), tree)


def _unconstrained_shape(prior: dist.Distribution) -> tuple[int, ...]:
    """Shape of the latent in u, which differs from its own where a constraint takes freedom away."""
    return biject_to(prior.support).inverse_shape(prior.event_shape)


def _size(prior: dist.Distribution) -> int:
    return math.prod(_unconstrained_shape(prior))


def _log_density(prior: dist.Distribution, unconstrained: Array) -> Float[Array, ""]:
    transform = biject_to(prior.support)
    value = transform(unconstrained)
    jacobian = transform.log_abs_det_jacobian(unconstrained, value)
    return prior.log_prob(value) + jnp.sum(jacobian)


@jax.jit
def _log_likelihoods(target: Target, stacked: dict[str, Array]) -> Array:
    return jax.lax.map(lambda chain: jax.lax.map(target.log_likelihood_of, chain), stacked)


def log_likelihoods(target: Target, values: dict[str, np.ndarray]) -> np.ndarray:
    """``log p(y | z)`` of every draw, (chains, draws)."""
    return np.asarray(_log_likelihoods(target, {name: jnp.asarray(value) for name, value in values.items()}))
