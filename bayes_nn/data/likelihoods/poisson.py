"""Counts."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from scipy import stats

from bayes_nn.data.likelihoods.likelihood import Likelihood, Values
from bayes_nn.data.mixture_predictive import MixturePredictive, nodes_of_f
from bayes_nn.data.scale import Scale


@dataclass(frozen=True, eq=False)
class Poisson(Likelihood):
    """Counts with a logarithmic link: ``y ~ Poisson(exp(f))``, independently for every output.

    Counts are not scaled, and f is the logarithm of the expected count.

    Example:
        >>> Poisson().encode([0, 3, 1], "y").tolist()
        [[0.0], [3.0], [1.0]]
    """

    scales_targets = False

    def encode(self, y: Any, name: str) -> Float[np.ndarray, "N C"]:
        """Counts as floats.

        Raises:
            ValueError: for numbers that are no counts.
        """
        counts = super().encode(y, name)
        broken = counts[(counts < 0) | (counts != np.floor(counts))]
        if broken.size:
            raise ValueError(f"{name} holds {broken[0]:g}, which is no count: Poisson needs whole numbers from 0 on")
        return counts

    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """Independent Poisson distributions of mean exp(f)."""
        return dist.Poisson(jnp.exp(f)).to_event(1)

    def predict(self, key: Array, values: Values, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Any:
        """Mean (T, C) and variance (T,) of f."""
        return mean, variance

    def predictive(self, components: Any, scale: Scale) -> MixturePredictive:
        """A mixture of Poisson distributions."""
        f, weights = nodes_of_f(*components)
        return MixturePredictive(stats.poisson, {"mu": np.exp(f)}, weights)

    def baseline_log_prob(self, first: Float[np.ndarray, "F C"], every: Float[np.ndarray, "N C"]) -> float:
        """Log probability of the first rows under Poisson distributions with the means of all rows, nats."""
        return float(np.sum(stats.poisson.logpmf(first, every.mean(axis=0))))
