"""A run that went from the prior to the posterior by tempering the likelihood, in one figure."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import colour_of, shades

#: Colour of the place where the local barrier is largest.
PLACE = "0.15"


class ExchangePicture(NamedTuple):
    """What is shown of a run of replica exchange.

    Attributes:
        tempering: levels from 0 to 1, (T,).
        expected_log_likelihood: E[l] at every level of every system, nats, (systems, T).
        local_barrier: rejection per factor e of tempering, for the steps that begin above the prior, (T - 2,).
        acceptance: mean acceptance of swaps between neighbours, (T - 1,).
        level_of_replica: number of the level of some replicas of one system, (replicas, sweeps).
        sweeps_between: sweeps from one entry of it to the next.
        sides: evidence from below, its value, and from above, by round, nats, (rounds, 3).
        place: tempering where the local barrier is largest.
        meaning: of that place, in words.
    """

    tempering: Float[np.ndarray, " T"]
    expected_log_likelihood: Float[np.ndarray, "S T"]
    local_barrier: Float[np.ndarray, " T-2"]
    acceptance: Float[np.ndarray, " T-1"]
    level_of_replica: Int[np.ndarray, "R sweeps"]
    sweeps_between: int
    sides: Float[np.ndarray, "rounds 3"]
    place: float
    meaning: str


def draw_exchange(title: str, picture: ExchangePicture, rung: str) -> Figure:
    """E[l] and the local barrier against tempering, swaps, the way of some replicas, and the evidence by round.

    Args:
        title: of the figure.
        picture: what is shown.
        rung: of the prior, in words; everything is drawn in shades of its colour.

    Example:
        >>> levels, ones = np.array([0.0, 0.1, 1.0]), np.ones((1, 3))
        >>> drawn = ExchangePicture(levels, ones, ones[0, :1], ones[0, :2], np.zeros((2, 5), int), 1, ones, 0.3, "here")
        >>> [ax.get_title() for ax in draw_exchange("network", drawn, "scale").axes][:2]
        ['mean log likelihood', 'swaps of neighbouring levels']
    """
    colour = colour_of(rung)
    figure = Plot(figsize=(12.0, 6.4), layout="constrained")
    axes = figure.subplot_mosaic([["expected", "swaps", "rounds"], ["barrier", "replicas", "replicas"]])
    _plot_expected(axes["expected"], picture, colour)
    _plot_swaps(axes["swaps"], picture.acceptance, colour)
    _plot_rounds(axes["rounds"], picture.sides, colour)
    _plot_barrier(axes["barrier"], picture, colour)
    _plot_replicas(axes["replicas"], picture, colour)
    figure.suptitle(title, fontsize=11)
    return figure


def draw_path(
    title: str,
    tempering: Float[np.ndarray, "I steps"],
    expected_log_likelihood: Float[np.ndarray, "I steps"],
    rung: str,
) -> Figure:
    """E[l] along the path of every island of an SMC run, and how its tempering rose.

    Args:
        title: of the figure.
        tempering: powers of the likelihood above 0, up to 1, which an island repeats once it is there.
        expected_log_likelihood: mean over the particles, nats.
        rung: of the prior, in words; islands are shades of its colour.

    Example:
        >>> draw_path("SMC", np.array([[0.1, 1.0]]), np.array([[-9.0, -5.0]]), "scale").axes[1].get_xlabel()
        'step'
    """
    figure = Plot(figsize=(8.5, 3.6), layout="constrained")
    expected, rising = figure.subplots(1, 2)
    colours = shades(colour_of(rung), len(tempering))
    for number, (own, mean) in enumerate(zip(tempering, expected_log_likelihood, strict=True)):
        expected.plot(own, mean, ".-", color=colours[number], label=f"island {number + 1}")
        rising.plot(np.arange(1, len(own) + 1), own, ".-", color=colours[number])
    expected.set_xscale("log")
    expected.set_title("mean log likelihood", fontsize=10)
    expected.set(xlabel="tempering", ylabel="E[l], nats")
    expected.legend(frameon=False, fontsize=8)
    rising.set_yscale("log")
    rising.set_title("tempering of every island", fontsize=10)
    rising.set(xlabel="step", ylabel="tempering")
    rising.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for ax in (expected, rising):
        ax.grid(color="0.9")
        hide_spines(ax)
    figure.suptitle(title, fontsize=11)
    return figure


def _show_tempering(ax: Axes, tempering: Float[np.ndarray, " T"]) -> None:
    """An axis of tempering that is logarithmic above the first level and reaches down to the prior at 0."""
    first = tempering[1]
    ax.set_xscale("symlog", linthresh=first, linscale=0.5)
    decades = 10.0 ** np.arange(min(np.ceil(np.log10(first) + 0.3), 0.0), 1.0)
    ax.set_xticks([0.0, *decades], ["0", *(f"{decade:g}" for decade in decades)])
    ax.set_xlim(-0.15 * first, 1.15)
    ax.set_xlabel("tempering (0: prior, 1: posterior)")


def _plot_expected(ax: Axes, picture: ExchangePicture, colour: str) -> None:
    colours = shades(colour, len(picture.expected_log_likelihood))
    for number, mean in enumerate(picture.expected_log_likelihood):
        ax.plot(picture.tempering, mean, ".-", color=colours[number], linewidth=1.2, label=f"system {number + 1}")
    _show_tempering(ax, picture.tempering)
    ax.axvline(picture.place, color=PLACE, linewidth=1.0, linestyle="--", zorder=0)
    # At the prior E[l] is often so low that all else would be a line.
    above = picture.expected_log_likelihood[:, 1:]
    low, high = float(above.min()), float(above.max())
    if picture.expected_log_likelihood[:, 0].min() < low - 2.0 * (high - low):
        ax.set_ylim(low - 0.15 * (high - low), high + 0.08 * (high - low))
    ax.set_title("mean log likelihood", fontsize=10)
    ax.set_ylabel("E[l], nats")
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    ax.grid(color="0.9")
    hide_spines(ax)


def _plot_barrier(ax: Axes, picture: ExchangePicture, colour: str) -> None:
    ax.stairs(picture.local_barrier, picture.tempering[1:], color=colour, fill=True, alpha=0.25)
    ax.stairs(picture.local_barrier, picture.tempering[1:], color=colour)
    _show_tempering(ax, picture.tempering)
    ax.axvline(picture.place, color=PLACE, linewidth=1.0, linestyle="--", zorder=3)
    ax.set_ylim(0.0, 1.3 * float(picture.local_barrier.max()))
    # The words stand on the side of the line that has more room.
    left = picture.place > np.sqrt(picture.tempering[1])
    ax.annotate(
        f"{picture.meaning}\n(tempering {picture.place:.2g})", (picture.place, 0.99), xytext=(-4 if left else 4, 0),
        xycoords=ax.get_xaxis_transform(), textcoords="offset points", fontsize=8, color=PLACE, va="top",
        ha="right" if left else "left",
    )  # fmt: skip
    ax.set_title("local barrier", fontsize=10)
    ax.set_ylabel("rejection per factor e of tempering")
    ax.grid(color="0.9")
    hide_spines(ax)


def _plot_swaps(ax: Axes, acceptance: Float[np.ndarray, " T-1"], colour: str) -> None:
    ax.bar(np.arange(1, len(acceptance) + 1), acceptance, color=colour, alpha=0.6)
    ax.axhline(float(np.mean(acceptance)), color="0.3", linewidth=1.0, linestyle="--")
    ax.set_title("swaps of neighbouring levels", fontsize=10)
    ax.set(xlabel="level and the one below it (0: prior)", ylabel="mean acceptance", ylim=(0.0, 1.0))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    hide_spines(ax)


def _plot_rounds(ax: Axes, sides: Float[np.ndarray, "rounds 3"], colour: str) -> None:
    rounds = np.arange(1, len(sides) + 1)
    lower, value, upper = sides.T
    ax.fill_between(rounds, lower, upper, color=colour, alpha=0.15, linewidth=0)
    ax.plot(rounds, upper, "v--", color=colour, markersize=5, linewidth=1.0, label="backward (from above)")
    ax.plot(rounds, value, "o-", color="0.2", markersize=5, linewidth=1.2, label="Bennett's, between")
    ax.plot(rounds, lower, "^--", color=colour, markersize=5, linewidth=1.0, label="forward (from below)")
    ax.set_title("log evidence by round", fontsize=10)
    ax.set(xlabel="round", ylabel="nats, mean of the systems")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(color="0.9")
    hide_spines(ax)


def _plot_replicas(ax: Axes, picture: ExchangePicture, colour: str) -> None:
    colours = shades(colour, len(picture.level_of_replica))
    sweeps = picture.sweeps_between * np.arange(picture.level_of_replica.shape[1])
    for number, level in enumerate(picture.level_of_replica):
        ax.plot(sweeps, level, color=colours[number], linewidth=0.9)
    ax.set_title(f"way of {len(picture.level_of_replica)} replicas of system 1 in the last round", fontsize=10)
    ax.set(xlabel="sweep", ylabel=f"level (0: prior, {len(picture.tempering) - 1}: posterior)")
    ax.set_xlim(0, max(int(sweeps[-1]), 1))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.grid(axis="y", color="0.9")
    hide_spines(ax)
