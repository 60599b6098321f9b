"""Labels: two classes by a logistic function of f, or several by a softmax of as many functions."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float, Int

from bayes_nn.data.class_labels import as_labels, class_numbers
from bayes_nn.data.class_predictive import ClassPredictive
from bayes_nn.data.likelihoods.likelihood import Likelihood, Values
from bayes_nn.data.scale import Scale

#: Gauss-Hermite nodes for the probability of a class under a Gaussian f.
NODES = 32
#: Draws of f for the same with several classes.
LATENT_DRAWS = 32


class Labels(Likelihood):
    """What the likelihoods of labels have in common.

    Example:
        >>> isinstance(Bernoulli(), Labels), Bernoulli().of_targets(["no", "yes", "no"]).classes
        (True, ('no', 'yes'))
    """

    scales_targets = False
    labels = True

    def classes_of(self, labels: np.ndarray) -> tuple:
        """The classes, named or found in the data.

        Args:
            labels: checked labels, (N,).

        Raises:
            ValueError: if fewer than two are seen, but for a single row of classes that are named.
        """
        found = tuple(np.unique(labels).tolist())
        if len(found) < 2 and (self.classes is None or len(labels) > 1):
            raise ValueError(f"y has the single class {found[0]!r}: there is nothing to explain")
        return found if self.classes is None else self.classes

    def of_targets(self, *ys: Any) -> Self:
        """The same likelihood with its classes known; ``ys`` are training and test labels.

        Raises:
            ValueError: for values that are no labels, or fewer than two classes.
        """
        seen = [as_labels(y, "y" if not place else "y_test") for place, y in enumerate(ys)]
        return replace(self, classes=self.classes_of(np.concatenate(seen)))  # type: ignore[type-var]

    @property
    def known_classes(self) -> tuple:
        """The classes.

        Raises:
            ValueError: if they are neither named nor found in data.
        """
        if self.classes is None:
            raise ValueError(f"the classes of {self} are not known: name them, or take of_targets(y)")
        return self.classes

    def encode(self, y: Any, name: str) -> Float[np.ndarray, "N C"]:
        """Labels as the targets of the latent functions.

        Raises:
            ValueError: for a label that is no class.
        """
        return self.encode_numbers(class_numbers(y, self.known_classes, name))

    def decode(self, targets: Float[np.ndarray, "N C"]) -> np.ndarray:
        """The labels (N,) of encoded targets."""
        return np.asarray(self.known_classes)[np.asarray(self.observed(jnp.asarray(targets))).astype(int)]

    def check_targets(self, targets: Float[np.ndarray, "N C"]) -> None:
        """Refuse targets of a single class.

        Raises:
            ValueError: naming it.
        """
        self.classes_of(self.decode(targets))

    def pointwise_log_prob(self, values: Values, Y: Float[Array, "N C"], f: Float[Array, "N C"]) -> Float[Array, " N"]:
        """Log probability of every label, nats."""
        return self.log_prob(values, Y, f)

    def predict(self, key: Array, values: Values, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Any:
        """Class probabilities (T, K)."""
        return self.probabilities(key, mean, variance)

    def predictive(self, components: Any, scale: Scale) -> ClassPredictive:
        """The distribution of the class, from probabilities (M, T, K)."""
        return ClassPredictive(components, self.known_classes)

    def test_columns(self, y: Any, name: str) -> Float[np.ndarray, "T K"]:
        """0 and 1, one column for each class.

        Raises:
            ValueError: for a label that is no class.
        """
        return np.eye(len(self.known_classes))[class_numbers(y, self.known_classes, name)]

    def accuracy(self, mean: Float[np.ndarray, "T K"], columns: Float[np.ndarray, "T K"]) -> float:
        """Fraction of labels that were the most probable ones."""
        return float(np.mean(mean.argmax(axis=1) == columns.argmax(axis=1)))

    def baseline_log_prob(self, first: Float[np.ndarray, "F C"], every: Float[np.ndarray, "N C"]) -> float:
        """Log probability of the first rows where all classes are equally probable, nats."""
        return -len(first) * float(np.log(len(self.known_classes)))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes as text."""
        return tuple(str(label) for label in self.classes or ())

    @abc.abstractmethod
    def encode_numbers(self, numbers: Int[np.ndarray, " N"]) -> Float[np.ndarray, "N C"]:
        """Class numbers as the targets of the latent functions."""

    @abc.abstractmethod
    def probabilities(
        self, key: Array | None, mean: Float[Array, "T C"], variance: Float[Array, " T"]
    ) -> Float[Array, "T K"]:
        """Class probabilities at new inputs where f is Gaussian, its outputs independent.

        Args:
            key: where the integral over f is by Monte Carlo.
            mean: of f.
            variance: of f, shared by the outputs.
        """


def _checked_classes(classes: Sequence | None) -> tuple | None:
    if classes is None:
        return None
    if isinstance(classes, str) or not isinstance(classes, (Sequence, np.ndarray)):
        raise ValueError(f"classes must be a sequence of labels, such as ('no', 'yes'); got {classes!r}")
    labels = tuple(np.asarray(classes).tolist())
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise ValueError(f"classes must be at least two different labels; got {labels}")
    return labels


@dataclass(frozen=True, eq=False)
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

    def encode_numbers(self, numbers: Int[np.ndarray, " N"]) -> Float[np.ndarray, "N 1"]:
        """0 for the first class, 1 for the second."""
        return numbers[:, None].astype(float)

    def distribution(self, values: Values, f: Float[Array, "N 1"]) -> dist.Distribution:
        """The logistic likelihood."""
        return dist.Bernoulli(logits=f[:, 0])

    def observed(self, Y: Float[Array, "N 1"]) -> Array:
        """The single column."""
        return Y[:, 0]

    def probabilities(
        self, key: Array | None, mean: Float[Array, "T 1"], variance: Float[Array, " T"]
    ) -> Float[Array, "T 2"]:
        """By Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        f = mean + jnp.sqrt(variance)[:, None] * nodes
        weights = weights / weights.sum()
        return jnp.stack([jax.nn.sigmoid(-f) @ weights, jax.nn.sigmoid(f) @ weights], axis=1)


@dataclass(frozen=True, eq=False)
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

    def encode_numbers(self, numbers: Int[np.ndarray, " N"]) -> Float[np.ndarray, "N K"]:
        """One column for each class."""
        return np.eye(len(self.known_classes))[numbers]

    def distribution(self, values: Values, f: Float[Array, "N K"]) -> dist.Distribution:
        """The softmax likelihood."""
        return dist.Categorical(logits=f)

    def observed(self, Y: Float[Array, "N K"]) -> Array:
        """Class numbers."""
        return jnp.argmax(Y, axis=1)

    def probabilities(
        self, key: Array | None, mean: Float[Array, "T K"], variance: Float[Array, " T"]
    ) -> Float[Array, "T K"]:
        """By draws of f, antithetic; exact where f is known."""
        assert key is not None, "the integral over several functions is by Monte Carlo"
        noise = jax.random.normal(key, (LATENT_DRAWS // 2, *mean.shape))
        noise = jnp.concatenate([noise, -noise]) * jnp.sqrt(variance)[:, None]
        return jnp.mean(jax.nn.softmax(mean + noise, axis=-1), axis=0)
