"""Do standardised residuals contradict Gaussian noise of one size? Three tests, calibrated by simulation.

Every row is predicted from all others. Given the covariance of y its standardised leave-one-out residuals are normal
and correlated, so that the distribution of each statistic is simulated under that covariance: exact in small samples.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import rankdata

#: The tests, in the order of p-values: spread that varies, heavy tails, single outliers.
TESTS = "spread", "tails", "outliers"
#: Change of the log of the spread per standard deviation of a direction that is tested for, and the largest residual
#: that counts there, in standard deviations.
SLOPE, LARGEST = 0.4, 3.0
#: Simulated data sets at a time.
PIECE = 500


class Residuals(NamedTuple):
    """Leave-one-out residuals of M data sets.

    Attributes:
        z: standardised, (N, M).
        mean: predicted from the other rows, (N, M).
    """

    z: Float[np.ndarray, "N M"]
    mean: Float[np.ndarray, "N M"]

    @property
    def scale(self) -> Float[np.ndarray, " M"]:
        """Standard deviation of the bulk of z, from the median of its size."""
        return np.maximum(np.median(np.abs(self.z), axis=0) / ndtri(0.75), np.finfo(float).tiny)


class GaussianRows(NamedTuple):
    """Rows that are jointly normal with mean 0.

    Attributes:
        L: lower Cholesky factor of their covariance.
        L_inverse: its inverse.

    Example:
        >>> rows = GaussianRows(2.0 * np.eye(3), 0.5 * np.eye(3))
        >>> rows.residuals(np.array([[2.0], [0.0], [-4.0]])).z.ravel().tolist()
        [1.0, 0.0, -2.0]
    """

    L: Float[np.ndarray, "N N"]
    L_inverse: Float[np.ndarray, "N N"]

    def residuals(self, y: Float[np.ndarray, "N M"]) -> Residuals:
        """Leave-one-out residuals (Rasmussen and Williams 2006, eq. 5.12)."""
        return self._residuals(self.L_inverse @ y, y)

    def simulated(self, draws: int, generator: np.random.Generator) -> Residuals:
        """Those of data sets drawn from the same distribution."""
        whitened = generator.normal(size=(len(self.L), draws))
        return self._residuals(whitened, self.L @ whitened)

    def _residuals(self, whitened: np.ndarray, y: np.ndarray) -> Residuals:
        a, precisions = self.L_inverse.T @ whitened, np.sum(self.L_inverse**2, axis=0)[:, None]
        return Residuals(a / np.sqrt(precisions), y - a / precisions)


def directions(X: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N 2d"]:
    """Along which the spread may vary: the rank of every input, and its distance from the middle squared.

    Args:
        X: inputs; constant ones give zeros.

    Example:
        >>> directions(np.array([[1.0], [5.0], [2.0]])).round(2).tolist()
        [[-1.22, 0.71], [1.22, 0.71], [0.0, -1.41]]
    """
    ranks = rankdata(X, axis=0) - 0.5 * (len(X) + 1)
    return _standardised(np.stack([ranks, ranks**2], axis=-1).reshape(len(X), -1))


def varying_spread(residuals: Residuals, along: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "D+2 M"]:
    """How much likelier the residuals are if the log of their spread changes along a direction, nats.

    Along every direction among the inputs, the predicted mean, and its distance from the middle squared: the larger of
    the log likelihood ratios for :data:`SLOPE` up and down. Residuals beyond :data:`LARGEST` standard deviations count
    as that large, so that heavy tails are not taken for it. A test of the kind of Breusch and Pagan (1979, Econometrica
    47), with more power against changes that are not small.

    Args:
        residuals: of M data sets.
        along: directions among the inputs, see :func:`directions`.
    """
    squares = np.minimum(np.abs(residuals.z) / residuals.scale, LARGEST) ** 2
    squares = squares / squares.mean(axis=0)
    mean = _standardised(residuals.mean)
    of_mean = np.stack([mean, _standardised(mean**2)])

    def leftover(slope: float) -> Float[np.ndarray, "D+2 M"]:
        """The mean square of residuals that are divided by the changing spread."""
        of_inputs = np.exp(slope * along).T @ squares / len(squares)
        return np.concatenate([of_inputs, np.mean(np.exp(slope * of_mean) * squares, axis=1)])

    return -0.5 * len(squares) * np.log(np.minimum(leftover(-2.0 * SLOPE), leftover(2.0 * SLOPE)))


def kurtosis(residuals: Residuals) -> Float[np.ndarray, " M"]:
    """Fourth moment of z about its mean over the square of the second: 3 for a normal distribution."""
    squares = (residuals.z - residuals.z.mean(axis=0)) ** 2
    return np.mean(squares**2, axis=0) / np.maximum(np.mean(squares, axis=0), np.finfo(float).tiny) ** 2


def _statistics(residuals: Residuals, along: np.ndarray) -> Float[np.ndarray, "3 M"]:
    spread = np.max(varying_spread(residuals, along), axis=0)
    return np.stack([spread, kurtosis(residuals), np.max(np.abs(residuals.z), axis=0) / residuals.scale])


def p_values(
    rows: GaussianRows, y: Float[np.ndarray, "N C"], along: Float[np.ndarray, "N D"], draws: int, seed: int = 0
) -> Float[np.ndarray, " 3"]:
    """Of every test, Bonferroni's over the outputs; uniform where y has the distribution of ``rows``.

    Args:
        rows: the distribution of every output.
        y: outputs.
        along: directions among the inputs, see :func:`directions`.
        draws: simulated data sets; no p-value is below 1 / (draws + 1).
        seed: of the simulation.

    Example:
        >>> y = np.random.default_rng(1).normal(size=(50, 1))
        >>> y[7] = 9.0
        >>> p_values(GaussianRows(np.eye(50), np.eye(50)), y, directions(np.arange(50.0)[:, None]), 400)[2] < 0.01
        np.True_
    """
    observed, generator = _statistics(rows.residuals(y), along), np.random.default_rng(seed)
    as_large = np.zeros_like(observed)
    for start in range(0, draws, PIECE):
        simulated = _statistics(rows.simulated(min(PIECE, draws - start), generator), along)
        as_large += np.sum(simulated[:, None, :] >= observed[:, :, None], axis=2)
    of_outputs = (1.0 + as_large) / (draws + 1.0)
    return np.minimum(of_outputs.min(axis=1) * y.shape[1], 1.0)


def _standardised(columns: np.ndarray) -> np.ndarray:
    """The columns with mean 0 and standard deviation 1, constant ones 0."""
    centred = columns - columns.mean(axis=0)
    return centred / np.maximum(centred.std(axis=0), 1e-9 * np.abs(columns).max(initial=1.0))
