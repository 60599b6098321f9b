"""The network's gain over the infinite width as a waterfall: what every rung of the ladder of priors adds."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import colour_of


def plot_waterfall(table: pd.DataFrame) -> Figure:
    """Evidence (left) and test lpd (right) over the NNGP, climbing from rung to rung, each with two standard errors.

    A rung whose priors do no better than the best one below still has the name of that one.

    Args:
        table: one row per rung, from the lowest, its index named by what all have in common, with the columns rung,
            prior, log_evidence and log_evidence_error (nats over the NNGP), lpd and lpd_error (nats per test point
            over the NNGP). The last is the network.

    Example:
        >>> row = dict(rung="scale", prior="ScaleMixture", log_evidence=3.0, log_evidence_error=0.1, lpd=0.1)
        >>> len(plot_waterfall(pd.DataFrame([row | {"lpd_error": 0.01}] * 2)).axes)
        2
    """
    panels = [
        ("log_evidence", "log_evidence_error", "log evidence over the NNGP, nats\n(bars: 2 MCSE)"),
        ("lpd", "lpd_error", "test lpd over the NNGP, nats per point\n(bars: 2 SE)"),
    ]
    still = (table.prior == table.prior.shift()).map({True: "\nstill ", False: "\n"})
    figure = Plot(figsize=(9.0, 1.6 + 0.55 * len(table)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (value, error, label), form in zip(axes, panels, (".1f", ".3f"), strict=True):
        _steps(ax, table, value, error, form)
        ax.set_xlabel(label)
    names = table.rung + still + table.prior
    axes[0].set(yticks=range(len(table)), yticklabels=names, ylabel=table.index.name or "")
    axes[0].invert_yaxis()
    return figure


def _steps(ax: Axes, table: pd.DataFrame, value: str, error: str, form: str) -> None:
    """A bar from what the rung below reaches to what this one does."""
    before = 0.0
    rows: list[Any] = list(table.itertuples())
    for place, row in enumerate(rows):
        reached = getattr(row, value)
        ax.barh(place, reached - before, left=before, height=0.5, color=colour_of(row.rung))
        ax.errorbar(reached, place, xerr=2.0 * getattr(row, error), color="0.15", capsize=3, linewidth=1.2)
        if place + 1 < len(rows):
            ax.plot([reached, reached], [place - 0.25, place + 1.25], color="0.5", linewidth=0.8, linestyle=":")
        side = reached >= before
        ax.annotate(
            f"{reached:+{form}}", (reached, place), xytext=(6 if side else -6, 11), textcoords="offset points",
            ha="left" if side else "right", va="center", fontsize=8,
        )  # fmt: skip
        before = reached
    ax.axvline(0.0, color="0.6", linewidth=1.0, zorder=0)
    ax.margins(x=0.15)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    hide_spines(ax, "left")
    ax.tick_params(axis="y", length=0)
