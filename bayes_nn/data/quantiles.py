"""Quantiles of mixtures from their distribution function."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import elementwise

#: The distribution function at values of the points with these numbers.
Distribution = Callable[[Float[np.ndarray, " n"], Int[np.ndarray, " n"]], Float[np.ndarray, " n"]]
#: Component quantiles at a level; shape (K, P) for K components at P points.
ComponentQuantiles = Callable[[float], np.ndarray]

#: The root is searched between component quantiles at levels that differ from q by this fraction.
MARGIN = 1e-3


def checked_levels(q: Any) -> Float[np.ndarray, " L"]:
    """Quantile levels as an array.

    Raises:
        ValueError: if a level lies outside (0, 1).

    Example:
        >>> checked_levels(0.5).tolist()
        [0.5]
    """
    levels = np.atleast_1d(np.asarray(q, dtype=float))
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantile levels must lie strictly between 0 and 1; got {q}")
    return levels


def continuous_quantile(q: float, cdf: Distribution, component_quantiles: ComponentQuantiles) -> np.ndarray:
    """The q-quantile of P mixtures of continuous distributions, by Chandrupatla's method.

    It lies between the smallest and the largest q-quantile of the components. Where the distribution function is
    flat at q, any value of the flat stretch is a quantile, and one of them is returned.

    Args:
        q: level.
        cdf: distribution function of the mixtures.
        component_quantiles: of the components; they bracket the result.

    Returns:
        One quantile for every point, (P,).

    Example:
        >>> from scipy.stats import norm
        >>> centres = np.array([[-1.0], [1.0]])
        >>> cdf = lambda x, points: norm.cdf(x - centres[:, points]).mean(axis=0)
        >>> abs(continuous_quantile(0.5, cdf, lambda q: norm.ppf(q) + centres)) < 1e-12
        array([ True])
    """
    low = component_quantiles(q * (1.0 - MARGIN)).min(axis=0)
    high = component_quantiles(q + (1.0 - q) * MARGIN).max(axis=0)
    # SciPy makes floats of the arguments; point numbers stay exact in them.
    points = np.arange(len(low), dtype=float)
    return elementwise.find_root(lambda x, at: cdf(x, at.astype(int)) - q, (low, high), args=(points,)).x


def discrete_quantile(q: float, cdf: Distribution, component_quantiles: ComponentQuantiles) -> np.ndarray:
    """The q-quantile of P mixtures of distributions on whole numbers: the smallest k with ``P(y <= k) >= q``.

    Args:
        q: level.
        cdf: distribution function of the mixtures.
        component_quantiles: of the components; they bracket the result.

    Returns:
        One whole number for every point, (P,), as floats.

    Example:
        >>> from scipy.stats import binom
        >>> p = np.array([[0.1], [0.9]])
        >>> cdf = lambda k, points: binom.cdf(k, 10, p[:, points]).mean(axis=0)
        >>> discrete_quantile(0.6, cdf, lambda q: binom.ppf(q, 10, p)).tolist()
        [8.0]
    """
    quantiles = component_quantiles(q)
    low, high = quantiles.min(axis=0), quantiles.max(axis=0)
    points = np.arange(len(low))
    while (low < high).any():
        middle = np.floor(0.5 * (low + high))
        enough = cdf(middle, points) >= q
        low, high = np.where(enough, low, np.minimum(middle + 1.0, high)), np.where(enough, middle, high)
    return high
