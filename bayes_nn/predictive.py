"""Predictive distributions: equally weighted mixtures with one component per posterior draw."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp, ndtr

from bayes_nn.data import as_matrix, class_numbers


@dataclass(frozen=True)
class Predictive:
    """Predictive distribution of y at T new inputs, on the user's scale.

    Attributes:
        component_means: mean under every posterior draw, (M, T, C).
        component_stds: standard deviation of y under every draw, observation noise included, (M, T, C).

    Example:
        >>> p = Predictive(np.zeros((1, 2, 1)), np.ones((1, 2, 1)))
        >>> p.log_prob([0.0, 0.0]).round(3).tolist()
        [-0.919, -0.919]
    """

    component_means: Float[np.ndarray, "M T C"]
    component_stds: Float[np.ndarray, "M T C"]

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        """Drop the output axis where there is a single output."""
        return values[..., 0] if values.shape[-1] == 1 else values

    @property
    def mean(self) -> Float[np.ndarray, "T *C"]:
        """Predictive mean, (T,) or (T, C)."""
        return self._shaped(self.component_means.mean(axis=0))

    @property
    def std(self) -> Float[np.ndarray, "T *C"]:
        """Predictive standard deviation, observation noise included, (T,) or (T, C)."""
        variance = (self.component_stds**2).mean(axis=0) + self.component_means.var(axis=0)
        return self._shaped(np.sqrt(variance))

    def quantile(self, q: float | np.ndarray) -> np.ndarray:
        """Quantiles of the mixture, (T,) or (T, C), with a leading axis where q is an array.

        Raises:
            ValueError: if a level lies outside (0, 1).
        """
        levels = np.atleast_1d(np.asarray(q, dtype=float))
        if not ((levels > 0) & (levels < 1)).all():
            raise ValueError(f"quantile levels must lie strictly between 0 and 1; got {q}")
        spread = 40.0 * self.component_stds
        low = np.repeat((self.component_means - spread).min(axis=0)[None], len(levels), axis=0)
        high = np.repeat((self.component_means + spread).max(axis=0)[None], len(levels), axis=0)
        target = levels.reshape(-1, 1, 1)
        for _ in range(80):
            middle = 0.5 * (low + high)
            below = ndtr((middle[:, None] - self.component_means) / self.component_stds).mean(axis=1) < target
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        values = self._shaped(0.5 * (low + high))
        return values if np.ndim(q) else values[0]

    def log_prob(self, y: Any) -> Float[np.ndarray, " T"]:
        """Log predictive density of every row of y, summed over outputs within each draw, in nats.

        Raises:
            ValueError: if y does not have the shape of the predictions.
        """
        targets = as_matrix(y, "y")
        if targets.shape != self.component_means.shape[1:]:
            raise ValueError(f"y has shape {targets.shape}, the predictions {self.component_means.shape[1:]}")
        z = (targets - self.component_means) / self.component_stds
        log_density = (-0.5 * (z**2 + np.log(2.0 * np.pi)) - np.log(self.component_stds)).sum(axis=-1)
        return logsumexp(log_density, axis=0) - np.log(len(log_density))

    def sample(self, key: int | Array, n: int = 1) -> Float[np.ndarray, "n T *C"]:
        """Draws of y; outputs and points are independent given the posterior draw they share."""
        key = jax.random.key(key) if isinstance(key, int) else key
        key_component, key_noise = jax.random.split(key)
        component = np.asarray(jax.random.randint(key_component, (n,), 0, len(self.component_means)))
        noise = np.asarray(jax.random.normal(key_noise, (n, *self.component_means.shape[1:]), dtype=jnp.float64))
        return self._shaped(self.component_means[component] + self.component_stds[component] * noise)


@dataclass(frozen=True)
class ClassPredictive:
    """Predictive distribution of the class of T new inputs.

    Attributes:
        component_probabilities: class probabilities under every posterior draw, (M, T, K).
        classes: the K labels.

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
        return self.component_probabilities.mean(axis=0)

    @property
    def std(self) -> Float[np.ndarray, "T K"]:
        """Standard deviation of the class probabilities over posterior draws, each averaged over f given the draw."""
        return self.component_probabilities.std(axis=0)

    @property
    def label(self) -> np.ndarray:
        """The most probable class of every input, (T,)."""
        return np.asarray(self.classes)[self.mean.argmax(axis=1)]

    def quantile(self, q: float | np.ndarray) -> np.ndarray:
        """Quantiles of the class probabilities over posterior draws, as in :attr:`std`; (T, K), or one more axis."""
        return np.quantile(self.component_probabilities, q, axis=0)

    def log_prob(self, y: Any) -> Float[np.ndarray, " T"]:
        """Log predictive probability of every label, nats.

        Raises:
            ValueError: for a label that is no class, or another number of rows.
        """
        numbers = class_numbers(y, self.classes, "y")
        if len(numbers) != self.component_probabilities.shape[1]:
            raise ValueError(f"y has {len(numbers)} rows, the predictions {self.component_probabilities.shape[1]}")
        return np.log(self.mean[np.arange(len(numbers)), numbers])

    def sample(self, key: int | Array, n: int = 1) -> np.ndarray:
        """Draws of the labels, (n, T); points are independent given the posterior draw they share."""
        key = jax.random.key(key) if isinstance(key, int) else key
        key_component, key_label = jax.random.split(key)
        component = np.asarray(jax.random.randint(key_component, (n,), 0, len(self.component_probabilities)))
        numbers = jax.random.categorical(key_label, jnp.log(self.component_probabilities[component]))
        return np.asarray(self.classes)[np.asarray(numbers)]
