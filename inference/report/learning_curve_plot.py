"""Test scores and evidence against the number of training rows."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from bayes_nn.inference.drawing.figure import Plot, hide_spines, marker_and_line
from bayes_nn.inference.drawing.palette import colour_of


def plot_learning_curves(table: pd.DataFrame, baseline: str, figure: FigureBase | None = None) -> FigureBase:
    """Test lpd, RMSE and log evidence over a baseline's against the number of rows, with two standard errors.

    Args:
        table: indexed by account and rows, with the columns lpd_test, rmse and gain (nats), each with its standard
            error (``_se``), reliable, and rung (its name), whose colour an account has.
        baseline: the account that gains are over.
        figure: a Matplotlib figure or subfigure to draw into; a new one where left out.

    Example:
        >>> row = dict(lpd_test=-1.0, lpd_test_se=0.1, rmse=1.0, rmse_se=0.0, gain=0.0, gain_se=0.0, reliable=True)
        >>> row["rung"] = "infinite width"
        >>> index = pd.MultiIndex.from_tuples([("NNGP", 25)], names=["account", "rows"])
        >>> len(plot_learning_curves(pd.DataFrame([row], index=index), "NNGP").axes)
        3
    """
    figure = Plot(figsize=(11.0, 3.8), layout="constrained") if figure is None else figure
    axes = figure.subplots(1, 3)
    for place, (name, own) in enumerate(table.groupby(level="account", sort=False)):
        for ax, column in zip(axes, ("lpd_test", "rmse", "gain"), strict=True):
            _curve(ax, place, own.droplevel("account"), column, str(name))
    labels = ("test lpd, nats per point", "test RMSE", f"log evidence (- code length)\nover {baseline}, nats")
    ticks = sorted(set(table.index.get_level_values("rows")))
    for ax, label in zip(axes, labels, strict=True):
        ax.set_xscale("log")
        ax.set_xticks(ticks, [str(rows) for rows in ticks])
        ax.minorticks_off()
        ax.set(xlabel="training rows", ylabel=label)
        ax.grid(color="0.9")
        hide_spines(ax)
    handles = axes[0].get_legend_handles_labels()[0]
    if not table.reliable.all():
        handles += axes[0].plot([], [], "o", color="0.3", markerfacecolor="white", label="not reliable")
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False)
    return figure


def _curve(ax: Axes, place: int, own: pd.DataFrame, column: str, name: str) -> None:
    colour, (marker, line) = colour_of(own.rung.iloc[0]), marker_and_line(place)
    x = own.index.to_numpy() * (1.0 + 0.015 * (place % 5 - 2))  # keeps the bars of different accounts apart
    ax.errorbar(
        x, own[column], yerr=2.0 * own[f"{column}_se"], color=colour, marker=marker, linestyle=line, capsize=2,
        linewidth=1.2, label=name,
    )  # fmt: skip
    hollow = ~own.reliable.to_numpy()
    ax.plot(x[hollow], own[column].to_numpy()[hollow], marker, color=colour, markerfacecolor="white", zorder=3)
