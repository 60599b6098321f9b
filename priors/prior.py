"""What every prior here is: a prior over functions, most of them mixtures of Gaussian processes."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture.equality import ByFields
from bayes_nn.architecture.network import standard_normal
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.priors.collapsed_gaussian import CollapsedGaussian
from bayes_nn.priors.gaussian.gaussian_process import Process

Latents = dict[str, dist.Distribution]
#: What z may change of the kernel, by rung of the ladder of priors, and what is said of priors on none.
RUNG_NAMES: dict[int | None, str] = {
    0: "infinite width", 1: "scale", 2: "input metric", 3: "hidden features", None: "no rung",
}  # fmt: skip


class Prior(ByFields, abc.ABC):
    """A prior over functions.

    Two priors of one type are equal where their attributes are, so that code compiled for one serves both.

    Attributes:
        name: how tables and plots call it.
        learns_features: whether the latents z hold hidden weights that the data update.
        updated: whether the data update z at all; False only for frozen features.
        peeks: whether the prior was made from the targets that it is fitted to, so that its evidence counts them twice
            and must not be compared with that of others.
        approximation: what makes its evidence given z an approximation, in words; empty where it is exact.
        rung: of the ladder of priors, by how much z may change the shape of the kernel: 0 not at all (the infinite
            width), 1 its scale, 2 a metric of the inputs, 3 hidden features; None for priors on no rung.
        mixes_inputs: whether z may pick any direction of the inputs, and not only single inputs.
        caveat: how the prior differs from what it describes, in words; its evidence is that of the prior as it is.
        scales_of_inputs: latents, by site name, that hold one scale for every input.
        latents_without_sign: standard-normal latents, by site name, of which f depends on the size alone.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.priors.NNGP(bnn.mlp(depth=2)) == bnn.priors.NNGP(bnn.mlp(depth=2))
        True
    """

    name: str
    learns_features: bool = False
    updated: bool = True
    peeks: bool = False
    approximation: str = ""
    rung: int | None = None
    mixes_inputs: bool = False
    caveat: str = ""
    scales_of_inputs: tuple[str, ...] = ()
    latents_without_sign: tuple[str, ...] = ()

    @property
    def rung_name(self) -> str:
        """The rung in words; any prior whose hidden weights the data update is on the last one."""
        return RUNG_NAMES[3 if self.learns_features else self.rung]

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs of a shape that the prior is not for.

        Args:
            input_shape: of one input, without the leading axis.

        Raises:
            ValueError: saying why.
        """

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

    @abc.abstractmethod
    def model(self, likelihood: Likelihood) -> Callable:
        """The NumPyro model ``(X, Y=None)`` of the targets.

        Args:
            likelihood: of the targets, which come encoded, one column per class.
        """

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self).pop("_key", None)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return self.name


class GaussianProcessMixture(Prior):
    """A mixture of Gaussian processes, ``f | z ~ GP(0, K_z)``, ``z ~ p(z)``.

    Attributes:
        function_site: site of the latents that f is linear in given z, sampled where the likelihood is not Gaussian.
        single_precision_steps: whether gradients along a trajectory may be rounded to single precision. The steps are
            accepted by densities in double precision.

    Example:
        >>> import bayes_nn as bnn
        >>> isinstance(bnn.BayesianNetwork(bnn.mlp(depth=1), width=8), GaussianProcessMixture)
        True
    """

    function_site: ClassVar[str] = "whitened_f"
    single_precision_steps: ClassVar[bool] = False

    @abc.abstractmethod
    def hyperparameters(self) -> Latents:
        """Low-dimensional latents by site name: inferred standard deviations and scales."""

    def scales(self) -> Latents:
        """Those of :meth:`hyperparameters` that scale the kernel and are no standard deviations."""
        return {}

    @abc.abstractmethod
    def process(
        self, values: dict[str, Array], X: Float[Array, "N *shape"], X_new: Float[Array, "T *shape"] | None = None
    ) -> Process:
        """The Gaussian process given z, at the training inputs and, if asked, at new ones.

        Args:
            values: latents and fixed numbers by site name.
            X: training inputs.
            X_new: new inputs.
        """

    def process_for_steps(self, values: dict[str, Array], X: Float[Array, "N *shape"], angle: Array) -> Process:
        """:meth:`process`, to be differentiated along a trajectory: its derivatives may be smoothed.

        Args:
            values: latents and fixed numbers by site name.
            X: training inputs.
            angle: of the steps of the trajectory, radians.
        """
        return self.process(values, X)

    def numbers(self) -> dict[str, float]:
        """The fixed numbers that code compiled for the prior can do without, by site name."""
        return {}

    def without_numbers(self) -> Self:
        """The prior without :meth:`numbers`, which then have to come with the values of the latents."""
        return self

    @property
    def rung_name(self) -> str:
        """The rung in words; any prior whose hidden weights the data update is on the last one."""
        return RUNG_NAMES[3 if self.learns_features else self.rung]

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs of a shape that has no hidden weights."""
        self.hidden_weights(input_shape)

    def hidden_weights(self, input_shape: tuple[int, ...]) -> Latents:
        """Hidden weights by site name for inputs of a shape; none for kernel priors."""
        return {}

    def shape_latents(self, input_shape: tuple[int, ...]) -> Latents:
        """Many standard-normal latents by site name that change the kernel's shape, and that trajectories turn.

        Hidden weights, or the entries of an input metric; none where only hyperparameters change the kernel.
        """
        return self.hidden_weights(input_shape)

    def function_weights(self, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """The standard-normal latents that f is linear in given z: the whitened f, or a network's readout."""
        return {self.function_site: standard_normal((len(X), outputs))}

    def latents(self, likelihood: Likelihood, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """All of z: hyperparameters (the noise too), :meth:`shape_latents`, and what a sampled f is linear in."""
        latents = self.hyperparameters() | likelihood.hyperparameter_priors() | self.shape_latents(X.shape[1:])
        latents |= likelihood.latents_of_rows(len(X))
        return latents if likelihood.conjugate else latents | self.function_weights(X, outputs)

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
            sampled = {name: numpyro.sample(name, prior) for name, prior in latents.items()}
            values = likelihood.at_rows(self.numbers() | likelihood.numbers() | sampled, X)
            process = self.process(values, X)
            if likelihood.conjugate:
                collapsed = CollapsedGaussian(process, likelihood.noise_variance(values), X.shape[0], outputs)
                return numpyro.sample("y", collapsed, obs=Y)
            given_f = likelihood.distribution(values, process.function(values[self.function_site])).to_event(1)
            return numpyro.sample("y", given_f, obs=None if Y is None else likelihood.observed(Y))

        return model
