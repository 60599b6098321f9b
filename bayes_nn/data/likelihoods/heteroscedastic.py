"""Gaussian noise whose size changes with the inputs."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture.network import standard_normal
from bayes_nn.architecture.standard_deviations import StandardDeviation, checked_std, default_noise_std
from bayes_nn.data.likelihoods.likelihood import Likelihood, Values
from bayes_nn.data.predictive import Predictive
from bayes_nn.data.scale import Scale
from bayes_nn.runtime.mapping import in_pieces

#: Share of the variance of the log that changes from row to row on its own, for a Cholesky factor to exist.
NUGGET = 1e-4
#: Site of the whitened log at the training inputs.
SITE = "whitened_log_noise"
#: New inputs that are looked at at once: as many as there are rows, and at least these.
SMALLEST_PIECE = 4096


@lru_cache(maxsize=1)
def default_variation() -> dist.Distribution:
    """Prior of the standard deviation of the log noise: median 0.5.

    Example:
        >>> round(float(default_variation().icdf(0.5)), 3)
        0.5
    """
    return dist.LogNormal(np.log(0.5), 0.75)


@lru_cache(maxsize=1)
def default_lengthscale() -> dist.Distribution:
    """Prior of the distance over which the noise changes: median 1, on the scale of inputs of mean square 1.

    Example:
        >>> round(float(default_lengthscale().icdf(0.5)), 3)
        1.0
    """
    return dist.LogNormal(0.0, 0.75)


@dataclass(frozen=True, eq=False)
class HeteroscedasticNoise(Likelihood):
    """Gaussian noise whose log standard deviation is a Gaussian process of its own, shared by all outputs.

    ``y = f(x) + noise_std * exp(variation * g(x)) * epsilon``, where g is a Gaussian process with the kernel
    ``exp(-|x - x'|^2 / (2 d lengthscale^2))`` over inputs of d numbers (Goldberg, Williams and Bishop 1998, NeurIPS
    10). The whitened values of g at the training inputs are latents, and so are those of f (or a network's readout).
    The evidence thus needs many particles: SMC's default is not enough for 80 rows with all inferred, and says so.

    Args:
        noise_std: median of the noise's standard deviation over inputs: a number (fixed), a positive NumPyro
            distribution (inferred), or None for ``LogNormal(log 0.2, 1.5)``. On the scale of y as the model sees it:
            standardised unless ``standardize=False``.
        variation: standard deviation of its log, in the same ways; None for ``LogNormal(log 0.5, 0.75)``.
        lengthscale: distance over which it changes, over the square root of d; None for ``LogNormal(0, 0.75)``.

    Raises:
        ValueError: if one of them is not positive.

    Example:
        >>> list(HeteroscedasticNoise(noise_std=0.2).hyperparameter_priors())
        ['variation', 'lengthscale']
    """

    noise_std: StandardDeviation | None = None
    variation: StandardDeviation | None = None
    lengthscale: StandardDeviation | None = None

    def __post_init__(self) -> None:
        defaults = {
            "noise_std": default_noise_std, "variation": default_variation, "lengthscale": default_lengthscale
        }  # fmt: skip
        for name, default in defaults.items():
            object.__setattr__(self, name, checked_std(getattr(self, name), name, default))

    @property
    def parameters(self) -> dict[str, StandardDeviation]:
        """Median, variation and lengthscale of the noise's standard deviation."""
        return {name: getattr(self, name) for name in ("noise_std", "variation", "lengthscale")}

    def latents_of_rows(self, rows: int) -> dict[str, dist.Distribution]:
        """The whitened g at the training inputs."""
        return {SITE: standard_normal((rows,))}

    def _kernel(self, values: Values, X: Array, X_new: Array) -> Float[Array, "T N"]:
        X, X_new = X.reshape(len(X), -1), X_new.reshape(len(X_new), -1)
        squares = jnp.sum((X_new[:, None] - X) ** 2, axis=-1)
        return (1.0 - NUGGET) * jnp.exp(-0.5 * squares / (X.shape[1] * self.value(values, "lengthscale") ** 2))

    def _factor(self, values: Values, X: Array) -> Float[Array, "N N"]:
        return jnp.linalg.cholesky(self._kernel(values, X, X) + NUGGET * jnp.eye(len(X), dtype=X.dtype))

    def _with_std(self, values: Values, g: Float[Array, " N"]) -> Values:
        std = self.value(values, "noise_std") * jnp.exp(self.value(values, "variation") * g)
        return values | {"noise_std_of_rows": std}

    def at_rows(self, values: Values, X: Float[Array, "N *shape"]) -> Values:
        """The values with the noise's standard deviation at the training inputs."""
        return self._with_std(values, self._factor(values, X) @ values[SITE])

    def at_new_rows(self, key: Array, values: Values, X: Array, X_new: Float[Array, "T *shape"]) -> Values:
        """The values with one draw of the noise's standard deviation at every new input, each on its own."""
        L = self._factor(values, X)

        def piece(X_new: Array) -> tuple[Float[Array, " P"], Float[Array, " P"]]:
            half = jax.scipy.linalg.solve_triangular(L, self._kernel(values, X, X_new).T, lower=True)
            return half.T @ values[SITE], 1.0 - jnp.sum(half * half, axis=0)

        mean, variance = in_pieces(piece, X_new, max(SMALLEST_PIECE, len(X)))
        return self._with_std(values, mean + jnp.sqrt(jnp.maximum(variance, 0.0)) * jax.random.normal(key, mean.shape))

    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """Independent normals about f."""
        return dist.Normal(f, values["noise_std_of_rows"][:, None]).to_event(1)

    def predict(self, key: Array, values: Values, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Any:
        """Mean (T, C) and variance (T, 1) of y."""
        return mean, (variance + values["noise_std_of_rows"] ** 2)[:, None]

    def predictive(self, components: Any, scale: Scale) -> Predictive:
        """A mixture of normals."""
        mean, variance = components
        return Predictive(scale.original(mean), scale.original_std(np.sqrt(variance)))
