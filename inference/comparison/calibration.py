"""Whether predicted class probabilities are the frequencies with which they come true."""

import numpy as np
import pandas as pd
from jaxtyping import Float


def calibration_curve(probabilities: Float[np.ndarray, "T K"], columns: Float[np.ndarray, "T K"]) -> pd.DataFrame:
    """How often the most probable class was right against its probability, in groups of equal size.

    Args:
        probabilities: predictive probability of every class.
        columns: test labels, 0 and 1 in one column per class.

    Returns:
        A row for each of up to ten groups of points of like confidence, with the columns confidence (the mean
        probability), rate (the fraction right) and rate_se (its standard error).

    Example:
        >>> calibration_curve(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[1.0, 0.0], [0.0, 1.0]])).rate.tolist()
        [0.0, 1.0]
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == columns.argmax(axis=1)
    groups = np.array_split(np.argsort(confidence), min(10, max(2, len(columns) // 20)))
    rate = np.array([right[group].mean() for group in groups])
    return pd.DataFrame(
        {
            "confidence": [confidence[group].mean() for group in groups],
            "rate": rate,
            "rate_se": np.sqrt(rate * (1.0 - rate) / len(groups[0])),
        }
    )
