"""Predictive distributions of labels."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.data.class_labels import class_numbers
from bayes_nn.data.draw_mixture import DrawMixture
from bayes_nn.runtime.random_keys import checked_key


@dataclass(frozen=True, eq=False)
class ClassPredictive(DrawMixture):
    """Predictive distribution of the class of T new inputs.

    Attributes:
        component_probabilities: class probabilities under every posterior draw, (M, T, K).
        classes: the K labels.
        draw_weights: of the draws, (M,), summing to 1; None where all count alike.

    Example:
        >>> p = ClassPredictive(np.array([[[0.2, 0.8]], [[0.4, 0.6]]]), ("no", "yes"))
        >>> p.label.tolist(), p.log_prob(["yes"]).round(3).tolist()
        (['yes'], [-0.357])
    """

    component_probabilities: Float[np.ndarray, "M T K"]
    classes: tuple

    @property
    def mean(self) -> Float[np.ndarray, "T K"]:
        """Predictive probability of every class."""
        return self.average(self.component_probabilities)

    @property
    def std(self) -> Float[np.ndarray, "T K"]:
        """Standard deviation of the class probabilities over posterior draws, each averaged over f given the draw."""
        return np.sqrt(self.average((self.component_probabilities - self.mean) ** 2))

    @property
    def label(self) -> np.ndarray:
        """The most probable class of every input, (T,)."""
        return np.asarray(self.classes)[self.mean.argmax(axis=1)]

    def quantile(self, q: float | np.ndarray) -> np.ndarray:
        """Quantiles of the class probabilities over posterior draws, as in :attr:`std`; (T, K), or one more axis."""
        if self.draw_weights is None:
            return np.quantile(self.component_probabilities, q, axis=0)
        return np.quantile(self.component_probabilities, q, axis=0, method="inverted_cdf", weights=self.draw_weights)

    def log_prob_of_draws(self, y: Any) -> Float[np.ndarray, "M T"]:
        """Log probability of every label under every posterior draw by itself, nats."""
        numbers = class_numbers(y, self.classes, "y")
        if len(numbers) != self.component_probabilities.shape[1]:
            raise ValueError(f"y has {len(numbers)} rows, the predictions {self.component_probabilities.shape[1]}")
        with np.errstate(divide="ignore"):
            return np.log(self.component_probabilities[:, np.arange(len(numbers)), numbers])

    def sample(self, key: int | Array, n: int = 1) -> np.ndarray:
        """Draws of the labels, (n, T); points are independent given the posterior draw they share.

        Args:
            key: a JAX key or an integer seed.
            n: number of draws.

        Example:
            >>> ClassPredictive(np.array([[[0.0, 1.0]]]), ("no", "yes")).sample(0, 2).tolist()
            [['yes'], ['yes']]
        """
        key_component, key_label = jax.random.split(checked_key(key))
        component = self._choose(key_component, n, len(self.component_probabilities))
        numbers = jax.random.categorical(key_label, jnp.log(self.component_probabilities[component]))
        return np.asarray(self.classes)[np.asarray(numbers)]
