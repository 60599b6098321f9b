"""How the verdict and the evidences change with the priors of standard deviations."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import colour_of, shades

#: Markers of narrowed and of widened priors.
NARROWED, WIDENED = "<", ">"


def plot_sensitivity(table: pd.DataFrame, changes: pd.DataFrame, log_e_value: float, needed: float) -> Figure:
    """The log e-value (left) and the change of every log evidence with two errors (right), by changed prior.

    Hollow markers are not reliable.

    Args:
        table: one row per (site, factor), with the columns log_e_value (nats) and reliable.
        changes: one row per (site, factor, prior), with the columns change and mcse (nats), reliable, and
            rung (its name), whose colour a prior has.
        log_e_value: under the priors as given, nats; NaN where there is none.
        needed: for hidden features to be called for, nats.

    Example:
        >>> cases = pd.MultiIndex.from_tuples([("noise_std", 0.5), ("noise_std", 2.0)])
        >>> table = pd.DataFrame({"log_e_value": [1.0, 2.0], "reliable": [True, False]}, cases)
        >>> each = pd.MultiIndex.from_tuples([(*case, "NNGP") for case in cases])
        >>> changes = pd.DataFrame({"change": [0.1, -0.2], "mcse": 0.01, "reliable": True, "rung": "scale"}, each)
        >>> len(plot_sensitivity(table, changes, 1.5, 4.6).axes)
        2
    """
    rung_of = changes.groupby(level=2, sort=False).rung.first().to_dict()
    names = list(rung_of)
    labels = [f"{site} x {factor:g}" for site, factor in table.index]
    place_of = {case: place for place, case in enumerate(table.index)}
    known = bool(np.isfinite(table.log_e_value).any())
    figure = Plot(figsize=(10.5 if known else 7.0, 1.8 + 0.45 * len(table) + 0.1 * len(names)), layout="constrained")
    axes = figure.subplots(1, 2 if known else 1, sharey=True, squeeze=False)[0]
    if known:
        for case, row in table.iterrows():
            face = "0.2" if row.reliable else "white"
            marker = _marker(case[1])
            axes[0].plot(row.log_e_value, place_of[case], marker, color="0.2", markerfacecolor=face)
        axes[0].axvline(log_e_value, color="0.6", linewidth=1.0, zorder=0, label="priors as given")
        axes[0].axvline(needed, color="0.6", linewidth=1.0, linestyle=":", zorder=0, label="needed for hidden features")
        axes[0].set_xlabel("log e-value, nats")
    for number, name in enumerate(names):
        offset = 0.5 * ((number + 0.5) / len(names) - 0.5)
        own = changes.xs(name, level=2)
        alike = [other for other in names if rung_of[other] == rung_of[name]]
        colour = shades(colour_of(rung_of[name]), len(alike))[alike.index(name)]
        _changes(axes[-1], own, place_of, offset, colour, name)
    axes[-1].axvline(0.0, color="0.6", linewidth=1.0, zorder=0)
    axes[-1].set_xlabel("change of the log evidence, nats (bars: 2 MCSE)")
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    axes[0].set(yticks=range(len(table)), yticklabels=labels)
    axes[0].invert_yaxis()
    for ax in axes:
        ax.grid(axis="x", color="0.9")
        ax.margins(x=0.1)
        hide_spines(ax, "left")
        ax.tick_params(axis="y", length=0)
    return figure


def _marker(factor: float) -> str:
    return WIDENED if factor > 1.0 else NARROWED


def _changes(ax: Axes, rows: pd.DataFrame, place_of: dict, offset: float, colour: str, name: str) -> None:
    """What every changed prior makes of one row's evidence."""
    ax.plot([], [], "o", color=colour, label=name)
    for case, row in rows.iterrows():
        face = colour if row.reliable else "white"
        ax.errorbar(
            row.change, place_of[case] + offset, xerr=2.0 * np.nan_to_num(row.mcse), fmt=_marker(case[1]),
            color=colour, markerfacecolor=face, markersize=5, linewidth=1.0,
        )  # fmt: skip
