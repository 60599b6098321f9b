"""The prior of a standard deviation made wider or narrower about its median."""

import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.transforms import AffineTransform, PowerTransform

from bayes_nn.architecture.standard_deviations import median


def widened(prior: dist.Distribution, factor: float) -> dist.Distribution:
    """The law of ``m (s / m)^factor`` for s from a prior of median m: log s spread by the factor about log m.

    A LogNormal stays one, with its sigma times the factor.

    Args:
        prior: a scalar NumPyro distribution on all positive numbers.
        factor: more than 1 to widen, less than 1 to narrow.

    Raises:
        ValueError: for a factor that is not positive, or a prior that leaves out some positive numbers, whose widened
            law would reach where no draw can be.

    Example:
        >>> wide = widened(dist.LogNormal(0.3, 0.5), 2.0)
        >>> round(float(wide.loc), 3), float(wide.scale)
        (0.3, 1.0)
        >>> round(float(widened(dist.HalfCauchy(0.3), 0.5).log_prob(0.3) - dist.HalfCauchy(0.3).log_prob(0.3)), 4)
        0.6931
    """
    if not 0.0 < factor < float("inf"):
        raise ValueError(f"factor is a positive number, such as 2 to widen and 0.5 to narrow; got {factor}")
    if type(prior) is dist.LogNormal:
        return dist.LogNormal(prior.loc, factor * prior.scale)
    if prior.support is not constraints.positive:
        raise ValueError(
            f"only a prior on all positive numbers can be widened about its median; {type(prior).__name__} has support "
            f"{prior.support}: give the standard deviation a LogNormal or HalfCauchy, say"
        )
    before = AffineTransform(0.0, median(prior) ** (1.0 / factor - 1.0), domain=constraints.positive)
    return dist.TransformedDistribution(prior, [before, PowerTransform(factor)])
