"""Predictive distributions of numbers: mixtures of normals, one for every posterior draw."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from bayes_nn.data.checks import as_matrix
from bayes_nn.data.draw_mixture import DrawMixture
from bayes_nn.data.quantiles import checked_levels, continuous_quantile
from bayes_nn.runtime.random_keys import checked_key


@dataclass(frozen=True, eq=False)
class Predictive(DrawMixture):
    """Predictive distribution of y at T new inputs, on the user's scale.

    Attributes:
        component_means: mean under every posterior draw, (M, T, C).
        component_stds: standard deviation of y under every draw, observation noise included, (M, T, C).
        draw_weights: of the draws, (M,), summing to 1; None where all count alike.

    Example:
        >>> p = Predictive(np.zeros((1, 2, 1)), np.ones((1, 2, 1)))
        >>> p.log_prob([0.0, 0.0]).round(3).tolist()
        [-0.919, -0.919]
    """

    component_means: Float[np.ndarray, "M T C"]
    component_stds: Float[np.ndarray, "M T C"]

    @property
    def mean(self) -> Float[np.ndarray, "T *C"]:
        """Predictive mean, (T,) or (T, C)."""
        return without_single_output(self.average(self.component_means))

    @property
    def std(self) -> Float[np.ndarray, "T *C"]:
        """Predictive standard deviation, observation noise included, (T,) or (T, C)."""
        between = (self.component_means - self.average(self.component_means)) ** 2
        variance = self.average(self.component_stds**2) + self.average(between)
        return without_single_output(np.sqrt(variance))

    def quantile(self, q: float | np.ndarray) -> np.ndarray:
        """Quantiles of the mixture, (T,) or (T, C), with a leading axis where q is an array.

        Raises:
            ValueError: if a level lies outside (0, 1).

        Example:
            >>> Predictive(np.zeros((1, 1, 1)), np.ones((1, 1, 1))).quantile([0.5, 0.975]).round(2).tolist()
            [[0.0], [1.96]]
        """
        shape = self.component_means.shape
        means, stds = (values.reshape(shape[0], -1) for values in (self.component_means, self.component_stds))

        def cdf(y: np.ndarray, points: np.ndarray) -> np.ndarray:
            return self.average(ndtr((y - means[:, points]) / stds[:, points]))

        found = [
            continuous_quantile(level, cdf, lambda level: means + stds * ndtri(level)) for level in checked_levels(q)
        ]
        values = without_single_output(np.stack(found).reshape(-1, *shape[1:]))
        return values if np.ndim(q) else values[0]

    def log_prob_of_draws(self, y: Any) -> Float[np.ndarray, "M T"]:
        """Log density of every row of y under every posterior draw by itself, summed over outputs, nats."""
        targets = targets_of_shape(y, self.component_means.shape[1:])
        return norm.logpdf(targets, self.component_means, self.component_stds).sum(axis=-1)

    def sample(self, key: int | Array, n: int = 1) -> Float[np.ndarray, "n T *C"]:
        """Draws of y; outputs and points are independent given the posterior draw they share.

        Args:
            key: a JAX key or an integer seed.
            n: number of draws.

        Example:
            >>> Predictive(np.zeros((1, 2, 1)), np.ones((1, 2, 1))).sample(0, 5).shape
            (5, 2)
        """
        key_component, key_noise = jax.random.split(checked_key(key))
        component = self._choose(key_component, n, len(self.component_means))
        noise = np.asarray(jax.random.normal(key_noise, (n, *self.component_means.shape[1:]), dtype=jnp.float64))
        return without_single_output(self.component_means[component] + self.component_stds[component] * noise)


def without_single_output(values: Float[np.ndarray, "*batch C"]) -> np.ndarray:
    """The values without their last axis where there is a single output.

    Example:
        >>> without_single_output(np.zeros((5, 1))).shape
        (5,)
    """
    return values[..., 0] if values.shape[-1] == 1 else values


def targets_of_shape(y: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "T C"]:
    """Targets as a matrix of the shape of the predictions, (T, C).

    Raises:
        ValueError: if y has another shape or holds no finite numbers.

    Example:
        >>> targets_of_shape([1.0, 2.0], (2, 1)).tolist()
        [[1.0], [2.0]]
    """
    targets = as_matrix(y, "y")
    if targets.shape != shape:
        raise ValueError(f"y has shape {targets.shape}, the predictions {shape}")
    return targets
