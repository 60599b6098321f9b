"""How evidence, gain and feature information depend on the width."""

import pandas as pd
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot, hide_spines, marker_and_line
from bayes_nn.inference.drawing.palette import colour_of, in_order


def plot_sweep(table: pd.DataFrame) -> Figure:
    """Log Bayes factor, test gain and feature information against the width, with two standard errors.

    Args:
        table: of :class:`bayes_nn.inference.Sweep`, indexed by architecture and width, with the column rung: the name
            of the one that the verdict names, whose colour the markers have, empty where undecided.

    Example:
        >>> row = dict(log_bayes_factor=1.0, mcse=0.1, gain=float("nan"), gain_se=float("nan"), reliable=True)
        >>> row |= dict(feature_information=2.0, feature_information_mcse=0.1, verdict="undecided", rung="")
        >>> index = pd.MultiIndex.from_tuples([("relu", 4)], names=["architecture", "width"])
        >>> len(plot_sweep(pd.DataFrame([row], index=index)).axes)
        2
    """
    panels = [("log_bayes_factor", "mcse", "log Bayes factor\nnetwork : NNGP, nats")]
    if table.gain.notna().any():
        panels += [("gain", "gain_se", "test lpd over the NNGP,\nnats per test point")]
    panels += [("feature_information", "feature_information_mcse", "feature information, nats")]
    figure = Plot(figsize=(3.6 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels))
    for place, (name, rows) in enumerate(table.groupby(level="architecture", sort=False)):
        widths = rows.index.get_level_values("width").to_numpy()
        marker, line = marker_and_line(place)
        for ax, (value, error, _) in zip(axes, panels, strict=True):
            ax.plot(widths, rows[value], line, color="0.5", linewidth=1.0, zorder=1)
            for width, row in zip(widths, rows.itertuples(), strict=True):
                colour, bar = colour_of(row.rung), 2.0 * getattr(row, error)
                face = colour if row.reliable else "white"
                ax.errorbar(width, getattr(row, value), bar, fmt=marker, color=colour, mfc=face, capsize=3)
            ax.plot([], [], marker + line, color="0.5", label=name)
    widths = sorted(set(table.index.get_level_values("width")))
    for ax, (*_, label) in zip(axes, panels, strict=True):
        ax.set_xscale("log", base=2)
        ax.set_xticks(widths, [str(width) for width in widths])
        ax.minorticks_off()
        ax.set(xlabel="width", ylabel=label)
        hide_spines(ax)
        ax.axhline(0.0, color="0.6", linewidth=1.0, zorder=0)
    handles = axes[0].get_legend_handles_labels()[0]
    outcome_of = dict(zip(table.rung, table.verdict, strict=True))
    for rung in in_order(outcome_of):
        handles += axes[0].plot([], [], "o", color=colour_of(rung), label=outcome_of[rung])
    if not table.reliable.all():
        handles += axes[0].plot([], [], "o", color="0.3", mfc="white", label="not reliable")
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4), frameon=False)
    return figure
