"""The figure of an atlas: data sets against architectures and widths."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import Plot
from bayes_nn.inference.drawing.palette import colour_of
from bayes_nn.inference.verdict.rungs import RUNG_OF_OUTCOME

#: Colours of outcomes: those of the rungs that they name, from the lowest.
COLOURS = {outcome: colour_of(rung) for outcome, rung in RUNG_OF_OUTCOME.items()}
#: Areas of markers, in points squared, of a gain of nothing and of the largest one that is told apart.
SMALLEST, LARGEST = 40.0, 330.0
#: Nats per test point beyond which markers do not grow, and those shown in the legend.
MOST, SHOWN = 0.5, (0.0, 0.1, 0.5)


def plot_atlas(table: pd.DataFrame) -> Figure:
    """A marker for every cell: its colour tells what explains the network's gain over the NNGP, its area the gain.

    Areas grow with the gain in test lpd up to ``MOST`` nats per point; no gain, or a loss, is the smallest. A broken
    outline marks cells whose rows are not all reliable, a cross those that failed.

    Args:
        table: of an atlas.

    Raises:
        ValueError: if no cell is done.

    Example:
        >>> cell = {"set": "diabetes", "architecture": "relu, depth=1", "width": 16, "error": "", "reliable": True}
        >>> len(plot_atlas(pd.DataFrame([cell | {"outcome": "undecided", "gain": 0.02}])).axes)
        1
    """
    if not len(table) or not (table.error == "").any():
        raise ValueError("no cell of the atlas is done: there is nothing to draw")
    columns = sorted({(row.architecture, row.width) for row in table.itertuples()})
    sets = sorted(table["set"].unique(), key=str.lower)
    figure = Plot(figsize=(3.6 + 0.55 * len(columns), 2.6 + 0.3 * len(sets)), layout="constrained")
    ax = figure.subplots()
    for row in table.itertuples():
        place = columns.index((row.architecture, row.width)), sets.index(row.set)
        if row.error:
            ax.scatter(*place, s=SMALLEST, marker="x", color="0.3", linewidths=1.0)
        else:
            line: dict[str, Any] = {
                "edgecolors": "0.15",
                "linewidths": 0.9,
                "linestyles": "-" if row.reliable else (0, (1.5, 1.2)),
            }
            ax.scatter(*place, s=_area(row.gain), color=[COLOURS[row.outcome]], **line)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(sets) - 0.4, -0.6))
    ax.set_yticks(range(len(sets)), sets)
    ax.set_xticks(range(len(columns)), [str(width) for _, width in columns])
    ax.set_xlabel("width")
    names = [name for name, _ in columns]
    for name in dict.fromkeys(names):
        first, last = names.index(name), len(names) - 1 - names[::-1].index(name)
        ax.annotate(
            name.replace(", ", "\n"), ((first + last) / 2, 1.01), xycoords=("data", "axes fraction"),
            ha="center", va="bottom", fontsize=9,
        )  # fmt: skip
        if last + 1 < len(names):
            ax.axvline(last + 0.5, color="0.75", linewidth=0.8, zorder=0)
    ax.grid(color="0.93", zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    _legend(figure, table)
    return figure


def _area(gain: float) -> float:
    """The area of a marker."""
    known = np.clip(np.nan_to_num(gain), 0.0, MOST) / MOST
    return float(SMALLEST + (LARGEST - SMALLEST) * known)


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    """Of the outcomes and marks that occur, and of three gains."""
    ax = figure.axes[0]
    done = table[table.error == ""]
    found = [outcome for outcome in COLOURS if (done.outcome == outcome).any()]
    edge: dict[str, Any] = {"markeredgecolor": "0.15", "markeredgewidth": 0.9, "linestyle": ""}

    def mark(label: str, **look: Any) -> Any:
        return ax.plot([], [], **{"marker": "o", "markersize": 8.0, "label": label, **edge, **look})[0]

    handles = [mark(outcome, markerfacecolor=COLOURS[outcome]) for outcome in found]
    more = {0.0: "none, or a loss", MOST: f"{MOST} nats or more per point"}
    handles += [
        mark(f"gain: {more.get(gain, gain)}", markerfacecolor="0.8", markersize=_area(gain) ** 0.5) for gain in SHOWN
    ]
    if not done.reliable.astype(bool).all():
        handles += [
            ax.scatter(
                [], [], s=60, facecolors="white", edgecolors="0.15", linestyles=(0, (1.5, 1.2)), label="not reliable"
            )
        ]
    if len(done) < len(table):
        handles += [mark("failed", marker="x", markersize=6.0)]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8, labelspacing=1.1)
