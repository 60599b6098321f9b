"""Predictive distributions of numbers that are not normal given f: mixtures over posterior draws and over f."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy import stats
from scipy.special import logsumexp

from bayes_nn.data.draw_mixture import DrawMixture
from bayes_nn.data.predictive import targets_of_shape, without_single_output
from bayes_nn.data.quantiles import checked_levels, continuous_quantile, discrete_quantile
from bayes_nn.runtime.random_keys import checked_key

#: Nodes for the integral over f given a posterior draw, and how many standard deviations of f they reach.
NODES, REACH = 20, 6.5
#: The golden ratio's fractional part: its multiples, modulo 1, fill [0, 1) evenly.
GOLDEN = 0.5 * (5.0**0.5 - 1.0)


def nodes_of_f(
    mean: Float[np.ndarray, "M T C"], variance: Float[np.ndarray, "M T"]
) -> tuple[Float[np.ndarray, "M Q T C"], Float[np.ndarray, "M Q"]]:
    """Values of f with weights that stand for N(mean, variance) under every posterior draw.

    The trapezoidal rule with Gaussian weights, which converges exponentially (Trefethen and Weideman 2014, SIAM Review
    56). The nodes of draw m are shifted by a fraction of their distance, another one for every draw, so that all
    draws together resolve a density of y given f that is narrower than the distance of the nodes. A single node where
    no f varies.

    Args:
        mean: of f.
        variance: of f, shared by the outputs, which are independent.

    Returns:
        The nodes, and their weights, which sum to 1 over Q for every draw.

    Example:
        >>> nodes, weights = nodes_of_f(np.ones((1, 1, 1)), np.full((1, 1), 4.0))
        >>> bool(abs((weights * nodes[..., 0, 0] ** 2).sum() - 5.0) < 1e-6)
        True
    """
    if not np.any(variance):
        return mean[:, None], np.ones((len(mean), 1))
    shifts = (0.5 + GOLDEN * np.arange(len(mean))) % 1.0
    z = (2.0 * REACH / NODES) * (np.arange(NODES) + shifts[:, None]) - REACH
    weights = np.exp(-0.5 * z**2)
    std = np.sqrt(variance)[:, None, :, None]
    return mean[:, None] + std * z[:, :, None, None], weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class MixturePredictive(DrawMixture):
    """Predictive distribution of y at T new inputs, on the user's scale.

    A mixture over M posterior draws and, within each, over Q values of f.

    Attributes:
        family: the distribution of y given f, from :mod:`scipy.stats`.
        parameters: its parameters by name, each broadcastable to (M, Q, T, C).
        weights: of the Q values of f under every draw, (M, Q); they sum to 1 over Q.
        shape: (M, Q, T, C).
        draw_weights: of the draws, (M,), summing to 1; None where all count alike.

    Example:
        >>> parameters = {"n": 10, "p": np.array([0.1, 0.3]).reshape(2, 1, 1, 1)}
        >>> p = MixturePredictive(stats.binom, parameters, np.ones((2, 1)))
        >>> p.mean.tolist(), p.quantile(0.5).tolist()
        ([2.0], [2.0])
    """

    family: Any
    parameters: dict[str, np.ndarray]
    weights: Float[np.ndarray, "M Q"]
    shape: tuple[int, int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        shapes = [np.shape(value) for value in self.parameters.values()]
        object.__setattr__(self, "shape", np.broadcast_shapes(*shapes, (*self.weights.shape, 1, 1)))

    @property
    def discrete(self) -> bool:
        """Whether y is a whole number."""
        return isinstance(self.family, stats.rv_discrete)

    @cached_property
    def component_means(self) -> Float[np.ndarray, "M T C"]:
        """Mean of y under every posterior draw; NaN where it does not exist."""
        return self._averaged(self._node_means)

    @property
    def mean(self) -> Float[np.ndarray, "T *C"]:
        """Predictive mean, (T,) or (T, C).

        NaN where the mean of a component does not exist, as under noise with very heavy tails: then ``quantile(0.5)``
        is the centre.
        """
        return without_single_output(self.average(self.component_means))

    @property
    def std(self) -> Float[np.ndarray, "T *C"]:
        """Predictive standard deviation, observation noise included, (T,) or (T, C).

        Infinite where the variance of a component is, NaN where its mean does not exist.
        """
        within = np.broadcast_to(self.family.var(**self.parameters), self.shape)
        between = (self._node_means - self.average(self.component_means)) ** 2
        return without_single_output(np.sqrt(self.average(self._averaged(within + between))))

    def quantile(self, q: float | np.ndarray) -> np.ndarray:
        """Quantiles of the mixture, (T,) or (T, C), with a leading axis where q is an array.

        For whole numbers, the smallest k with ``P(y <= k) >= q``.

        Raises:
            ValueError: if a level lies outside (0, 1).
        """
        M, Q, *points_shape = self.shape
        parameters = {name: value.reshape(M * Q, -1) for name, value in self._full.items()}
        of_draws = 1.0 / M if self.draw_weights is None else self.draw_weights[:, None]
        weights = (self.weights * of_draws).reshape(-1)

        def cdf(y: np.ndarray, points: np.ndarray) -> np.ndarray:
            return weights @ self.family.cdf(y, **{name: value[:, points] for name, value in parameters.items()})

        find = discrete_quantile if self.discrete else continuous_quantile
        found = [find(level, cdf, lambda level: self.family.ppf(level, **parameters)) for level in checked_levels(q)]
        values = without_single_output(np.stack(found).reshape(-1, *points_shape))
        return values if np.ndim(q) else values[0]

    def log_prob_of_draws(self, y: Any) -> Float[np.ndarray, "M T"]:
        """Log density or probability of every row of y under every posterior draw by itself, nats."""
        targets = targets_of_shape(y, self.shape[2:])
        log_density = self.family.logpmf if self.discrete else self.family.logpdf
        of_node = log_density(targets, **self.parameters) + np.log(self.weights)[:, :, None, None]
        return logsumexp(of_node, axis=1).sum(axis=-1)

    def sample(self, key: int | Array, n: int = 1) -> Float[np.ndarray, "n T *C"]:
        """Draws of y; outputs and points are independent given the posterior draw they share.

        Args:
            key: a JAX key or an integer seed.
            n: number of draws.

        Example:
            >>> p = MixturePredictive(stats.norm, {"loc": np.zeros((1, 1, 3, 1))}, np.ones((1, 1)))
            >>> p.sample(0, 4).shape
            (4, 3)
        """
        key_draw, key_node, key_y = jax.random.split(checked_key(key), 3)
        M, _, T, C = self.shape
        draw = self._choose(key_draw, n, M)
        up_to = np.cumsum(self.weights, axis=1)[draw][:, None, None, :-1]
        node = np.sum(np.asarray(jax.random.uniform(key_node, (n, T, C)))[..., None] > up_to, axis=-1)
        at = draw[:, None, None], node, np.arange(T)[:, None], np.arange(C)
        level = np.asarray(jax.random.uniform(key_y, (n, T, C), minval=np.finfo(float).tiny))
        return without_single_output(self.family.ppf(level, **{name: v[at] for name, v in self._full.items()}))

    @property
    def _full(self) -> dict[str, np.ndarray]:
        return {name: np.broadcast_to(value, self.shape) for name, value in self.parameters.items()}

    @cached_property
    def _node_means(self) -> Float[np.ndarray, "M Q T C"]:
        means = np.broadcast_to(self.family.mean(**self.parameters), self.shape)
        return np.where(np.isfinite(means), means, np.nan)

    def _averaged(self, values: Float[np.ndarray, "M Q T C"]) -> Float[np.ndarray, "M T C"]:
        return np.einsum("mq,mqtc->mtc", self.weights, values)
