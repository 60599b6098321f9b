"""Plots of a comparison from its rows; for labels, whether probabilities are how often they come true."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from bayes_nn.data.scores import paired_difference
from bayes_nn.inference.report.evidence_plot import plot_evidence
from bayes_nn.inference.report.prediction_plot import Calibration, Prediction, plot_calibration, plot_predictions
from bayes_nn.inference.report.waterfall_plot import plot_waterfall
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.share import Share
from bayes_nn.inference.verdict.short_names import short_names


def evidence_of_rows(rows: Sequence[PriorResult], test_to_train: float, scale: str) -> Figure:
    """Evidence and test score of every prior.

    Args:
        rows: of the comparison, best evidence first.
        test_to_train: test rows over training rows of a split.
        scale: of y, in words.
    """
    short, shared = short_names([row.name for row in rows])
    columns = {name: [getattr(row, name) for row in rows] for name in ("log_evidence", "mcse", "reliable")}
    table = pd.DataFrame(columns | {"rung": [row.rung_name for row in rows]}, pd.Index(short.values(), name=shared))
    baseline = None
    if rows[0].lpd_test:
        over = next((row for row in rows if row.kind == "NNGP"), rows[0])
        gains = [paired_difference(row.lpd_test, over.lpd_test, test_to_train) for row in rows]
        table[["gain", "gain_error"]], baseline = gains, short[over.name]
    return plot_evidence(table, scale, baseline)


def waterfall_of_shares(shares: Sequence[Share], rows: Sequence[PriorResult]) -> Figure:
    """What every rung recovers of the network's gain.

    Args:
        shares: of the verdict.
        rows: of the comparison.

    Raises:
        ValueError: without shares.
    """
    if not shares:
        raise ValueError("a waterfall needs an NNGP, a BayesianNetwork and test data")
    short, shared = short_names([row.name for row in rows])
    table = pd.DataFrame([asdict(share) | {"prior": short[share.prior]} for share in shares])
    return plot_waterfall(table.rename_axis(shared))


def predictions_of_rows(rows: Sequence[PriorResult], observed: Float[np.ndarray, "T C"]) -> Figure:
    """Predictions of every prior on the test data of all splits.

    Args:
        rows: of the comparison.
        observed: test targets of all splits; labels as one column per class.
    """
    short, _ = short_names([row.name for row in rows])
    means = {row.name: np.concatenate(row.test_mean) for row in rows}
    if rows[0].accuracy is not None:
        return plot_calibration([
            Calibration(
                f"{short[row.name]}\naccuracy {row.accuracy:.3f}", calibration_curve(means[row.name], observed),
                row.rung_name,
            )
            for row in rows
        ])  # fmt: skip
    return plot_predictions(observed[:, 0], [
        Prediction(
            f"{short[row.name]}\nRMSE {row.rmse:.4g}", means[row.name][:, 0], np.concatenate(row.test_std)[:, 0],
            row.rung_name,
        )
        for row in rows
    ])  # fmt: skip


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
