"""What every prior here is: a mixture of Gaussian processes, ``f | z ~ GP(0, K_z)``, ``z ~ p(z)``."""

import abc
from collections.abc import Callable

import jax
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from bayes_nn.likelihood import Gaussian, Likelihood
from bayes_nn.network import standard_normal
from bayes_nn.priors.gaussian_process import Process

Latents = dict[str, dist.Distribution]


class Prior(abc.ABC):
    """A prior over functions.

    Two priors of one kind on the same architecture object are equal, so that code compiled for one serves both.

    Attributes:
        name: how tables and plots call it.
        learns_features: whether z holds hidden weights that the data update.
        updated: whether the data update z at all; False only for frozen features.
        peeks: whether the prior itself was made from the data, so that its evidence is a diagnosis and ranks nothing.
        approximation: what makes its evidence given z an approximation, in words; empty where it is exact.
    """

    name: str
    learns_features: bool = False
    updated: bool = True
    peeks: bool = False
    approximation: str = ""

    @abc.abstractmethod
    def hyperparameters(self) -> Latents:
        """Low-dimensional latents by site name: inferred standard deviations and scales."""

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs of a shape that the prior is not for.

        Args:
            input_shape: of one input, without the leading axis.

        Raises:
            ValueError: saying why.
        """
        self.hidden_weights(input_shape)

    def check_targets(self, likelihood: Likelihood, outputs: int) -> None:
        """Refuse targets that the prior is not for.

        Args:
            likelihood: of the targets.
            outputs: number of columns of encoded targets.

        Raises:
            ValueError: saying why.
        """
        if not (self.updated or likelihood.conjugate):
            raise ValueError(f"{self.name} has a code length under Gaussian noise only: leave it out")

    def hidden_weights(self, input_shape: tuple[int, ...]) -> Latents:
        """Hidden weights by site name for inputs of a shape; none for kernel priors."""
        return {}

    #: Site of the whitened function that is sampled where the likelihood is not Gaussian.
    function_site: str = "whitened_f"

    def function_weights(self, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """The standard-normal latents that f is linear in given z: the whitened f, or a network's readout."""
        return {self.function_site: standard_normal((len(X), outputs))}

    def latents(self, likelihood: Likelihood, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """All of z: hyperparameters (the noise too), hidden weights, and where f is sampled what it is linear in."""
        latents = self.hyperparameters() | likelihood.hyperparameter_priors() | self.hidden_weights(X.shape[1:])
        return latents if likelihood.conjugate else latents | self.function_weights(X, outputs)

    @abc.abstractmethod
    def process(
        self, values: dict[str, Array], X: Float[Array, "N d"], X_new: Float[Array, "T d"] | None = None
    ) -> Process:
        """The Gaussian process given z, at the training inputs and, if asked, at new ones."""

    def model(self, likelihood: Likelihood) -> Callable:
        """The NumPyro model ``(X, Y=None)``: the readout (or f) integrated out where the likelihood allows it.

        Args:
            likelihood: its parameters may be sites of their own. Labels come encoded, one column per class.

        Example:
            >>> import bayes_nn as bnn, jax.numpy as jnp, numpyro
            >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1), width=3)
            >>> model = numpyro.handlers.seed(network.model(bnn.Gaussian()), 0)
            >>> model(jnp.ones((4, 2))).shape
            (4, 1)
        """

        def model(X: Array, Y: Array | None = None, outputs: int = 1) -> Array:
            outputs = outputs if Y is None else Y.shape[1]
            latents = self.latents(likelihood, X, outputs)
            values = {name: numpyro.sample(name, prior) for name, prior in latents.items()}
            process = self.process(values, X)
            if isinstance(likelihood, Gaussian):
                collapsed = CollapsedGaussian(process, likelihood.noise_variance(values), X.shape[0], outputs)
                return numpyro.sample("y", collapsed, obs=Y)
            given_f = likelihood.distribution(values, process.function(values[self.function_site])).to_event(1)
            return numpyro.sample("y", given_f, obs=None if Y is None else likelihood.observed(Y))

        return model

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return self.name


class CollapsedGaussian(dist.Distribution):
    """``N(0, K_z + noise^2 I)`` for each of C outputs, as a NumPyro distribution over (N, C)."""

    support = constraints.real_matrix
    pytree_data_fields = ("process", "noise_variance")

    def __init__(self, process: Process, noise_variance: Array, rows: int, outputs: int) -> None:
        self.process, self.noise_variance = process, noise_variance
        super().__init__(batch_shape=(), event_shape=(rows, outputs))

    def log_prob(self, value: Float[Array, "N C"]) -> Float[Array, ""]:
        """Log evidence given z, in nats."""
        return self.process.log_marginal(value, self.noise_variance)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Float[Array, "... N C"]:
        """Draws of noisy y from the prior given z."""
        keys = jax.random.split(key, sample_shape).reshape(-1)
        rows, outputs = self.event_shape
        draws = jax.lax.map(lambda one: self.process.draw_prior(one, outputs, self.noise_variance), keys)
        return draws.reshape(*sample_shape, rows, outputs)
