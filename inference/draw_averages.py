"""Going through posterior draws in pieces, and averages over them with a Monte-Carlo error."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from bayes_nn.priors.finite_width import BayesianNetwork
from bayes_nn.progress import Report

if TYPE_CHECKING:
    from bayes_nn.inference.posterior import Posterior

#: Most draws of a chain in one compiled call.
PIECE = 50


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


def standard_errors(quantity: Float[np.ndarray, "chains draws *what"], sampler: str) -> Float[np.ndarray, " *what"]:
    """MCSE of the means over draws, by the effective sample size (Vehtari et al. 2021, Bayesian Analysis 16).

    Particles of SMC are no time series, so that the error is at least what the spread of the means of its islands says.
    Fewer than four draws a chain are too few for autocorrelations and are taken to be independent, as frozen draws are.

    Args:
        quantity: numbers of every draw.
        sampler: name of the sampler that made the draws.
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


def average_over_draws(quantity: Float[np.ndarray, "chains draws"], sampler: str) -> Average:
    """Mean, MCSE and spread of a quantity of every draw; see :func:`standard_errors`."""
    std = float(quantity.std(ddof=1)) if quantity.size > 1 else 0.0
    return Average(float(quantity.mean()), float(standard_errors(quantity, sampler)), std)


def pieces(posterior: "Posterior") -> Iterator[tuple[dict[str, jax.Array], slice]]:
    """The draws in pieces of equal size, (chains, piece, ...) each, so that what takes them compiles once."""
    draws = posterior.shape[1]
    size = max(size for size in range(1, PIECE + 1) if draws % size == 0)
    for start in range(0, draws, size):
        cut = slice(start, start + size)
        yield {name: jnp.asarray(value[:, cut]) for name, value in posterior.values.items()}, cut


def of_every_draw(
    posterior: "Posterior", what: Callable[..., Any], shared: Any, keys: jax.Array, report: Report, text: str
) -> np.ndarray:
    """``what(shared, values, keys)`` of every piece of the draws, joined along their axis.

    Args:
        posterior: its draws are gone through.
        what: compiled; takes values and keys with axes (chains, piece).
        shared: what every draw needs.
        keys: one per draw, (chains, draws, ...).
        report: told the fraction done.
        text: what is being done.
    """
    found = []
    for values, cut in pieces(posterior):
        found.append(np.asarray(what(shared, values, keys[:, cut])))
        report(cut.stop / posterior.shape[1], text)
    return np.concatenate(found, axis=1)


def checked_network(posterior: "Posterior") -> BayesianNetwork:
    """The network whose posterior it is.

    Raises:
        ValueError: if it is the posterior of a prior without hidden weights.
    """
    prior = posterior.target.prior
    if not isinstance(prior, BayesianNetwork):
        raise ValueError(f"{prior.name} has no hidden weights, so there are no features to look at")
    return prior
