"""Evidence and feature information of a network against the scale of its readout."""

import math

import pandas as pd
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import colour_of

NETWORK, KERNEL = colour_of("hidden features"), colour_of("infinite width")


def plot_richness(table: pd.DataFrame, width: int, best: tuple[float, float, float]) -> Figure:
    """Evidence (left), with the NNGP's beside it, and feature information (right), with two standard errors.

    The scale of highest evidence is shaded over its interval; hollow markers are not reliable.

    Args:
        table: of :class:`bayes_nn.inference.Richness`, indexed by gamma.
        width: n of the last hidden layer, whose root is marked.
        best: gamma of highest evidence, and the ends of its interval.

    Example:
        >>> row = dict(log_evidence=-9.0, mcse=0.1, nngp_log_evidence=-9.5, nngp_mcse=0.0, reliable=True)
        >>> row |= dict(feature_information=2.0, feature_information_mcse=0.1)
        >>> table = pd.DataFrame([row, row], index=pd.Index([1.0, 2.0], name="gamma"))
        >>> len(plot_richness(table, 4, (1.0, 1.0, 2.0)).axes)
        2
    """
    figure = Plot(figsize=(9.0, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    gamma = table.index.to_numpy()
    axes[0].errorbar(
        gamma, table.nngp_log_evidence, 2.0 * table.nngp_mcse,
        fmt="s--", color=KERNEL, capsize=3, linewidth=1.0, label="NNGP of the same scale",
    )  # fmt: skip
    panels = (("log_evidence", "mcse"), ("feature_information", "feature_information_mcse"))
    for ax, (value, error) in zip(axes, panels, strict=True):
        ax.plot(gamma, table[value], "-", color=NETWORK, linewidth=1.0)
        for one, row in table.iterrows():
            face = NETWORK if row.reliable else "white"
            ax.errorbar(one, row[value], 2.0 * row[error], fmt="o", color=NETWORK, mfc=face, capsize=3)
        ax.axvspan(*best[1:], color="0.9", zorder=0)
        for mark, text in ((1.0, "NTK"), (math.sqrt(width), "mean-field")):
            ax.axvline(mark, color="0.6", linewidth=1.0, linestyle=":", zorder=1)
            ax.annotate(text, (mark, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
        ax.set_xscale("log", base=2)
        ax.set_xticks(gamma, [f"{one:.3g}" for one in gamma])
        ax.minorticks_off()
        ax.set_xlabel("gamma: the readout's weight_std is divided by it")
        hide_spines(ax)
    axes[0].plot([], [], "o-", color=NETWORK, label="network")
    axes[0].set_ylabel("log evidence, nats (bars: 2 MCSE)")
    axes[0].legend(frameon=False, fontsize=8)
    axes[1].set_ylabel("feature information, nats (bars: 2 MCSE)")
    axes[1].set_ylim(bottom=0.0)
    return figure
