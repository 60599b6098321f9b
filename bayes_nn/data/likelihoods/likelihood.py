"""What a likelihood is: how y depends on f, how y is encoded and scaled, and how it is predicted and scored.

Gaussian noise lets f be integrated out in closed form. Under the other likelihoods the readout of a network, or the
whitened f of a kernel prior, is sampled with the other latents.
"""

import abc
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from scipy.stats import norm

from bayes_nn.architecture.standard_deviations import (
    TAKEN_OUT,
    StandardDeviation,
    TakenOut,
    is_inferred,
    prior_of,
    std_key,
)
from bayes_nn.data.checks import as_matrix, spread
from bayes_nn.data.scale import Scale

#: Latents and fixed numbers by site name.
Values = dict[str, Array]


class Likelihood(abc.ABC):
    """How y depends on f, independently from row to row given f and the likelihood's own parameters.

    A likelihood is one file: it names its parameters, the distribution of y given f, and what is predicted at new
    inputs. Where y is no matrix of numbers, or is scaled or scored in its own way, it says that too.

    Attributes:
        conjugate: whether the noise is additive and Gaussian, so that f is integrated out in closed form.
        scales_targets: whether standardising the data acts on y.
        labels: whether y is the label of a class.
        classes: the labels, where y is one; None until they are known from the data.

    Example:
        >>> import bayes_nn as bnn
        >>> [one.conjugate for one in (bnn.Gaussian(0.1), bnn.Bernoulli())]
        [True, False]
    """

    conjugate: ClassVar[bool] = False
    scales_targets: ClassVar[bool] = True
    labels: ClassVar[bool] = False
    classes: tuple | None = None

    @property
    def parameters(self) -> dict[str, StandardDeviation]:
        """The positive parameters by site name, each a fixed number or a distribution to be inferred.

        The names are also those of the fields that hold them.
        """
        return {}

    def hyperparameter_priors(self) -> dict[str, dist.Distribution]:
        """Priors of the inferred parameters by site name."""
        return {name: prior_of(value) for name, value in self.parameters.items() if is_inferred(value)}

    def numbers(self) -> dict[str, float]:
        """The fixed parameters by site name."""
        return {name: value for name, value in self.parameters.items() if isinstance(value, float)}

    def without_numbers(self) -> Self:
        """The likelihood with its fixed parameters taken out, so that code compiled for it serves every number."""
        numbers = self.numbers()
        return replace(self, **dict.fromkeys(numbers, TAKEN_OUT)) if numbers else self  # type: ignore[type-var]

    def value(self, values: Values, name: str) -> Array:
        """The value of a parameter: from ``values``, or the fixed number.

        Raises:
            ValueError: if it is in neither.
        """
        own = self.parameters[name]
        if name in values:
            return jnp.asarray(values[name])
        if not isinstance(own, float):
            raise ValueError(f"{self} needs a value of {name}")
        return jnp.asarray(own)

    def latents_of_rows(self, rows: int) -> dict[str, dist.Distribution]:
        """Standard-normal latents of the noise besides its parameters, by site name; none where it is alike everywhere.

        Args:
            rows: of the training data.
        """
        return {}

    def at_rows(self, values: Values, X: Float[Array, "N *shape"]) -> Values:
        """The values with what :meth:`distribution` needs of the training inputs; as they are where that is nothing."""
        return values

    def at_new_rows(self, key: Array, values: Values, X: Array, X_new: Float[Array, "T *shape"]) -> Values:
        """The values with what :meth:`predict` needs of new inputs, drawn given the latents; likewise."""
        return values

    def of_targets(self, *ys: Any) -> Self:
        """The likelihood with its classes found in the targets, where y is a label and they are not named.

        Args:
            ys: training targets, and test targets if there are any.

        Raises:
            ValueError: for values that are no labels, or fewer than two classes.
        """
        return self

    def encode(self, y: Any, name: str) -> Float[np.ndarray, "N C"]:
        """Targets as the latent functions see them, not scaled: numbers as they are, labels by their numbers.

        Args:
            y: as the user gives it.
            name: what the user calls it, for the error.

        Raises:
            ValueError: for values that the likelihood is not for.
        """
        return as_matrix(y, name, advice="for classes use Bernoulli() or Categorical()")

    def decode(self, targets: Float[np.ndarray, "N C"]) -> np.ndarray:
        """Encoded targets as the user gives them: a matrix of numbers, or labels (N,)."""
        return targets

    def check_targets(self, targets: Float[np.ndarray, "N C"]) -> None:
        """Refuse encoded targets that leave nothing to explain.

        Raises:
            ValueError: if an output is constant.
        """
        constant = np.flatnonzero(spread(targets, "y") == 0.0)
        if constant.size:
            raise ValueError(f"y is constant (value {targets[0, constant[0]]:g}): there is nothing to explain")

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the classes as text; () where y is a number."""
        return ()

    @abc.abstractmethod
    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """The distribution of the rows of y, as a NumPyro distribution with batch shape (N,).

        Args:
            values: latents and fixed numbers by site name.
            f: latent functions at the rows.
        """

    def noise_variance(self, values: Values) -> Float[Array, ""]:
        """Variance of additive Gaussian noise, on the model's scale.

        Raises:
            ValueError: for a likelihood that is not conjugate.
        """
        raise ValueError(f"{self} is no additive Gaussian noise, so that f cannot be integrated out in closed form")

    def observed(self, Y: Float[Array, "N C"]) -> Array:
        """Encoded targets as :meth:`distribution` takes them."""
        return Y

    def log_prob(self, values: Values, Y: Float[Array, "N C"], f: Float[Array, "N C"]) -> Float[Array, " N"]:
        """``log p(y_i | f_i)`` of every row, nats."""
        return self.distribution(values, f).log_prob(self.observed(Y))

    def pointwise_log_prob(
        self, values: Values, Y: Float[Array, "N C"], f: Float[Array, "N C"]
    ) -> Float[Array, "N *C"]:
        """``log p(y_ic | f_ic)`` of every row and output, (N, C), or of every label, (N,); nats."""
        return self.distribution(values, f).base_dist.log_prob(self.observed(Y))

    def draw(self, key: Array, values: Values, f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """One draw of y given f, on the scale of the encoded targets; class numbers (N,) for labels."""
        return self.distribution(values, f).sample(key)

    @abc.abstractmethod
    def predict(self, key: Array, values: Values, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Any:
        """Components of the predictive distribution of y at new inputs, given one posterior draw; traceable.

        Args:
            key: for likelihoods whose integral over f is by Monte Carlo.
            values: latents and fixed numbers by site name.
            mean: of f at the new inputs.
            variance: of f, shared by the outputs, which are independent given the draw; 0 where f is known.

        Returns:
            A pytree of arrays, for :meth:`predictive`.
        """

    @abc.abstractmethod
    def predictive(self, components: Any, scale: Scale) -> Any:
        """The predictive distribution on the user's scale.

        Args:
            components: as :meth:`predict` returns them, in NumPy, with a leading axis over posterior draws.
            scale: of the training data.
        """

    def test_columns(self, y: Any, name: str) -> Float[np.ndarray, "T K"]:
        """Test targets in the columns of ``predictive.mean``: numbers, or 0 and 1 in one column per class.

        Raises:
            ValueError: for values that the likelihood is not for.
        """
        return self.encode(y, name)

    def accuracy(self, mean: Float[np.ndarray, "T K"], columns: Float[np.ndarray, "T K"]) -> float | None:
        """Fraction of labels that were the most probable ones; None where y is a number.

        Args:
            mean: predictive probability of every class.
            columns: from :meth:`test_columns`.
        """
        return None

    def baseline_log_prob(self, first: Float[np.ndarray, "F C"], every: Float[np.ndarray, "N C"]) -> float:
        """Log density of the first rows under a distribution that does not look at X, nats.

        Here a normal with the moments of all rows.

        Args:
            first: encoded targets of the first rows, on the model's scale.
            every: those of all rows.
        """
        mean, std = every.mean(axis=0), every.std(axis=0)
        return float(np.sum(norm.logpdf((first - mean) / std) - np.log(std)))

    @cached_property
    def _key(self) -> tuple:
        return type(self), self.classes, *((name, std_key(value)) for name, value in self.parameters.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Likelihood) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        def text(value: StandardDeviation) -> str:
            if isinstance(value, TakenOut):
                return " given later"
            return f" ~ {type(prior_of(value)).__name__}" if is_inferred(value) else f" {value}"

        return ", ".join([type(self).__name__, *(f"{name}{text(value)}" for name, value in self.parameters.items())])
