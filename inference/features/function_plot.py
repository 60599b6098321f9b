"""Probabilities of functions by training against those by a posterior."""

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import AFTER


def plot_functions(table: pd.DataFrame, numbers: tuple[int, int], fewest: int) -> Figure:
    """log P_SGD against log P_B with one standard error, and the line on which they are equal.

    Functions that only one of them found lie at the edges, at half a count. Those drawn from the posterior often enough
    to enter the slope are dots, others crosses. Where the table counts wrong labels, colours do.

    Args:
        table: of :class:`bayes_nn.inference.FunctionProbabilities`.
        numbers: draws and members that the frequencies are of.
        fewest: times that a function whose marker is a dot was drawn from the posterior.

    Example:
        >>> table = pd.DataFrame({"draws": [60, 40, 0], "members": [5, 4, 1]}, index=["01", "11", "00"])
        >>> errors = {"log10_bayes_se": [0.1, 0.1, np.nan], "log10_sgd_se": [0.1, 0.1, 0.4]}
        >>> len(plot_functions(table.assign(**errors), (100, 10), 4).axes)
        1
    """
    figure = Plot(figsize=(6.0, 4.2), layout="constrained")
    ax = figure.subplots()
    counts = table[["draws", "members"]].to_numpy()
    p = np.maximum(counts, 0.5) / np.array(numbers)
    compared = counts[:, 0] >= fewest
    bayes, sgd = p.T
    errors = table.loc[compared, ["log10_bayes_se", "log10_sgd_se"]].fillna(0.0).to_numpy().T
    across, along = (p[compared].T * np.stack([1.0 - 10.0**-errors, 10.0**errors - 1.0])).swapaxes(0, 1)
    ends = [0.7 * p.min(), min(1.5 * p.max(), 1.0)]
    ax.plot(ends, ends, color="0.6", linewidth=1.0, zorder=0, label="equal")
    ax.errorbar(bayes[compared], sgd[compared], along, across, fmt="none", ecolor="0.85", elinewidth=0.8, zorder=1)
    wrong = table.wrong.to_numpy() if "wrong" in table else np.zeros(len(table))
    colours = {"cmap": "viridis"} if wrong.any() else {"cmap": ListedColormap([AFTER])}
    for chosen, size, marker, label in (
        (~compared, 8, "x", "drawn less often"),
        (compared, 14, "o", f"drawn {fewest} times"),
    ):
        drawn = ax.scatter(
            bayes[chosen], sgd[chosen], s=size, c=wrong[chosen], marker=marker, linewidths=0.6, label=label,
            vmin=0, vmax=max(wrong.max(), 1), **colours,
        )  # fmt: skip
    if wrong.any():
        figure.colorbar(drawn, ax=ax, label="test inputs labelled wrongly")
    ax.set(xscale="log", yscale="log", xlabel="P_B(f | S), draws of the posterior", ylabel="P_SGD(f | S), training")
    ax.set_aspect("equal")
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    low, high = 0.7 * p.min(axis=0), min(2.0 * p.max(), 1.0)
    ax.set(xlim=(low[0], high), ylim=(low[1], high))
    hide_spines(ax)
    return figure
