"""Plots of comparisons, sweeps and learning curves."""

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from bayes_nn.inference.verdict import paired_difference

if TYPE_CHECKING:
    from bayes_nn.inference.comparison import Comparison, Row
    from bayes_nn.inference.learning_curves import LearningCurves
    from bayes_nn.inference.sweep import Sweep

_NETWORK, _FEATURE_FREE = "#c44e1b", "#2b6a99"


class Plot(Figure):
    """A figure that a notebook shows by itself, whatever Matplotlib's backend."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def plot_evidence(comparison: "Comparison") -> Figure:
    """Evidence (left) and test score against the NNGP (right), each with two standard errors.

    Networks whose features the data update are in another colour; hollow markers are not reliable.
    """
    rows = comparison.rows
    tested = bool(rows[0].lpd_test)
    figure = Plot(figsize=(10.5 if tested else 7.0, 1.5 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots(1, 2 if tested else 1, sharey=True, squeeze=False)[0]
    scale = "standardised y" if comparison.standardized else "y as given"
    for place, row in enumerate(rows):
        _point(axes[0], row, place, row.log_evidence, row.mcse)
    axes[0].set(yticks=range(len(rows)), yticklabels=[row.name for row in rows])
    axes[0].set_xlabel(f"log evidence of {scale}, nats (bars: 2 MCSE)")
    axes[0].invert_yaxis()
    if tested:
        baseline = next((row for row in rows if row.kind == "NNGP"), rows[0])
        for place, row in enumerate(rows):
            gain, error = paired_difference(row.lpd_test, baseline.lpd_test, comparison.test_to_train)
            _point(axes[1], row, place, gain, error)
        axes[1].axvline(0.0, color="0.6", linewidth=1.0, zorder=0)
        axes[1].set_xlabel(f"lpd over {baseline.name}, nats per test point\n(bars: 2 SE, paired)")
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.grid(axis="x", color="0.9")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
    handles = [
        axes[0].plot([], [], "o", color=colour, label=label)[0]
        for colour, label in ((_NETWORK, "features updated by the data"), (_FEATURE_FREE, "features not updated"))
    ]
    if not all(row.reliable for row in rows):
        handles += axes[0].plot([], [], "o", color="0.3", markerfacecolor="white", label="not reliable")
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _point(ax: Axes, row: "Row", place: int, value: float, error: float) -> None:
    colour = _NETWORK if row.learns_features else _FEATURE_FREE
    face = colour if row.reliable else "white"
    ax.errorbar(value, place, xerr=2.0 * error, fmt="o", color=colour, markerfacecolor=face, capsize=3)


def _grid(comparison: "Comparison") -> tuple[Figure, np.ndarray]:
    """A figure with a panel for every prior."""
    columns = min(3, len(comparison.rows))
    lines = -(-len(comparison.rows) // columns)
    figure = Plot(figsize=(3.2 * columns, 3.1 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(comparison.rows) :]:
        ax.set_visible(False)
    return figure, axes


def plot_predictions(comparison: "Comparison") -> Figure:
    """Predicted against observed test targets of every prior, first output, all splits."""
    figure, axes = _grid(comparison)
    observed = np.concatenate(comparison.y_test)[:, 0]
    limits = observed.min(), observed.max()
    for ax, row in zip(axes, comparison.rows, strict=False):
        mean, std = np.concatenate(row.test_mean)[:, 0], np.concatenate(row.test_std)[:, 0]
        colour = _NETWORK if row.learns_features else _FEATURE_FREE
        ax.errorbar(observed, mean, yerr=std, fmt=".", color=colour, ecolor="0.85", markersize=4, elinewidth=0.7)
        ax.plot(limits, limits, color="0.4", linewidth=1.0)
        ax.set_title(f"{row.name}\nRMSE {row.rmse:.4g}", fontsize=9)
    figure.supxlabel("observed")
    figure.supylabel("predicted\n(bars: 1 standard deviation)", fontsize=10)
    return figure


def plot_calibration(comparison: "Comparison") -> Figure:
    """How often the most probable class was right against its probability, in groups of equal size, all splits."""
    figure, axes = _grid(comparison)
    observed = np.concatenate(comparison.y_test).argmax(axis=1)
    for ax, row in zip(axes, comparison.rows, strict=False):
        probabilities = np.concatenate(row.test_mean)
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == observed
        groups = np.array_split(np.argsort(confidence), min(10, max(2, len(observed) // 20)))
        x = [confidence[group].mean() for group in groups]
        rate = np.array([right[group].mean() for group in groups])
        error = np.sqrt(rate * (1.0 - rate) / len(groups[0]))
        ax.errorbar(x, rate, yerr=error, fmt="o-", color=_NETWORK if row.learns_features else _FEATURE_FREE, capsize=2)
        ax.plot([0, 1], [0, 1], color="0.4", linewidth=1.0)
        ax.set_title(f"{row.name}\naccuracy {row.accuracy:.3f}", fontsize=9)
    figure.supxlabel("probability of the most probable class")
    figure.supylabel("fraction right\n(bars: 1 standard error)", fontsize=10)
    return figure


def plot_sweep(sweep: "Sweep") -> Figure:
    """Log Bayes factor, test gain and feature information against the width, with two standard errors."""
    panels = [("log_bayes_factor", "mcse", "log Bayes factor\nnetwork : NNGP, nats")]
    if sweep.table.gain.notna().any():
        panels += [("gain", "gain_se", "test lpd over the NNGP,\nnats per test point")]
    panels += [("feature_information", "feature_information_mcse", "feature information, nats")]
    figure = Plot(figsize=(3.6 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels))
    for place, (name, rows) in enumerate(sweep.table.groupby(level="architecture", sort=False)):
        widths = rows.index.get_level_values("width").to_numpy()
        for ax, (value, error, _) in zip(axes, panels, strict=True):
            ax.plot(widths, rows[value], "-", color=f"C{place}", linewidth=1.0)
            for width, row in zip(widths, rows.itertuples(), strict=True):
                face = f"C{place}" if row.reliable else "white"
                bar = 2.0 * getattr(row, error)
                ax.errorbar(width, getattr(row, value), bar, fmt="o", color=f"C{place}", mfc=face, capsize=3)
            ax.plot([], [], "o-", color=f"C{place}", label=name)
    widths = sorted(set(sweep.table.index.get_level_values("width")))
    for ax, (*_, label) in zip(axes, panels, strict=True):
        ax.set_xscale("log", base=2)
        ax.set_xticks(widths, [str(width) for width in widths])
        ax.minorticks_off()
        ax.set(xlabel="width", ylabel=label)
        ax.spines[["top", "right"]].set_visible(False)
        ax.axhline(0.0, color="0.6", linewidth=1.0, zorder=0)
    handles = axes[0].get_legend_handles_labels()[0]
    if not sweep.table.reliable.all():
        handles += axes[0].plot([], [], "o", color="0.3", mfc="white", label="not reliable")
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def plot_learning_curves(curves: "LearningCurves", figure: FigureBase | None = None) -> FigureBase:
    """Test lpd, RMSE and log evidence over the NNGP's (or the first account's) against the number of rows."""
    accounts = list(dict.fromkeys(curves.frame.account))
    baseline = next((name for name in accounts if name.startswith("NNGP")), accounts[0])
    figure = Plot(figsize=(11.0, 3.8), layout="constrained") if figure is None else figure
    axes = figure.subplots(1, 3)
    for place, name in enumerate(accounts):
        own = curves.frame[curves.frame.account == name].set_index(["rows", "repeat"])
        over = curves.frame[curves.frame.account == baseline].set_index(["rows", "repeat"])
        gain = own.log_evidence - over.log_evidence
        error = np.hypot(own.mcse, over.mcse) * float(name != baseline)
        panels = [(own.lpd_test, own.lpd_test_se), (own.rmse, 0.0 * own.rmse), (gain, error)]
        for ax, (values, errors) in zip(axes, panels, strict=True):
            _curve(ax, place, values, errors, own.reliable, name)
    labels = ("test lpd, nats per point", "test RMSE", f"log evidence (- code length)\nover {baseline}, nats")
    ticks = sorted(curves.frame.rows.unique())
    for ax, label in zip(axes, labels, strict=True):
        ax.set_xscale("log")
        ax.set_xticks(ticks, [str(rows) for rows in ticks])
        ax.minorticks_off()
        ax.set(xlabel="training rows", ylabel=label)
        ax.grid(color="0.9")
        ax.spines[["top", "right"]].set_visible(False)
    handles = axes[0].get_legend_handles_labels()[0]
    if not curves.frame.reliable.all():
        handles += axes[0].plot([], [], "o", color="0.3", markerfacecolor="white", label="not reliable")
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False)
    return figure


def _curve(ax: Axes, place: int, values: pd.Series, errors: pd.Series, reliable: pd.Series, name: str) -> None:
    by_rows = values.groupby("rows")
    mean, repeats = by_rows.mean(), by_rows.count()
    error = (by_rows.std() / np.sqrt(repeats)).where(repeats > 1, errors.groupby("rows").mean())
    colour, marker = f"C{place}", "osD^vP*X"[place % 8]
    shift = 1.0 + 0.015 * (place % 5 - 2)  # keeps the bars of different accounts apart
    ax.errorbar(
        mean.index * shift, mean, yerr=2.0 * error, color=colour, marker=marker, capsize=2, linewidth=1.2, label=name
    )
    doubtful = ~reliable.groupby("rows").all()
    ax.plot(mean.index[doubtful] * shift, mean[doubtful], marker, color=colour, markerfacecolor="white", zorder=3)
