"""Learning curves: evidence and test scores of every account against the number of training rows."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int
from matplotlib.figure import FigureBase

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.comparison.compare import compare_datasets
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.splits import Split
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior.fit import checked_likelihood
from bayes_nn.inference.report.learning_curve_plot import plot_learning_curves
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.priors.ladder import chosen_candidates
from bayes_nn.priors.prior import RUNG_NAMES, Prior
from bayes_nn.runtime.progress import ConvergenceWarning, progress_bar
from bayes_nn.runtime.random_keys import checked_key

#: What the trained ensemble is called in the frame.
ENSEMBLE = "trained ensemble"

Train = Callable[[np.ndarray, np.ndarray, Array], Any]


@dataclass(frozen=True)
class LearningCurves:
    """Scores of every account at every number of training rows.

    The frame is all there is: ``curves.frame.to_csv(path, index=False)`` saves it (or ``to_parquet``), and
    ``LearningCurves(pandas.read_csv(path))`` is the same curves again.

    Attributes:
        frame: one line per account, number of rows and repeat, with the columns account; rows; repeat; log_evidence
            and mcse (nats, of y on the scale fixed by all rows; minus the code lengths of frozen features and of the
            trained ensemble); lpd_test (nats per test point, user's scale) and lpd_test_se; rmse (user's scale; of the
            class probabilities where y is a label); reliable; rung (of the prior, in words).

    Example:
        >>> import bayes_nn as bnn
        >>> task = bnn.tasks.single_index(rows=20, inputs=3, test_rows=50)
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
        >>> curves = learning_curves([bnn.priors.NNGP(net)], *task.data, (5, 20), likelihood=bnn.Gaussian(0.3))
        >>> len(curves.plot().axes)
        3
    """

    frame: pd.DataFrame

    def plot(self, figure: FigureBase | None = None, *, backend: Backend = "matplotlib") -> Any:
        """Test lpd, RMSE and log evidence over the NNGP's (or the first account's) against the number of rows.

        Beside the evidences stands the code length of the trained ensemble with its sign turned.

        Means over repeats with two standard errors: over repeats where there are several, else 2 SE over test points
        and 2 MCSE. Hollow markers are not reliable.

        Args:
            figure: a Matplotlib figure or subfigure to draw into; a new one where left out.
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over, a new one.

        Raises:
            ValueError: for a figure to draw into and "plotly" at once.
        """
        if figure is not None and backend != "matplotlib":
            raise ValueError(f"backend={backend!r} makes a figure of its own: leave out figure")
        accounts = list(dict.fromkeys(self.frame.account))
        baseline = next((name for name in accounts if name.startswith("NNGP")), accounts[0])
        drawn: Any = plot_learning_curves(self._over_repeats(baseline), baseline, figure)
        return drawn if figure is not None else by_backend(drawn, backend)

    def _over_repeats(self, baseline: str) -> pd.DataFrame:
        """Means over repeats with standard errors, by account and rows; gain is the evidence over the baseline's."""
        frame = self.frame.set_index(["account", "rows", "repeat"])
        over = frame.loc[baseline].reindex(frame.index.droplevel("account"))
        frame["gain"] = frame.log_evidence - over.log_evidence.to_numpy()
        itself = frame.index.get_level_values("account") == baseline
        frame["gain_se"] = np.where(itself, 0.0, np.hypot(frame.mcse, over.mcse.to_numpy()))
        frame["rmse_se"] = 0.0 * frame.rmse
        grouped = frame.groupby(level=["account", "rows"], sort=False)
        means, repeats = grouped.mean(numeric_only=True), grouped.size()
        for column in ("lpd_test", "rmse", "gain"):
            spread = grouped[column].std() / np.sqrt(repeats)
            means[f"{column}_se"] = spread.where(repeats > 1, means[f"{column}_se"])
        means["reliable"], means["rung"] = grouped.reliable.all(), grouped.rung.first()
        return means


