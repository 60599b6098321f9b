"""Standard deviations that are numbers (fixed) or NumPyro distributions (inferred)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist


@dataclass(frozen=True, eq=False)
class Shared:
    """One inferred standard deviation that several layers have in common.

    Args:
        prior: a positive scalar NumPyro distribution.

    Raises:
        ValueError: if it is none.

    Example:
        >>> import bayes_nn as bnn, numpyro.distributions as dist
        >>> net = bnn.mlp(depth=3, weight_std=bnn.Shared(dist.LogNormal(0.3, 0.5)), bias_std=0.1)
        >>> list(bnn.priors.NNGP(net).hyperparameters())
        ['weight_std_0']
    """

    prior: dist.Distribution

    def __post_init__(self) -> None:
        if not isinstance(checked_std(self.prior, "a shared std", default_weight_std), dist.Distribution):
            raise ValueError(f"a number needs no sharing: pass {self.prior!r} itself instead of Shared({self.prior!r})")


type StandardDeviation = float | dist.Distribution | Shared


def default_weight_std() -> dist.Distribution:
    """Prior of a weight_std that is left out: median sqrt(2), the variance-preserving gain of ReLU."""
    return dist.LogNormal(0.5 * np.log(2.0), 0.5)


def default_bias_std() -> dist.Distribution:
    """Prior of a bias_std that is left out: median 0.3."""
    return dist.LogNormal(np.log(0.3), 0.75)


@lru_cache(maxsize=1)
def default_noise_std() -> dist.Distribution:
    """Prior of a noise_std that is left out: median 0.3 of the standard deviation of standardised targets."""
    return dist.LogNormal(np.log(0.3), 0.75)


def checked_std(
    value: StandardDeviation | None, name: str, default: Callable[[], dist.Distribution], *, zero_allowed: bool = False
) -> StandardDeviation:
    """Return a standard deviation as a float or a positive scalar distribution.

    Args:
        value: a number, a NumPyro distribution, a :class:`Shared` one, or None for ``default``.
        name: what the user calls it, for the error.
        default: makes the distribution that None stands for; called late, since making one starts JAX.
        zero_allowed: whether the number 0 is meaningful (it is for biases).

    Raises:
        ValueError: if a number is negative, not finite, or zero where that is not allowed, or a
            distribution is not scalar and positive.
    """
    if value is None:
        return default()
    if isinstance(value, Shared):
        return value
    if isinstance(value, dist.Distribution):
        support = value.support
        lower = getattr(support, "lower_bound", None)
        if value.batch_shape or value.event_shape or lower is None or np.any(np.asarray(lower) < 0):
            raise ValueError(
                f"{name} must be a scalar distribution on the positive numbers, such as "
                f"numpyro.distributions.LogNormal(0.0, 0.5); got {type(value).__name__} with support {support}"
            )
        return value
    if not isinstance(value, (int, float, np.number, jax.Array, np.ndarray)) or np.ndim(value):
        raise ValueError(f"{name} must be a number or a NumPyro distribution; got {value!r}")
    number = float(value)
    if not np.isfinite(number) or number < 0 or (number == 0 and not zero_allowed):
        at_least = "zero or a positive number" if zero_allowed else "a positive number"
        raise ValueError(f"{name} must be {at_least}; got {number}")
    return number


def is_inferred(value: StandardDeviation) -> bool:
    """Whether a standard deviation is a distribution, to be inferred, rather than a fixed number."""
    return isinstance(value, (dist.Distribution, Shared))


def prior_of(value: StandardDeviation) -> dist.Distribution:
    """The distribution of an inferred standard deviation, shared or not."""
    return value.prior if isinstance(value, Shared) else value


def median(value: StandardDeviation) -> float:
    """The number itself, or the median of the distribution."""
    if isinstance(value, Shared):
        value = value.prior
    if not isinstance(value, dist.Distribution):
        return float(value)
    try:
        return float(value.icdf(jnp.asarray(0.5)))
    except (NotImplementedError, ImportError):
        return float(jnp.median(value.sample(jax.random.key(0), (100_001,))))
