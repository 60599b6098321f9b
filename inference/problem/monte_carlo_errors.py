"""Averages over posterior draws with a Monte-Carlo error."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import arviz as az
import numpy as np
from arviz_stats.base import array_stats
from jaxtyping import Float
from scipy.special import logsumexp

#: Pareto k beyond which no number of draws makes importance sampling reliable (Vehtari et al. 2024).
LARGEST_K = 0.7
#: Effective draws in all below which a mean of weighted draws is not trusted.
SMALLEST_EFFECTIVE_DRAWS = 100.0


class Average(NamedTuple):
    """An average over posterior draws.

    Attributes:
        value: the mean.
        mcse: its Monte-Carlo standard error, by the effective sample size.
        std: standard deviation over draws.

    Example:
        >>> print(Average(0.5, 0.01, 0.1))
        0.5 +- 0.01 (spread 0.1)
    """

    value: float
    mcse: float
    std: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.4g} +- {self.mcse:.2g} (spread {self.std:.2g})"


def log_effective_draws(log_weights: Float[np.ndarray, "*what draws"]) -> Float[np.ndarray, " *what"]:
    """Logarithm of the effective number of weighted draws, ``(sum w)^2 / sum w^2`` (Kong 1992).

    Example:
        >>> np.exp(log_effective_draws(np.log([1.0, 1.0, 2.0]))).round(4)
        np.float64(2.6667)
    """
    return 2.0 * logsumexp(log_weights, axis=-1) - logsumexp(2.0 * log_weights, axis=-1)


def standard_errors(quantity: Float[np.ndarray, "chains draws *what"], sampler: str) -> Float[np.ndarray, " *what"]:
    """MCSE of the means over draws, by the effective sample size (Vehtari et al. 2021, Bayesian Analysis 16).

    Particles of SMC are no time series, so that the error is at least what the spread of the means of its islands says.
    Fewer than four draws a chain are too few for autocorrelations and are taken to be independent, as frozen draws are.

    Args:
        quantity: numbers of every draw.
        sampler: name of the sampler that made the draws.

    Example:
        >>> float(standard_errors(np.array([[1.0, 3.0]]), "smc").round(3))
        1.0
    """
    chains, draws = quantity.shape[:2]
    if chains * draws == 1:
        return np.full(quantity.shape[2:], np.nan)
    std = quantity.std(axis=(0, 1), ddof=1)
    if draws < 4 or sampler == "frozen":
        return std / (chains * draws) ** 0.5
    errors = np.asarray(az.mcse(az.convert_to_dataset({"quantity": quantity}))["quantity"])
    if sampler == "smc" and chains > 1:
        errors = np.maximum(errors, quantity.mean(axis=1).std(axis=0, ddof=1) / chains**0.5)
    return np.where(std == 0.0, 0.0, errors)


def jackknife_error(statistic: Callable[..., float], *by_chain: Float[np.ndarray, "chains *what"]) -> float:
    """Standard error of a statistic of independent chains (islands), by leaving out one at a time; 0 for one chain.

    Efron and Stein (1981, Annals of Statistics 9).

    Args:
        statistic: of arrays whose first axis is that of the chains.
        by_chain: those arrays.

    Example:
        >>> draws = np.array([1.0, 2.0, 6.0])
        >>> bool(np.isclose(jackknife_error(np.mean, draws), draws.std(ddof=1) / 3**0.5))
        True
    """
    chains = len(by_chain[0])
    if chains < 2:
        return 0.0
    left_out = [statistic(*(np.delete(one, chain, axis=0) for one in by_chain)) for chain in range(chains)]
    return float(np.sqrt((chains - 1) * np.var(left_out)))


def average_over_draws(quantity: Float[np.ndarray, "chains draws"], sampler: str) -> Average:
    """Mean, MCSE and spread of a quantity of every draw; see :func:`standard_errors`.

    Example:
        >>> average_over_draws(np.zeros((2, 10)), "infinite_hmc").mcse
        0.0
    """
    std = float(quantity.std(ddof=1)) if quantity.size > 1 else 0.0
    return Average(float(quantity.mean()), float(standard_errors(quantity, sampler)), std)


def error_of_mean_density(
    of_chains: Float[np.ndarray, "chains T"], log_weights: Sequence[float] | None = None
) -> float:
    """Monte-Carlo error of the mean log density of a mixture of chains; 0 for one chain.

    Args:
        of_chains: log predictive density of every test point by the draws of every chain.
        log_weights: of the chains in the mixture; all alike when left out.

    Example:
        >>> round(error_of_mean_density(np.log([[0.2, 0.2], [0.3, 0.3]])), 3)
        0.203
    """
    logs = np.zeros(len(of_chains)) if log_weights is None else np.array(log_weights)

    def mean(some: Float[np.ndarray, "some T"], own: Float[np.ndarray, " some"]) -> float:
        return float(np.mean(logsumexp(some + own[:, None], axis=0)) - logsumexp(own))

    return jackknife_error(mean, of_chains, logs)


def pareto_smoothed(log_weights: Float[np.ndarray, " S"]) -> tuple[Float[np.ndarray, " S"], float]:
    """Log importance weights with the largest ones smoothed, not normalised, and the shape k of their tail.

    Args:
        log_weights: of all draws. Where their tail shows no shape (fewer than 25 draws, or draws that repeat) they
            are returned as they are, with k = inf; where all are equal, which needs no smoothing, with k = -inf.

    Example:
        >>> smoothed, k = pareto_smoothed(np.log(np.random.default_rng(0).pareto(1.0 / 0.4, 4000) + 1.0))
        >>> 0.25 < k < 0.55, bool(abs(logsumexp(smoothed) - np.log(4000) - np.log(1.0 / 0.6)) < 0.05)
        (True, True)
    """
    if np.ptp(log_weights) < 1e-12:
        return log_weights, float("-inf")
    try:
        smoothed, k = array_stats.psislw(-log_weights)
    except (ValueError, IndexError):
        return log_weights, float("inf")
    # The smallest weight is as it was, but for the factor that normalises.
    smallest = int(np.argmin(log_weights))
    return smoothed + (log_weights[smallest] - smoothed[smallest]), float(k) if np.isfinite(k) else float("inf")


def largest_k(draws: int) -> float:
    """Pareto k up to which so many draws are enough: ``min(1 - 1 / log10(draws), 0.7)`` (Vehtari et al. 2024).

    Args:
        draws: of all chains.

    Example:
        >>> [round(largest_k(draws), 2) for draws in (100, 1000, 10_000)]
        [0.5, 0.67, 0.7]
    """
    return min(1.0 - 1.0 / float(np.log10(max(draws, 2))), LARGEST_K)