def learning_curves(
    candidates: Iterable[Prior],
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    sizes: Iterable[int] = (25, 50, 100, 200),
    *,
    ensemble: Train | None = None,
    repeats: int = 1,
    key: int | Array = 0,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    sampler: SMC | None = None,
    duplicates: str = "error",
    progress: bool = True,
) -> LearningCurves:
    """Compare priors on growing parts of the same data: evidence, test lpd and RMSE against the number of rows.

    Each repeat puts the rows into one random order, and size N takes its first N: the log evidences of a repeat are
    then partial sums of one prequential log loss, ``sum_i log p(y_i | y_<i)`` (Dawid 1984, JRSS A 147), and the
    difference between two sizes is what the rows between them cost to predict.

    Args:
        candidates: priors over functions.
        X: training inputs, as in :func:`bayes_nn.compare`.
        y: training targets.
        X_test: test inputs, the same for every size.
        y_test: test targets.
        sizes: numbers of training rows, increasing.
        ensemble: trains one more account, ``ensemble(X, y, key)`` with data as given here; returns an object whose
            ``predict(X_test)`` has ``mean`` and ``log_prob(y_test)``. In the place of its evidence stands minus its
            prequential code length in blocks (Blier and Ollivier 2018, NeurIPS): the rows that a size
            adds are coded by the ensemble trained on those before, the rows of the first size by a normal with the
            moments of y (labels with equal probabilities).
        repeats: random orders of the rows.
        key: a JAX key or an integer seed.
        likelihood: as in :func:`bayes_nn.compare`.
        standardize: bring X and y to mean 0 and standard deviation 1, once and by all training rows given, so that
            evidences of different sizes are of the same numbers.
        sampler: as in :func:`bayes_nn.compare`.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal.

    Returns:
        The scores as a frame, with a plot.

    Raises:
        ValueError: for bad data or settings, before any fit.

    Warns:
        ConvergenceWarning: if a sampler has not converged.

    Example:
        >>> import bayes_nn as bnn
        >>> task = bnn.tasks.single_index(rows=20, inputs=3, test_rows=50)
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
        >>> curves = learning_curves([bnn.priors.NNGP(net)], *task.data, (5, 20), likelihood=bnn.Gaussian(0.3))
        >>> curves.frame.rows.tolist()
        [5, 20]
    """
    named = chosen_candidates(candidates)
    likelihood = checked_likelihood(likelihood).of_targets(y, y_test)
    dataset = Dataset.of(X, y, likelihood, standardize, duplicates)
    tests = dataset.test_pair(X_test, y_test)
    sizes = _checked_sizes(tuple(sizes), repeats, len(dataset))
    key = checked_key(key)
    given, test_given = np.asarray(y), np.asarray(y_test)
    orders = [row_order(key, r, len(dataset)) for r in range(repeats)]
    parts = [(size, r, orders[r][:size]) for size in sizes for r in range(repeats)]
    for *_, part in parts:
        dataset.rows(part).check()
    Y = np.asarray(dataset.Y)
    code = [likelihood.baseline_log_prob(Y[part], Y) for _, _, part in parts[:repeats]]
    lines: list[dict[str, Any]] = []
    with progress_bar("learning curves", enabled=progress) as report:
        for done, (size, repeat, part) in enumerate(parts):
            report(sum(n for n, *_ in parts[:done]) / (repeats * sum(sizes)), f"{size} rows, repeat {repeat + 1}")
            own = jax.random.fold_in(jax.random.fold_in(key, 1 + repeat), size)
            split = Split(dataset.rows(part), *tests)
            scaled = standardize and likelihood.scales_targets
            result = compare_datasets(named, [split], sampler, own, rows=size, standardized=scaled, progress=False)
            scores = _prior_scores(result)
            if ensemble is not None:
                trained = ensemble(dataset.inputs[part], given[part], jax.random.fold_in(own, 1))
                scores[ENSEMBLE] = {
                    "log_evidence": code[repeat],
                    "mcse": float("nan"),
                    **_ensemble_score(trained.predict(tests[0]), test_given, result.y_test[0]),
                    "reliable": not getattr(trained, "reasons", ()),
                    "rung": RUNG_NAMES[None],
                }
                if size < sizes[-1]:
                    added = orders[repeat][size : sizes[sizes.index(size) + 1]]
                    densities = np.asarray(trained.predict(dataset.inputs[added]).log_prob(given[added]))
                    code[repeat] += float(densities.sum() + len(added) * dataset.scale.log_y_std)
            order = [*named, ENSEMBLE] if ensemble is not None else list(named)
            lines += [{"account": name, "rows": size, "repeat": repeat, **scores[name]} for name in order]
            for row in result.rows:
                for reason in row.reasons:
                    message = f"{row.name}, {size} rows, repeat {repeat + 1}: {reason}"
                    warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return LearningCurves(pd.DataFrame(lines))


def row_order(key: Array, repeat: int, rows: int) -> Int[np.ndarray, " N"]:
    """The order in which a repeat takes the rows."""
    return np.asarray(jax.random.permutation(jax.random.fold_in(jax.random.fold_in(key, 0), repeat), rows))


def _prior_scores(result: Comparison) -> dict[str, dict[str, Any]]:
    """Scores of every prior by name."""
    return {
        row.name: {"log_evidence": row.log_evidence, "mcse": row.mcse}
        | _test_scores(row.lpd_test[0], row.test_mean[0] - result.y_test[0])
        | {"reliable": row.reliable, "rung": row.rung_name}
        for row in result.rows
    }


def _ensemble_score(predictive: Any, y_test: np.ndarray, columns: Float[np.ndarray, "T K"]) -> dict[str, Any]:
    """Test scores of a trained ensemble, whose means are compared with the columns of the test targets."""
    errors = np.reshape(predictive.mean, columns.shape) - columns
    return _test_scores(np.asarray(predictive.log_prob(y_test)), errors)


def _test_scores(lpd: Float[np.ndarray, " T"], errors: Float[np.ndarray, "T C"]) -> dict[str, float]:
    error = np.std(lpd, ddof=1) / np.sqrt(len(lpd)) if len(lpd) > 1 else np.inf
    return {
        "lpd_test": float(np.mean(lpd)),
        "lpd_test_se": float(error),
        "rmse": float(np.sqrt(np.mean(errors**2))),
    }


def _checked_sizes(sizes: Sequence[int], repeats: int, rows: int) -> tuple[int, ...]:
    whole = [isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in (*sizes, repeats)]
    if not all(whole) or repeats < 1:
        raise ValueError(f"sizes and repeats must be whole numbers, repeats at least 1; got {sizes} and {repeats}")
    ordered = tuple(int(size) for size in sizes)
    if not ordered or list(ordered) != sorted(set(ordered)) or ordered[0] < 2 or ordered[-1] > rows:
        raise ValueError(f"sizes must increase from at least 2 to at most the {rows} training rows; got {ordered}")
    return ordered
