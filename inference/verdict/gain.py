"""How much better one prior predicts than another, with an error that counts all that varies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from bayes_nn.data.scores import paired_difference
from bayes_nn.inference.verdict.evidence_bounds import COVERAGE


@dataclass(frozen=True)
class Gain:
    """Difference of the log predictive densities of two priors, nats per test point.

    Attributes:
        value: the mean difference.
        error: its standard error.
        degrees_of_freedom: of the error, for quantiles of Student's t.

    Example:
        >>> low, high = Gain(0.1, 0.02, 4.0).interval()
        >>> round(low, 3), round(high, 3)
        (0.044, 0.156)
    """

    value: float
    error: float
    degrees_of_freedom: float

    @property
    def reach(self) -> float:
        """Half the length of :meth:`interval`."""
        return self.error * float(stats.t.ppf(0.5 + 0.5 * COVERAGE, self.degrees_of_freedom))

    def interval(self) -> tuple[float, float]:
        """An interval of 95 % by quantiles of Student's t."""
        return self.value - self.reach, self.value + self.reach

    def above(self, value: float) -> bool:
        """Whether a one-sided test at 5 % says that the gain exceeds a value."""
        return self.value - value > self.error * float(stats.t.ppf(COVERAGE, self.degrees_of_freedom))


def gain(
    first: Sequence[Float[np.ndarray, " T"]],
    second: Sequence[Float[np.ndarray, " T"]],
    train_rows: int,
    mcse: float = 0.0,
) -> Gain:
    """The gain of one prior over another on the same test points.

    What varies is the test points, the training rows and the draws of both posteriors. The variance of a difference
    over a split of T test and N training rows is that of the points times ``1/T + 1/N``: the second part is what
    another training set would change, by the correlation that Nadeau and Bengio (2003, Machine Learning 52, section
    3) put between splits. So the error does not vanish however many test points there are. Where there are several
    splits the spread of their means gives a second estimate (ibid., eq. 9, :func:`paired_difference`), with fewer
    degrees of freedom, and the one with the longer interval is taken.

    Args:
        first: log predictive density of every test point, nats, one array per split.
        second: likewise, for the same points.
        train_rows: number of training rows of a split.
        mcse: Monte-Carlo error of the mean difference, nats per point.

    Example:
        >>> points = np.array([0.1, 0.3, 0.2, 0.2])
        >>> found = gain([points], [np.zeros(4)], train_rows=4)
        >>> round(found.value, 3), round(found.error, 3), found.degrees_of_freedom
        (0.2, 0.058, 3.0)
    """
    value, between = paired_difference(first, second, len(first[0]) / train_rows)
    points = np.concatenate(first) - np.concatenate(second)
    count = min(len(points), train_rows)
    if count < 2:
        return Gain(value, float("inf"), 1.0)
    within = float(points.std(ddof=1) * np.sqrt(1.0 / len(points) + 1.0 / train_rows))
    candidates = [Gain(value, float(np.hypot(within, mcse)), count - 1.0)]
    if len(first) > 1:
        candidates.append(Gain(value, float(np.hypot(between, mcse)), len(first) - 1.0))
    return max(candidates, key=lambda one: one.reach)
