"""Predictions on test data, one panel for every prior."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot
from bayes_nn.inference.drawing.palette import colour_of


class Prediction(NamedTuple):
    """Predictions of numbers.

    Attributes:
        title: of the panel.
        mean: predictive means, (T,).
        std: predictive standard deviations, (T,).
        rung: of the prior, in words.
    """

    title: str
    mean: Float[np.ndarray, " T"]
    std: Float[np.ndarray, " T"]
    rung: str


class Calibration(NamedTuple):
    """How often predicted labels were right.

    Attributes:
        title: of the panel.
        groups: a row for each group of test points, with the columns confidence (mean probability of the most
            probable class), rate (fraction right) and rate_se.
        rung: of the prior, in words.
    """

    title: str
    groups: pd.DataFrame
    rung: str


def plot_predictions(observed: Float[np.ndarray, " T"], predictions: Sequence[Prediction]) -> Figure:
    """Predicted against observed test targets of every prior.

    Args:
        observed: test targets.
        predictions: of the same points.

    Example:
        >>> one = Prediction("NNGP", np.zeros(3), np.ones(3), "infinite width")
        >>> len(plot_predictions(np.arange(3.0), [one]).axes)
        1
    """
    figure, axes = _grid(len(predictions))
    limits = observed.min(), observed.max()
    for ax, (title, mean, std, rung) in zip(axes, predictions, strict=False):
        colour = colour_of(rung)
        ax.errorbar(observed, mean, yerr=std, fmt=".", color=colour, ecolor="0.85", markersize=4, elinewidth=0.7)
        ax.plot(limits, limits, color="0.4", linewidth=1.0)
        ax.set_title(title, fontsize=9)
    figure.supxlabel("observed")
    figure.supylabel("predicted\n(bars: 1 standard deviation)", fontsize=10)
    return figure


def plot_calibration(curves: Sequence[Calibration]) -> Figure:
    """How often the most probable class was right against its probability.

    Args:
        curves: one per prior.

    Example:
        >>> groups = pd.DataFrame({"confidence": [0.6, 0.9], "rate": [0.5, 0.9], "rate_se": [0.1, 0.1]})
        >>> len(plot_calibration([Calibration("NNGP", groups, "scale")]).axes)
        1
    """
    figure, axes = _grid(len(curves))
    for ax, (title, groups, rung) in zip(axes, curves, strict=False):
        colour = colour_of(rung)
        ax.errorbar(groups.confidence, groups.rate, yerr=groups.rate_se, fmt="o-", color=colour, capsize=2)
        ax.plot([0, 1], [0, 1], color="0.4", linewidth=1.0)
        ax.set_title(title, fontsize=9)
    figure.supxlabel("probability of the most probable class")
    figure.supylabel("fraction right\n(bars: 1 standard error)", fontsize=10)
    return figure


def _grid(panels: int) -> tuple[Figure, np.ndarray]:
    """A figure with so many panels."""
    columns = min(3, panels)
    lines = -(-panels // columns)
    figure = Plot(figsize=(3.2 * columns, 3.1 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[panels:]:
        ax.set_visible(False)
    return figure, axes
