"""Evidence and test scores of several priors, and of one prior on growing parts of the data."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayes_nn.inference.drawing.figure import Plot, hide_spines
from bayes_nn.inference.drawing.palette import colour_of, in_order, shades


def plot_evidence(table: pd.DataFrame, scale: str, baseline: str | None) -> Figure:
    """Evidence (left) and test score over a baseline (right), each with two standard errors.

    Every prior has the colour of its rung; hollow markers are not reliable.

    Args:
        table: one row per prior, best first, its index named by what all have in common, with the columns log_evidence
            and mcse (nats), rung (its name), reliable, and, where there is a baseline, gain and gain_error (nats per
            test point).
        scale: of y, in words.
        baseline: the prior that gains are over; None without test data.

    Example:
        >>> row = {"log_evidence": -10.0, "mcse": 0.1, "rung": "infinite width", "reliable": True}
        >>> len(plot_evidence(pd.DataFrame([row], index=["NNGP"]), "y as given", None).axes)
        1
    """
    panels = [("log_evidence", "mcse", f"log evidence of {scale}, nats\n(bars: 2 MCSE)")]
    if baseline is not None:
        panels += [("gain", "gain_error", f"lpd over {baseline}, nats per test point\n(bars: 2 SE, paired)")]
    figure = Plot(figsize=(3.0 + 3.0 * len(panels), 1.5 + 0.5 * len(table)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (value, error, label) in zip(axes, panels, strict=True):
        for place, row in enumerate(table.itertuples()):
            _point(ax, row, place, getattr(row, value), getattr(row, error))
        ax.set_xlabel(label)
    axes[0].set(yticks=range(len(table)), yticklabels=list(table.index), ylabel=table.index.name or "")
    axes[0].invert_yaxis()
    for ax in axes[1:]:
        ax.axvline(0.0, color="0.6", linewidth=1.0, zorder=0)
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.grid(axis="x", color="0.9")
        hide_spines(ax, "left")
        ax.tick_params(axis="y", length=0)
    handles = [axes[0].plot([], [], "o", color=colour_of(rung), label=rung)[0] for rung in in_order(table.rung)]
    if not table.reliable.all():
        handles += axes[0].plot([], [], "o", color="0.3", markerfacecolor="white", label="not reliable")
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _point(ax: Axes, row: tuple, place: int, value: float, error: float) -> None:
    colour = colour_of(row.rung)  # type: ignore[attr-defined]
    face = colour if row.reliable else "white"  # type: ignore[attr-defined]
    ax.errorbar(value, place, xerr=2.0 * error, fmt="o", color=colour, markerfacecolor=face, capsize=3, label=row.rung)  # type: ignore[attr-defined]


def plot_evidence_curve(table: pd.DataFrame, title: str, rung: str) -> Figure:
    """Code length and leave-one-out loss per row against the number of rows, with two standard errors.

    Args:
        table: one row per number of rows, with the columns rows_before (those of the size before, 0 for the first),
            log_evidence, conditional, conditional_mcse and elpd_loo, nats.
        title: of the figure.
        rung: of the prior, in words; the curves are shades of its colour.

    Example:
        >>> row = dict(rows_before=0, log_evidence=-9.0, conditional=-9.0, conditional_mcse=0.1, elpd_loo=-8.0)
        >>> plot_evidence_curve(pd.DataFrame([row], index=[10]), "NNGP", "infinite width").axes[0].get_xlabel()
        'rows'
    """
    figure = Plot(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    sizes, before = table.index.to_numpy(), table.rows_before.to_numpy()
    added, (dark, own, light) = sizes - before, shades(colour_of(rung), 3)
    axes.errorbar(
        (sizes + before) / 2, -table.conditional / added, 2.0 * table.conditional_mcse / added, added / 2,
        fmt="o", color=dark, label="code length of the rows added",
    )  # fmt: skip
    axes.plot(sizes, -table.log_evidence / sizes, "s-", color=own, label="code length of all rows so far")
    axes.plot(sizes, -table.elpd_loo / sizes, "^--", color=light, label="leave-one-out loss of all rows so far")
    axes.set(xlabel="rows", ylabel="nats per row", title=title)
    axes.legend(frameon=False, fontsize=8)
    return figure
