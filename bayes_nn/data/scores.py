"""Scores of predictions, and their standard errors."""

from collections.abc import Sequence

import numpy as np


def paired_difference(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], test_to_train: float = 0.0
) -> tuple[float, float]:
    """Mean difference of log predictive densities and its standard error.

    For one split the error is over test points. For several it is over the means of the splits; random splits share
    training rows, so their variance is multiplied by 1/S + test_to_train
    (Nadeau and Bengio 2003, Machine Learning 52, eq. 9).

    Args:
        first: log predictive density of every test point, nats, one array per split.
        second: likewise, for the same points.
        test_to_train: number of test rows over number of training rows of a split.

    Returns:
        The mean in nats per test point, and its standard error.

    Example:
        >>> paired_difference([np.array([1.0, 3.0])], [np.array([0.0, 0.0])])
        (2.0, 1.0)
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    if len(differences) == 1:
        points = differences[0]
        error = points.std(ddof=1) / np.sqrt(len(points)) if len(points) > 1 else float("inf")
        return float(points.mean()), float(error)
    means = np.array([points.mean() for points in differences])
    return float(means.mean()), float(means.std(ddof=1) * np.sqrt(1.0 / len(means) + test_to_train))
