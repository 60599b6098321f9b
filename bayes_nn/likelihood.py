"""Likelihoods: how the observed y depends on the latent function."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.hyperparameters import StandardDeviation, checked_std, default_noise_std, is_inferred


@dataclass(frozen=True, eq=False)
class Gaussian:
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise_std", checked_std(self.noise_std, "noise_std", default_noise_std))

    def hyperparameter_priors(self) -> dict[str, dist.Distribution]:
        """The noise's prior by site name, empty where the noise is fixed."""
        return {"noise_std": self.noise_std} if is_inferred(self.noise_std) else {}

    def noise_variance(self, values: dict[str, Array]) -> Float[Array, ""]:
        """The noise variance under the values of the latents."""
        return jnp.square(jnp.asarray(values.get("noise_std", self.noise_std)))
