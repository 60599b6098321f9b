"""Where the levels of a ladder of temperings lie: so that neighbours refuse swaps equally often.

The rejection rates add up to the barrier Lambda between prior and posterior, which does not depend on the levels where
there are enough of them (Syed, Bouchard-Cote, Deligiannidis and Doucet 2021, Journal of the Royal Statistical Society
B 84, Theorem 2); equal rates maximise the rate of round trips (their section 5.1).
"""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

#: Levels for every unit of the barrier, which maximises round trips (their section 5.1); fewest and most levels.
LEVELS_PER_BARRIER, FEWEST, MOST = 2.0, 6, 96
#: Change in the number of levels, as a fraction, below which the old number is kept, since a new one compiles anew.
WORTH_COMPILING = 0.2


def place_levels(
    tempering: Float[np.ndarray, " T"], rejection: Float[np.ndarray, " T-1"], count: int
) -> Float[np.ndarray, " K"]:
    """Levels from 0 to 1 between which the barrier rises by equal amounts.

    Args:
        tempering: present levels, from 0 to 1.
        rejection: mean rejection of swaps between neighbours.
        count: number of new levels, the prior and the posterior among them.

    Returns:
        The new levels: the barrier is interpolated by a monotone cubic.

    Example:
        >>> place_levels(np.array([0.0, 0.2, 1.0]), np.array([0.4, 0.4]), 3).round(3).tolist()
        [0.0, 0.2, 1.0]
    """
    barrier = np.concatenate([[0.0], np.cumsum(np.maximum(rejection, 1e-3))])
    levels = PchipInterpolator(barrier, tempering)(np.linspace(0.0, barrier[-1], count))
    levels[0], levels[-1] = 0.0, 1.0
    return levels


def count_levels(barrier: float, present: int | None = None) -> int:
    """How many levels a barrier asks for; the present number where that is nearly as good.

    Example:
        >>> count_levels(8.8), count_levels(8.8, present=20), count_levels(0.1)
        (19, 20, 6)
    """
    wanted = int(np.clip(np.ceil(LEVELS_PER_BARRIER * barrier) + 1, FEWEST, MOST))
    return wanted if present is None or abs(wanted - present) > WORTH_COMPILING * present else present


def rejections_along(path_tempering: Float[np.ndarray, " T"], log_likelihood: Float[np.ndarray, "T P"]) -> np.ndarray:
    """Rejection of swaps between neighbours of a path whose particles are known by their log likelihoods.

    Particles of two levels are paired at random, as independent replicas would meet.

    Example:
        >>> rejections_along(np.array([0.0, 1.0]), np.zeros((2, 5))).tolist()
        [0.0]
    """
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(log_likelihood, axis=1)
    log_ratio = np.diff(path_tempering)[:, None] * (log_likelihood[:-1] - shuffled[1:])
    return 1.0 - np.exp(np.minimum(log_ratio, 0.0)).mean(axis=1)
