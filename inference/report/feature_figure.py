"""What the features of one network learnt, in one figure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import AFTER, BEFORE


class KernelPicture(NamedTuple):
    """A kernel matrix, centred, with its rows ordered by y.

    Attributes:
        title: of the panel.
        K: the matrix, (N, N).
    """

    title: str
    K: Float[np.ndarray, "N N"]


class Alignment(NamedTuple):
    """An average alignment.

    Attributes:
        label: what is aligned, and when.
        value: the average over draws.
        mcse: its Monte-Carlo standard error.
        std: standard deviation over draws.
        after: whether after the data.
    """

    label: str
    value: float
    mcse: float
    std: float
    after: bool


class Uses(NamedTuple):
    """What redrawing single neurons costs, nats per test point, most used neuron first.

    Attributes:
        profile: average over draws, (n,).
        low: lower end of a band over draws, (n,).
        high: upper end, (n,).
        effective: number of neurons that are effectively used.
    """

    profile: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]
    effective: float


def draw_features(
    title: str,
    kernels: Sequence[KernelPicture],
    alignments: Sequence[Alignment],
    infinite_width: float,
    uses: Uses | None = None,
) -> Figure:
    """The kernel before and after the data, its alignments, and, where they are known, the uses of single neurons.

    Args:
        title: of the figure.
        kernels: before and after the data.
        alignments: from top to bottom.
        infinite_width: alignment of the NNGP kernel with y.
        uses: of the neurons of the first layer, or None.

    Example:
        >>> kernels = [KernelPicture("before", np.eye(3)), KernelPicture("after", np.eye(3))]
        >>> figure = draw_features("network", kernels, [Alignment("with y, after", 0.5, 0.01, 0.1, True)], 0.4)
        >>> [ax.get_title() for ax in figure.axes[:3]]
        ['before', 'after', 'centred kernel alignment']
    """
    panels = 3 if uses is None else 4
    figure = Plot(figsize=(11.0 if uses is None else 14.5, 3.6), layout="constrained")
    axes = figure.subplots(1, panels, width_ratios=[1.0, 1.0, 1.25, 1.1][:panels])
    _plot_kernels(figure, axes[:2], kernels)
    _plot_alignments(axes[2], alignments, infinite_width)
    if uses is not None:
        _plot_uses(axes[3], uses)
    figure.suptitle(title, fontsize=11)
    return figure


def _plot_kernels(figure: Figure, axes: np.ndarray, kernels: Sequence[KernelPicture]) -> None:
    """Both kernels on one scale of colours, cut at the largest entries."""
    limit = float(np.quantile(np.abs([one.K for one in kernels]), 0.99))
    for ax, (title, K) in zip(axes, kernels, strict=True):
        image = ax.imshow(K, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[], xlabel="rows, by rising y")
    figure.colorbar(image, ax=list(axes), shrink=0.75, extend="both")


def _plot_alignments(ax: Axes, alignments: Sequence[Alignment], infinite_width: float) -> None:
    """Averages (error bars: 2 MCSE) on bars one standard deviation over draws long."""
    for place, (_, value, mcse, std, after) in enumerate(alignments):
        colour = AFTER if after else BEFORE
        ax.plot([value - std, value + std], [place] * 2, color=colour, alpha=0.25, linewidth=9, solid_capstyle="butt")
        ax.errorbar(value, place, xerr=2.0 * mcse, fmt="o", color=colour, markersize=5, capsize=3)
    ax.axvline(infinite_width, color="0.6", linewidth=1.0, linestyle="--", zorder=0)
    ax.text(infinite_width, len(alignments) - 0.55, " NNGP with y", fontsize=8, color="0.4")
    ax.set(yticks=range(len(alignments)), yticklabels=[one.label for one in alignments], xlim=(0.0, 1.0))
    ax.set_title("centred kernel alignment", fontsize=10)
    ax.set_xlabel("bars: 2 MCSE; bands: 1 std over draws")
    ax.set_ylim(len(alignments) - 0.5, -0.5)
    ax.grid(axis="x", color="0.9")
    hide_spines(ax)
    ax.tick_params(axis="y", length=0)


def _plot_uses(ax: Axes, uses: Uses) -> None:
    rank = np.arange(1, len(uses.profile) + 1)
    ax.fill_between(rank, uses.low, uses.high, color=AFTER, alpha=0.25, linewidth=0, step="mid")
    ax.step(rank, uses.profile, where="mid", color=AFTER)
    ax.axhline(0.0, color="0.6", linewidth=1.0, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_title(f"use of single neurons\neffectively {uses.effective:.1f} of {len(rank)} used", fontsize=10)
    ax.set_xlabel("neurons of layer 0, most used first\n(band: 80 % of draws)")
    ax.set_ylabel("lpd lost if redrawn\n(nats per test point)")
    ax.grid(axis="y", color="0.9")
    hide_spines(ax)
