"""Evidence from draws at every level of a ladder: from below, from above, and Bennett's estimate between the two.

With l the log likelihood and d the step from a level to the next, ``Z'/Z = E[exp(d l)]`` at the lower level and
``Z/Z' = E'[exp(-d l)]`` at the upper one. By Jensen's inequality the logarithm of a mean of few draws errs low for the
first and high for the second, so that the two enclose the truth where both levels are in equilibrium.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize.elementwise import bracket_root, find_root
from scipy.special import expit, logsumexp

#: Blocks of successive sweeps whose means are taken to be independent.
BLOCKS = 10


class TwoSidedEvidence(NamedTuple):
    """Estimates of log Z from one system, nats.

    Attributes:
        lower: forward stepping stones, too low on average.
        upper: backward ones, too high on average.
        value: Bennett's estimate of every step, summed.
        variance: of ``value``, from blocks of sweeps.
    """

    lower: float
    upper: float
    value: float
    variance: float


def two_sided_evidence(
    tempering: Float[np.ndarray, " T"], log_likelihood: Float[np.ndarray, "sweeps T"]
) -> TwoSidedEvidence:
    """Estimate log Z from the log likelihoods of draws at every level.

    Stepping stones: Xie, Lewis, Fan, Kuo and Chen 2011, Systematic Biology 60, eq. 9. Between neighbours with equally
    many draws, Bennett 1976 (Journal of Computational Physics 22, eq. 12) solves
    ``mean f(c - d l) = mean' f(d l - c)`` for ``c = log Z'/Z``, f(x) = 1/(1 + e^x) the Fermi function.

    Args:
        tempering: levels from 0 to 1.
        log_likelihood: nats, of the draw at every level after every sweep; -inf where it failed.

    Returns:
        The estimates. Draws follow each other, so that the error is that of the means of blocks; it is unknown, and
        the variance infinite, where there are fewer draws than blocks.

    Example:
        >>> l = np.random.default_rng(0).normal(-3.0, 0.1, size=(200, 2))
        >>> found = two_sided_evidence(np.array([0.0, 1.0]), l)
        >>> round(found.value, 1), found.variance < 0.01
        (-3.0, True)
    """
    step = np.diff(tempering)
    # A failure at the prior has weight zero; -inf itself would make NaN of a difference.
    log_likelihood = np.maximum(log_likelihood, -1e300)
    up, down = step * log_likelihood[:, :-1], step * log_likelihood[:, 1:]
    log_count = np.log(len(log_likelihood))
    forward, backward = logsumexp(up, axis=0) - log_count, log_count - logsumexp(-down, axis=0)
    log_ratio = _bennett(up, down, forward, backward)
    above, below = expit(up - log_ratio), expit(log_ratio - down)
    # First-order change of every root when the means are those of one block alone.
    slope = np.mean(above * (1.0 - above) + below * (1.0 - below), axis=0)
    influence = np.sum((above - below) / slope, axis=1)
    estimates = float(forward.sum()), float(backward.sum()), float(log_ratio.sum())
    usable = len(influence) - len(influence) % BLOCKS
    if not usable:
        return TwoSidedEvidence(*estimates, np.inf)
    blocks = influence[-usable:].reshape(BLOCKS, -1).mean(axis=1)
    return TwoSidedEvidence(*estimates, float(np.var(blocks, ddof=1) / BLOCKS))


def _bennett(
    up: Float[np.ndarray, "sweeps S"],
    down: Float[np.ndarray, "sweeps S"],
    forward: Float[np.ndarray, " S"],
    backward: Float[np.ndarray, " S"],
) -> Float[np.ndarray, " S"]:
    """The root of Bennett's equation for every step, sought around the one-sided estimates."""

    def difference(c: np.ndarray, step: np.ndarray) -> np.ndarray:
        at, chosen = c[..., None], step.astype(int)
        return (expit(up.T[chosen] - at) - expit(at - down.T[chosen])).mean(axis=-1)

    steps = (np.arange(up.shape[1]),)
    bracket = bracket_root(
        difference, np.minimum(forward, backward) - 0.5, np.maximum(forward, backward) + 0.5, args=steps
    ).bracket
    return find_root(difference, bracket, args=steps).x
