"""What the features of one network learnt, in one figure."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.after_kernel import AfterKernel, after_kernel
from bayes_nn.inference.alignment import KernelAlignment, centred, kernel_alignment
from bayes_nn.inference.neuron_use import NeuronUse, neuron_use

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_nn.inference.posterior import Posterior

_BEFORE, _AFTER = "#2b6a99", "#c44e1b"


def plot_features(
    posterior: "Posterior", X_test: Any = None, y_test: Any = None, key: int | Array = 0, *, progress: bool = True
) -> "Figure":
    """The kernel before and after the data, its alignments, and, with test data, the use of single neurons.

    Kernels are centred and their rows ordered by the first output, so that a kernel that has turned towards the
    targets is large in two corners and small in the other two.

    Args:
        posterior: of a network, with Gaussian noise.
        X_test: test inputs, or None.
        y_test: test targets, or None.
        key: a JAX key or an integer seed.
        progress: show progress bars on a terminal.

    Raises:
        ValueError: for another prior or likelihood, or bad test data.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, X[:, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50))
        >>> plot_features(posterior).savefig("features.png")  # doctest: +SKIP
    """
    after = after_kernel(posterior, X_test, y_test, progress=progress)
    aligned = kernel_alignment(posterior, key, progress=progress)
    tested = X_test is not None
    use = neuron_use(posterior, X_test, y_test, key=key, progress=progress) if tested else None
    return draw_features(posterior, after, aligned, use)


def draw_features(
    posterior: "Posterior", after: AfterKernel, aligned: KernelAlignment, use: NeuronUse | None = None
) -> "Figure":
    """:func:`plot_features` of what has been computed."""
    from bayes_nn.inference.plots import Plot

    tested = use is not None
    figure = Plot(figsize=(14.5 if tested else 11.0, 3.6), layout="constrained")
    axes = figure.subplots(1, 4 if tested else 3, width_ratios=[1.0, 1.0, 1.25, 1.1][: 4 if tested else 3])
    order = np.argsort(np.asarray(posterior.target.Y)[:, 0])
    _plot_kernels(figure, axes[:2], after, order)
    _plot_alignment(axes[2], aligned)
    if use is not None:
        _plot_use(axes[3], use)
    figure.suptitle(posterior.target.prior.name, fontsize=11)
    return figure


def _plot_kernels(figure: "Figure", axes: np.ndarray, after: AfterKernel, order: np.ndarray) -> None:
    """Both kernels on one scale of colours, cut at the largest entries."""
    kernels = [np.asarray(centred(jnp.asarray(K)))[np.ix_(order, order)] for K in (after.before.K, after.K)]
    limit = float(np.quantile(np.abs(kernels), 0.99))
    for ax, K, title, one in zip(axes, kernels, ("before", "after"), (after.before, after), strict=True):
        image = ax.imshow(K, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set_title(f"kernel {title}\nlog evidence {one.log_evidence.value:.1f} nats", fontsize=10)
        ax.set(xticks=[], yticks=[], xlabel="rows, by rising y")
    figure.colorbar(image, ax=list(axes), shrink=0.75, extend="both")


def _plot_alignment(ax: "Axes", aligned: KernelAlignment) -> None:
    """Averages (error bars: 2 MCSE) on bars one standard deviation over draws long."""
    rows = [
        ("with y, before", aligned.before, _BEFORE),
        ("with y, after", aligned.after, _AFTER),
        ("with the NNGP, before", aligned.prior_to_prior, _BEFORE),
        ("with the NNGP, after", aligned.prior_to_posterior, _AFTER),
    ]
    for place, (_, average, colour) in enumerate(rows):
        low, high = average.value - average.std, average.value + average.std
        ax.plot([low, high], [place, place], color=colour, alpha=0.25, linewidth=9, solid_capstyle="butt")
        ax.errorbar(average.value, place, xerr=2.0 * average.mcse, fmt="o", color=colour, markersize=5, capsize=3)
    ax.axvline(aligned.infinite_width.value, color="0.6", linewidth=1.0, linestyle="--", zorder=0)
    ax.text(aligned.infinite_width.value, 3.45, " NNGP with y", fontsize=8, color="0.4")
    ax.set(yticks=range(len(rows)), yticklabels=[name for name, *_ in rows], xlim=(0.0, 1.0))
    ax.set_title("centred kernel alignment", fontsize=10)
    ax.set_xlabel("bars: 2 MCSE; bands: 1 std over draws")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    _tidy(ax, "x")
    ax.tick_params(axis="y", length=0)


def _plot_use(ax: "Axes", use: NeuronUse) -> None:
    from matplotlib.ticker import MaxNLocator

    rank = np.arange(1, use.use.shape[1] + 1)
    low, high = np.quantile(use.use, [0.1, 0.9], axis=0)
    ax.fill_between(rank, low, high, color=_AFTER, alpha=0.25, linewidth=0, step="mid")
    ax.step(rank, use.profile, where="mid", color=_AFTER)
    ax.axhline(0.0, color="0.6", linewidth=1.0, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    effective = use.effective_neurons.value
    ax.set_title(f"use of single neurons\neffectively {effective:.1f} of {len(rank)} used", fontsize=10)
    ax.set_xlabel("neurons of layer 0, most used first\n(band: 80 % of draws)")
    ax.set_ylabel("lpd lost if redrawn\n(nats per test point)")
    _tidy(ax, "y")


def _tidy(ax: "Axes", grid: str) -> None:
    ax.grid(axis=grid, color="0.9")  # type: ignore[arg-type]
    ax.spines[["top", "right"]].set_visible(False)
