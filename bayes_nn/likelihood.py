"""Likelihoods: how the observed y depends on the latent functions f.

Gaussian noise lets f be integrated out in closed form. Under the other likelihoods the readout of a network, or the
whitened f of a kernel prior, is sampled with the rest of z.
"""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.hyperparameters import StandardDeviation, checked_std, default_noise_std, is_inferred

#: Gauss-Hermite nodes for the probability of a class under a Gaussian f.
NODES = 32
#: Draws of f for the same with several classes.
LATENT_DRAWS = 32

Values = dict[str, Array]


class Likelihood(abc.ABC):
    """How y depends on f, independently from row to row given f and z.

    Attributes:
        conjugate: whether f can be integrated out in closed form.
        classes: the labels, where y is one; None until they are known from the data.
    """

    conjugate: bool = False
    classes: tuple | None = None

    def hyperparameter_priors(self) -> dict[str, dist.Distribution]:
        """Priors of the likelihood's own parameters by site name."""
        return {}

    @abc.abstractmethod
    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """The distribution of the rows of y, as a NumPyro distribution with batch shape (N,)."""

    def observed(self, Y: Float[Array, "N C"]) -> Array:
        """Encoded targets as :meth:`distribution` wants them."""
        return Y

    def log_prob(self, values: Values, Y: Float[Array, "N C"], f: Float[Array, "N C"]) -> Float[Array, " N"]:
        """log p(y_i | f_i) of every row, nats."""
        return self.distribution(values, f).log_prob(self.observed(Y))

    def draw(self, key: Array, values: Values, f: Float[Array, "N C"]) -> Array:
        """One draw of y given f, on the scale of the encoded targets; class numbers for labels."""
        return self.distribution(values, f).sample(key)


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Gaussian noise, ``y = f(x) + noise_std * epsilon``, shared by all outputs.

    Args:
        noise_std: a number (fixed), a positive NumPyro distribution (inferred), or None for
            ``LogNormal(log 0.3, 0.75)``. On the scale of y as the model sees it: standardised
            unless ``standardize=False``.

    Raises:
        ValueError: if it is not positive.

    Example:
        >>> Gaussian(noise_std=0.5).noise_std
        0.5
    """

    noise_std: StandardDeviation | None = None
    conjugate = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise_std", checked_std(self.noise_std, "noise_std", default_noise_std))

    def hyperparameter_priors(self) -> dict[str, dist.Distribution]:
        """The noise's prior by site name, empty where the noise is fixed."""
        return {"noise_std": self.noise_std} if is_inferred(self.noise_std) else {}

    def noise_variance(self, values: Values) -> Float[Array, ""]:
        """The noise variance under the values of the latents."""
        return jnp.square(jnp.asarray(values.get("noise_std", self.noise_std)))

    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """Independent normals about f."""
        return dist.Normal(f, jnp.sqrt(self.noise_variance(values))).to_event(1)

    def __str__(self) -> str:
        std = self.noise_std
        return f"Gaussian, noise_std {std}" if isinstance(std, float) else f"Gaussian, noise_std ~ {type(std).__name__}"


class Labels(Likelihood):
    """Shared by the likelihoods of labels."""

    def classes_of(self, labels: np.ndarray) -> tuple:
        """The classes, given or found in the data.

        Raises:
            ValueError: if fewer than two are seen.
        """
        found = tuple(np.unique(labels).tolist())
        if len(found) < 2:
            raise ValueError(f"y has the single class {found[0]!r}: there is nothing to explain")
        return found if self.classes is None else self.classes

    def among(self, labels: np.ndarray) -> Self:
        """The same likelihood with its classes known."""
        return replace(self, classes=self.classes_of(labels))  # type: ignore[type-var]

    @abc.abstractmethod
    def encode(self, numbers: np.ndarray, count: int) -> Float[np.ndarray, "N C"]:
        """Class numbers as the targets of the latent functions."""

    @abc.abstractmethod
    def probabilities(self, key: Array, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Array:
        """Class probabilities (T, K) at new inputs where f is Gaussian, its outputs independent."""

    def __str__(self) -> str:
        return type(self).__name__


def _checked_classes(classes: Sequence | None) -> tuple | None:
    if classes is None:
        return None
    if isinstance(classes, str) or not isinstance(classes, (Sequence, np.ndarray)):
        raise ValueError(f"classes must be a sequence of labels, such as ('no', 'yes'); got {classes!r}")
    labels = tuple(np.asarray(classes).tolist())
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise ValueError(f"classes must be at least two different labels; got {labels}")
    return labels


@dataclass(frozen=True)
class Bernoulli(Labels):
    """Two classes: ``p(y = second class) = sigmoid(f)``.

    Args:
        classes: the two labels; left out, those found in y, in sorted order.

    Raises:
        ValueError: if there are not two.

    Example:
        >>> Bernoulli(("no", "yes")).classes
        ('no', 'yes')
    """

    classes: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", _checked_classes(self.classes))
        if self.classes is not None and len(self.classes) != 2:
            raise ValueError(f"Bernoulli needs two classes, got {len(self.classes)}: use Categorical()")

    def classes_of(self, labels: np.ndarray) -> tuple:
        """The two classes.

        Raises:
            ValueError: if there are not two.
        """
        classes = super().classes_of(labels)
        if len(classes) != 2:
            raise ValueError(f"Bernoulli needs two classes, y has {len(classes)}: use Categorical()")
        return classes

    def encode(self, numbers: np.ndarray, count: int) -> Float[np.ndarray, "N 1"]:
        """0 for the first class, 1 for the second."""
        return numbers[:, None].astype(float)

    def distribution(self, values: Values, f: Float[Array, "N 1"]) -> dist.Distribution:
        """The logistic likelihood."""
        return dist.Bernoulli(logits=f[:, 0])

    def observed(self, Y: Float[Array, "N 1"]) -> Array:
        """The single column."""
        return Y[:, 0]

    def probabilities(self, key: Array, mean: Float[Array, "T 1"], variance: Float[Array, " T"]) -> Array:
        """By Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        f = mean + jnp.sqrt(variance)[:, None] * nodes
        weights = weights / weights.sum()
        return jnp.stack([jax.nn.sigmoid(-f) @ weights, jax.nn.sigmoid(f) @ weights], axis=1)


@dataclass(frozen=True)
class Categorical(Labels):
    """K classes with one latent function each: ``p(y = k) = softmax(f)_k``.

    Args:
        classes: the labels; left out, those found in y, in sorted order. Name them where a class may be
            missing from the training rows.

    Raises:
        ValueError: if there are fewer than two.

    Example:
        >>> Categorical(range(10)).classes[-1]
        9
    """

    classes: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", _checked_classes(self.classes))

    def encode(self, numbers: np.ndarray, count: int) -> Float[np.ndarray, "N K"]:
        """One column for each class."""
        return np.eye(count)[numbers]

    def distribution(self, values: Values, f: Float[Array, "N K"]) -> dist.Distribution:
        """The softmax likelihood."""
        return dist.Categorical(logits=f)

    def observed(self, Y: Float[Array, "N K"]) -> Array:
        """Class numbers."""
        return jnp.argmax(Y, axis=1)

    def probabilities(self, key: Array, mean: Float[Array, "T K"], variance: Float[Array, " T"]) -> Array:
        """By draws of f, antithetic; exact where f is known."""
        noise = jax.random.normal(key, (LATENT_DRAWS // 2, *mean.shape))
        noise = jnp.concatenate([noise, -noise]) * jnp.sqrt(variance)[:, None]
        return jnp.mean(jax.nn.softmax(mean + noise, axis=-1), axis=0)
