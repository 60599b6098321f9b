"""Which inputs, and which directions among them, a learned metric finds to matter."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import colour_of

#: Directions that are drawn, the largest ones.
MOST_DIRECTIONS = 6


def draw_metric(
    title: str,
    names: Sequence[str],
    relevance: Float[np.ndarray, "3 d"],
    no_preference: float,
    directions: Float[np.ndarray, "d k"] | None,
    singular_values: Float[np.ndarray, "3 k"],
) -> Figure:
    """Relevance of inputs with intervals, and beside it the leading directions.

    Args:
        title: of the figure.
        names: of the inputs, from top to bottom.
        relevance: mean, lower and upper end of every input's share.
        no_preference: the share that all inputs have where none is preferred.
        directions: unit vectors over the inputs shown, or None to leave them away.
        singular_values: mean, lower and upper end of the singular value of every direction.

    Example:
        >>> shares = np.array([[0.7, 0.3], [0.6, 0.2], [0.8, 0.4]])
        >>> figure = draw_metric("metric", ["age", "height"], shares, 0.5, np.ones((2, 1)), np.ones((3, 1)))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['age', 'height']
    """
    height = 1.6 + 0.24 * len(names)
    if directions is None:
        figure = Plot(figsize=(5.5, height), layout="constrained")
        _plot_relevance(figure.subplots(), names, relevance, no_preference)
    else:
        shown = directions[:, :MOST_DIRECTIONS]
        figure = Plot(figsize=(6.5 + 0.8 * shown.shape[1], height), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[4.5, 1.0 + 0.8 * shown.shape[1]])
        _plot_relevance(left, names, relevance, no_preference)
        _plot_directions(figure, right, shown, singular_values)
    figure.suptitle(title, fontsize=11)
    return figure


def _plot_relevance(ax: Axes, names: Sequence[str], relevance: np.ndarray, no_preference: float) -> None:
    mean, lower, upper = relevance
    places, colour = np.arange(len(names)), colour_of("input metric")
    ax.barh(places, mean, color=colour, alpha=0.35, height=0.7)
    ax.hlines(places, lower, upper, color=colour, linewidth=2.0)
    ax.axvline(no_preference, color="0.5", linewidth=1.0, linestyle="--")
    ax.set(yticks=places, yticklabels=list(names), xlim=(0.0, min(1.0, 1.1 * float(upper.max()))))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_title("relevance of inputs", fontsize=10)
    ax.set_xlabel("share of the metric's trace\n(lines: 90 % intervals; dashed: no preference)", fontsize=9)
    ax.tick_params(axis="y", length=0, labelsize=8)
    hide_spines(ax)


def _plot_directions(figure: Figure, ax: Axes, directions: np.ndarray, singular_values: np.ndarray) -> None:
    limit = max(float(np.abs(directions).max()), 1e-12)
    image = ax.imshow(directions, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    labels = [
        f"{number + 1}\n{mean:.2f}\n({low:.2f}-{high:.2f})"
        for number, (mean, low, high) in enumerate(singular_values.T[: directions.shape[1]])
    ]
    ax.set_xticks(range(len(labels)), labels, fontsize=8)
    ax.set_yticks([])
    ax.set_title("directions", fontsize=10)
    ax.set_xlabel("number, singular value (90 % interval)", fontsize=9)
    figure.colorbar(image, ax=ax, shrink=0.8)
