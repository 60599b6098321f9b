"""Gaussian noise."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture.standard_deviations import StandardDeviation, checked_std, default_noise_std
from bayes_nn.data.likelihoods.likelihood import Likelihood, Values
from bayes_nn.data.predictive import Predictive
from bayes_nn.data.scale import Scale


@dataclass(frozen=True, eq=False)
class Gaussian(Likelihood):
    """Gaussian noise, ``y = f(x) + noise_std * epsilon``, shared by all outputs.

    Args:
        noise_std: a number (fixed), a positive NumPyro distribution (inferred), or None for
            ``LogNormal(log 0.2, 1.5)``. On the scale of y as the model sees it: standardised
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

    @property
    def parameters(self) -> dict[str, StandardDeviation]:
        """The noise's standard deviation."""
        return {"noise_std": self.noise_std}  # type: ignore[dict-item]

    def noise_variance(self, values: Values) -> Float[Array, ""]:
        """Variance of the noise, on the model's scale."""
        return jnp.square(self.value(values, "noise_std"))

    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """Independent normals about f."""
        return dist.Normal(f, jnp.sqrt(self.noise_variance(values))).to_event(1)

    def predict(self, key: Array, values: Values, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Any:
        """Mean (T, C) and variance (T, 1) of y."""
        return mean, (variance + self.noise_variance(values))[:, None]

    def predictive(self, components: Any, scale: Scale) -> Predictive:
        """A mixture of normals with the means (M, T, C) and variances (M, T, 1) or (M, T, C)."""
        mean, variance = components
        return Predictive(scale.original(mean), scale.original_std(np.sqrt(variance)))
