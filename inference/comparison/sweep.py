"""One question at several architectures and widths: how evidence, gain and feature information depend on them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial, checked_net, checked_width
from bayes_nn.inference.comparison import storage
from bayes_nn.inference.comparison.compare import compare
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.report.page import write_sweep_report
from bayes_nn.inference.report.sweep_plot import plot_sweep
from bayes_nn.inference.verdict.rungs import RUNG_OF_OUTCOME
from bayes_nn.priors.ladder import ladders
from bayes_nn.priors.prior import Prior


@dataclass(frozen=True, eq=False)
class Sweep:
    """Comparisons at several architectures and widths.

    Attributes:
        table: a row for each architecture and width. Columns: log_bayes_factor, network : NNGP, with its Monte-Carlo
            error (mcse), nats; gain, of the network's test lpd over the NNGP's, and gain_over_best, over the best
            feature-free prior's, with paired standard errors (``_se``), nats per test point; feature_information, nats,
            with its Monte-Carlo error (``_mcse``); verdict; reliable, whether all three rows behind it are.
        comparisons: of all widths together, by the name of the architecture.

    Example:
        >>> row = dict(log_bayes_factor=1.0, mcse=0.1, gain=float("nan"), gain_se=float("nan"), reliable=True)
        >>> row |= dict(feature_information=2.0, feature_information_mcse=0.1, verdict="undecided")
        >>> index = pd.MultiIndex.from_tuples([("relu", 4)], names=["architecture", "width"])
        >>> len(Sweep(pd.DataFrame([row], index=index), {}).plot().axes)
        2
    """

    table: pd.DataFrame
    comparisons: dict[str, Comparison]

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """Log Bayes factor, test gain and feature information against the width, a line for every architecture.

        Markers have the colour of the rung that the verdict at that width names.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.
        """
        return by_backend(plot_sweep(self._with_rungs), backend)

    @property
    def _with_rungs(self) -> pd.DataFrame:
        """The table with the rung that every verdict names."""
        return self.table.assign(rung=self.table.verdict.map(RUNG_OF_OUTCOME))

    @property
    def n_train(self) -> int:
        """Training rows of a split."""
        return next(iter(self.comparisons.values())).n_train

    @property
    def outcome(self) -> str:
        """The verdicts in a sentence: how often each came out.

        Example:
            >>> Sweep(pd.DataFrame({"verdict": ["undecided"] * 2 + ["explained by scale"]}), {}).outcome
            'Of 3 architectures and widths: undecided at 2, explained by scale at 1.'
        """
        counts = self.table.verdict.value_counts()
        if len(counts) == 1:
            return f"At {'every width' if len(self.table) > 1 else 'the one width'}: {counts.index[0]}."
        found = ", ".join(f"{verdict} at {count}" for verdict, count in counts.items())
        return f"Of {len(self.table)} architectures and widths: {found}."

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML page and return its path; after a reload it is the same.

        It has the verdict at every width and the comparison of every architecture; ArviZ's diagnostics of the fits are
        on the pages of :attr:`comparisons`.

        Raises:
            OSError: naming the folder and the reason, if it cannot be written.
        """
        pages = {name: comparison.page for name, comparison in self.comparisons.items()}
        table = self._with_rungs.reset_index().to_dict("records")
        return write_sweep_report(self.outcome, table, self.plot(), pages, Path(path))

    def save(self, path: str | Path) -> Path:
        """Write the table and the comparisons, without posteriors, to a NetCDF file and return its path.

        :func:`bayes_nn.load` reads it.

        Raises:
            OSError: naming the folder and the reason, if it cannot be written; the file that was there then stays.
        """
        trees = {name: storage.tree_of(*comparison.kept) for name, comparison in self.comparisons.items()}
        return storage.write_sweep(Path(path), self.table.reset_index().to_dict("records"), trees)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What :meth:`save` wrote.

        Raises:
            ValueError: if the file is damaged, of another version or not a saved sweep.
        """
        records, comparisons = storage.read_sweep(path)
        table = pd.DataFrame(records).set_index(["architecture", "width"])
        return cls(table, {name: Comparison(**found) for name, found in comparisons.items()})

    def __str__(self) -> str:
        return self.table.round(3).to_string()


def sweep(
    nets: Serial | Iterable[Serial],
    widths: Iterable[int],
    X: Any,
    y: Any,
    X_test: Any = None,
    y_test: Any = None,
    key: int | Array = 0,
    **settings: Any,
) -> Sweep:
    """Compare :func:`bayes_nn.ladder` at every architecture and width; what has no width is fitted once.

    Feature information falls like 1/width and the network tends to the NNGP: whether a gain holds over a range of
    widths says more than one width does.

    Args:
        nets: one architecture or several.
        widths: of every hidden layer.
        X: training inputs, as in :func:`bayes_nn.compare`.
        y: training targets.
        X_test: test inputs; without them, and without ``splits``, there are no gains.
        y_test: test targets.
        key: a JAX key or an integer seed.
        settings: likelihood, standardize, splits, sampler, duplicates, checkpoint, progress, client: as in
            :func:`bayes_nn.compare`, which compares all of them at once.

    Returns:
        A table, a plot, and the comparisons behind them.

    Raises:
        ValueError: for bad data or settings, before any fit.

    Warns:
        ConvergenceWarning: if a sampler has not converged.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> few, net = bnn.inference.SMC(particles=8, islands=2), bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> found = sweep(net, [4], X, X[:, 0], likelihood=bnn.Gaussian(1.0), sampler=few, progress=False)
        >>> found.table.index.to_list()
        [('relu, depth=1', 4)]
    """
    named, widths = checked_nets((nets,) if isinstance(nets, Serial) else tuple(nets)), checked_widths(widths)
    groups = {name: ladders([net], widths) for name, net in named.items()}
    candidates = ladders(named.values(), widths)
    whole = compare(candidates, X, y, X_test, y_test, key, **settings)
    # Posteriors come in the order of the candidates.
    names = dict(zip(candidates, whole.posteriors, strict=True))
    comparisons, rows = {}, {}
    for name, own in groups.items():
        comparisons[name] = _part(whole, [names[prior] for prior in own])
        for width in widths:
            rows[name, width] = numbers_of_verdict(
                _part(whole, [names[prior] for prior in own if _is_of(prior, width)])
            )
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["architecture", "width"])
    return Sweep(table, comparisons)


def checked_nets(nets: tuple[Serial, ...]) -> dict[str, Serial]:
    """Architectures by unique name.

    Args:
        nets: one or several.

    Raises:
        ValueError: if there are none, or one is no architecture.
    """
    if not nets:
        raise ValueError("nets is empty: pass at least one architecture, such as bayes_nn.mlp(depth=2)")
    named: dict[str, Serial] = {}
    for net in map(checked_net, nets):
        repeats = sum(other.name == net.name for other in named.values())
        named[net.name if not repeats else f"{net.name} #{repeats + 1}"] = net
    return named


def checked_widths(widths: Iterable[int]) -> list[int]:
    """Widths without repeats.

    Args:
        widths: of every hidden layer.

    Raises:
        ValueError: if there are none, or one is no positive integer.

    Example:
        >>> checked_widths([16, 64, 16])
        [16, 64]
    """
    checked = list(dict.fromkeys(checked_width(width, 1)[0] for width in widths))
    if not checked:
        raise ValueError("widths is empty: pass at least one, such as [16, 64]")
    return checked


def _is_of(prior: Prior, width: int) -> bool:
    """Whether a prior belongs to a row of the table: those that have a width, to that of the row alone."""
    widths = getattr(prior, "widths", ())
    return not widths or set(widths) == {width}


def _part(whole: Comparison, names: list[str]) -> Comparison:
    """The comparison of some of the priors."""
    rows = [row for row in whole.rows if row.name in names]
    return replace(whole, rows=rows, posteriors={name: whole.posteriors[name] for name in names})


def numbers_of_verdict(comparison: Comparison) -> dict[str, Any]:
    """A row of the table of a sweep, by column.

    Args:
        comparison: at one architecture and width.
    """
    verdict = comparison.verdict
    judged = {verdict.network, verdict.nngp, verdict.best_feature_free}
    return {
        "log_bayes_factor": verdict.log_bayes_factor,
        "mcse": verdict.log_bayes_factor_error,
        "gain": verdict.gain,
        "gain_se": verdict.gain_error,
        "gain_over_best": verdict.gain_over_best,
        "gain_over_best_se": verdict.gain_over_best_error,
        "feature_information": verdict.feature_information,
        "feature_information_mcse": verdict.feature_information_mcse,
        "verdict": verdict.outcome,
        "reliable": all(row.reliable for row in comparison.rows if row.name in judged),
    }
