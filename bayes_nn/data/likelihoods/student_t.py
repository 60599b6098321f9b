"""Noise with heavy tails, for data with outliers."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from scipy import stats

from bayes_nn.architecture.standard_deviations import StandardDeviation, checked_std, default_noise_std
from bayes_nn.data.likelihoods.likelihood import Likelihood, Values
from bayes_nn.data.mixture_predictive import MixturePredictive, nodes_of_f
from bayes_nn.data.scale import Scale


@lru_cache(maxsize=1)
def default_df() -> dist.Distribution:
    """Prior of degrees of freedom that are left out: Gamma with shape 2 and rate 0.1, hence mean 20.

    Source: Juarez and Steel 2010, Journal of Business and Economic Statistics 28.

    Example:
        >>> float(default_df().mean)
        20.0
    """
    return dist.Gamma(2.0, 0.1)


@dataclass(frozen=True, eq=False)
class StudentTNoise(Likelihood):
    """Noise with Student's t distribution, ``y = f(x) + noise_std * t``, shared by all outputs.

    Outliers pull f less than under Gaussian noise. The standard deviation of the noise is
    ``noise_std * sqrt(df / (df - 2))`` for df > 2 and infinite otherwise, and y has no mean for df <= 1. If posterior
    draws of df come so low, so it is with the standard deviation and the mean of predictions: take their quantiles.

    Args:
        df: degrees of freedom: a number (fixed), a positive NumPyro distribution (inferred), or None for
            ``Gamma(2, 0.1)`` (Juarez and Steel 2010, Journal of Business and Economic Statistics 28).
        noise_std: scale of the noise: a number, a positive distribution, or None for ``LogNormal(log 0.2, 1.5)``.
            On the scale of y as the model sees it: standardised unless ``standardize=False``.

    Raises:
        ValueError: if one of them is not positive.

    Example:
        >>> list(StudentTNoise(df=4.0).hyperparameter_priors())
        ['noise_std']
    """

    df: StandardDeviation | None = None
    noise_std: StandardDeviation | None = None

    def __post_init__(self) -> None:
        for name, default in (("df", default_df), ("noise_std", default_noise_std)):
            object.__setattr__(self, name, checked_std(getattr(self, name), name, default))

    @property
    def parameters(self) -> dict[str, StandardDeviation]:
        """Scale and degrees of freedom of the noise."""
        return {"noise_std": self.noise_std, "df": self.df}  # type: ignore[dict-item]

    def distribution(self, values: Values, f: Float[Array, "N C"]) -> dist.Distribution:
        """Independent t distributions about f."""
        return dist.StudentT(self.value(values, "df"), f, self.value(values, "noise_std")).to_event(1)

    def predict(self, key: Array, values: Values, mean: Float[Array, "T C"], variance: Float[Array, " T"]) -> Any:
        """Mean (T, C) and variance (T,) of f, and the noise's scale and degrees of freedom."""
        return mean, variance, self.value(values, "noise_std"), self.value(values, "df")

    def predictive(self, components: Any, scale: Scale) -> MixturePredictive:
        """A mixture of t distributions."""
        mean, variance, noise_std, df = components
        f, weights = nodes_of_f(mean, variance)
        of_draw = (len(mean), 1, 1, 1)
        spread = scale.original_std(np.reshape(noise_std, of_draw))
        return MixturePredictive(
            stats.t, {"df": np.reshape(df, of_draw), "loc": scale.original(f), "scale": spread}, weights
        )
