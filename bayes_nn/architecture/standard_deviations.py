"""Standard deviations that are numbers (fixed) or NumPyro distributions (inferred)."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayes_nn.architecture.equality import ByFields, key_of


@dataclass(frozen=True, eq=False)
class Shared(ByFields):
    """One inferred standard deviation that several layers have in common.

    Two of them are equal where their priors are. An architecture besides tells one that is used twice from two.

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


class TakenOut:
    """A fixed number that was taken out of an architecture or a likelihood.

    Code compiled for what is left serves every number; the number itself comes with the values of the latents. The
    one instance is :data:`TAKEN_OUT`.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.mlp(depth=1, weight_std=1.4, bias_std=0.0).without_numbers.affine[0].weight_std
        TAKEN_OUT
    """

    def __repr__(self) -> str:
        return "TAKEN_OUT"

    def __reduce__(self) -> str:
        return "TAKEN_OUT"


TAKEN_OUT = TakenOut()

type StandardDeviation = float | dist.Distribution | Shared | TakenOut


def std_key(value: StandardDeviation) -> Hashable:
    """A hashable stand-in for a standard deviation, by value.

    Numbers go by their bytes, distributions by type and parameters, shared ones by their prior.

    Args:
        value: a standard deviation.

    Example:
        >>> std_key(0.5) == std_key(0.5), std_key(Shared(dist.LogNormal())) == std_key(dist.LogNormal())
        (True, False)
    """
    return key_of(value)


def same_std(one: StandardDeviation, other: StandardDeviation) -> bool:
    """Whether two standard deviations are the same by value.

    Args:
        one: a standard deviation.
        other: likewise.

    Example:
        >>> same_std(dist.LogNormal(0.0, 0.5), dist.LogNormal(0.0, 0.5)), same_std(0.5, 0.6)
        (True, False)
    """
    return std_key(one) == std_key(other)


def sharing(stds: Iterable[StandardDeviation]) -> tuple[int, ...]:
    """For every :class:`Shared` standard deviation the position of its first use.

    Args:
        stds: in the order of use; those of other kinds are skipped.

    Example:
        >>> one, other = Shared(dist.LogNormal()), Shared(dist.LogNormal())
        >>> sharing([one, 0.5, one]), sharing([one, 0.5, other])
        ((0, 0), (0, 2))
    """
    first: dict[int, int] = {}
    return tuple(first.setdefault(id(std), place) for place, std in enumerate(stds) if isinstance(std, Shared))


def default_weight_std() -> dist.Distribution:
    """Prior of a weight_std that is left out: median sqrt(2), the variance-preserving gain of ReLU.

    Example:
        >>> round(float(median(default_weight_std())), 4)
        1.4142
    """
    return dist.LogNormal(0.5 * np.log(2.0), 0.5)


def default_bias_std() -> dist.Distribution:
    """Prior of a bias_std that is left out: median 0.3.

    Example:
        >>> round(float(median(default_bias_std())), 4)
        0.3
    """
    return dist.LogNormal(np.log(0.3), 0.75)


@lru_cache(maxsize=1)
def default_noise_std() -> dist.Distribution:
    """Prior of a noise_std that is left out: median 0.2 of the standard deviation of standardised targets, sigma 1.5.

    Between 0.011 and 3.8 with probability 0.95, and so wide that targets with little noise are not paid for by what
    fits them best: a noise of 0.005 costs 3.7 nats of evidence more than under a LogNormal of sigma 0.75 in the right
    place, and one of 0.1 to 1 costs 0.7 to 1.3 (docs/decisions/0014).

    Example:
        >>> round(float(median(default_noise_std())), 4)
        0.2
    """
    return dist.LogNormal(np.log(0.2), 1.5)


def checked_std(
    value: StandardDeviation | None, name: str, default: Callable[[], dist.Distribution], *, zero_allowed: bool = False
) -> StandardDeviation:
    """Return a standard deviation as a float or a positive scalar distribution.

    Args:
        value: a number, a NumPyro distribution, a :class:`Shared` one, :data:`TAKEN_OUT`, or None for ``default``.
        name: what the user calls it, for the error.
        default: makes the distribution that None stands for; called late, since making one starts JAX.
        zero_allowed: whether the number 0 is meaningful (it is for biases).

    Raises:
        ValueError: if a number is negative, not finite, or zero where that is not allowed, or a
            distribution is not scalar and positive.

    Example:
        >>> checked_std(np.float32(0.5), "noise_std", default_noise_std)
        0.5
    """
    if value is None:
        return default()
    if isinstance(value, (Shared, TakenOut)):
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
    """Whether a standard deviation is a distribution, to be inferred, rather than a fixed number.

    Example:
        >>> is_inferred(dist.LogNormal()), is_inferred(0.5), is_inferred(TAKEN_OUT)
        (True, False, False)
    """
    return isinstance(value, (dist.Distribution, Shared))


def prior_of(value: StandardDeviation) -> dist.Distribution:
    """The distribution of an inferred standard deviation, shared or not.

    Example:
        >>> type(prior_of(Shared(dist.HalfNormal()))).__name__
        'HalfNormal'
    """
    return value.prior if isinstance(value, Shared) else value


def median(value: StandardDeviation) -> float:
    """The number itself, or the median of the distribution.

    Raises:
        ValueError: for a number that was taken out: it has to come with the values of the latents.

    Example:
        >>> median(0.5), round(median(dist.LogNormal(0.0, 1.0)), 6)
        (0.5, 1.0)
    """
    if isinstance(value, TakenOut):
        raise ValueError("the fixed number was taken out of the architecture: pass it with the values of the latents")
    if isinstance(value, Shared):
        value = value.prior
    if not isinstance(value, dist.Distribution):
        return float(value)
    if isinstance(value, dist.LogNormal):  # its quantiles would compile two dozen programs
        return float(np.exp(value.loc))
    try:
        return float(value.icdf(jnp.asarray(0.5)))
    except (NotImplementedError, ImportError):
        return float(jnp.median(value.sample(jax.random.key(0), (100_001,))))
