"""The result of a comparison: one row per prior, the table, the verdict, plots, report and file."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.special import logsumexp

from bayes_nn.data.scores import paired_difference
from bayes_nn.inference.comparison import storage
from bayes_nn.inference.comparison.page_of import page_of, sections_of
from bayes_nn.inference.comparison.plots import evidence_of_rows, predictions_of_rows, waterfall_of_shares
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.features.after_kernel import after_kernel
from bayes_nn.inference.features.alignment import kernel_alignment
from bayes_nn.inference.features.feature_record import feature_record
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.report.diagnostic_plots import plot_diagnostics
from bayes_nn.inference.report.fit_section import FitSection
from bayes_nn.inference.report.page import Page, write_report
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.inference.verdict.html import comparison_html
from bayes_nn.inference.verdict.judge import LEVEL, MARGIN, judge
from bayes_nn.inference.verdict.mixture import describe_mixture, feature_free_mixture
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.verdict import Verdict
from bayes_nn.priors.finite_width import BayesianNetwork


@dataclass(frozen=True)
class Comparison:
    """Several priors on the same data, best evidence first: what :func:`bayes_nn.compare` returns.

    Attributes:
        rows: one per prior.
        y_test: targets of the test points, one array (T, C) per split, user's scale; labels as one column per class.
        n_train: training rows of a split.
        standardized: whether the evidence is that of the standardised y.
        settings: what the comparison was run with, for the report.
        posteriors: the posteriors of the first split by row name; of these :attr:`fit_records` alone are saved to file.
        X_test: the test inputs of the first split, None without; not saved to file.
        sampler: what the fits were made with; not saved to file.
        provenance: seed, priors, likelihood, other settings, versions, and a digest of the data.
        records: those of a file, where the posteriors are not at hand.
        feature_arrays: likewise.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> priors = [bnn.priors.NNGP(net), bnn.priors.NTK(net, output_scale=1.0)]
        >>> result = bnn.compare(priors, X[:30], X[:30, 0], X[30:], X[30:, 0], likelihood=bnn.Gaussian(0.1))
        >>> list(result.table.columns)[:4]
        ['log_evidence', 'mcse', 'log_bayes_factor', 'probability']
        >>> result.verdict.outcome
        'undecided'
    """

    rows: list[PriorResult]
    y_test: list[Float[np.ndarray, "T C"]]
    n_train: int
    standardized: bool
    settings: dict[str, Any]
    posteriors: dict[str, Posterior] = field(default_factory=dict, repr=False, compare=False)
    X_test: Any = field(default=None, repr=False, compare=False)
    sampler: Sampler | None = field(default=None, repr=False, compare=False)
    provenance: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    records: dict[str, xr.DataTree] = field(default_factory=dict, repr=False, compare=False)
    feature_arrays: xr.Dataset | None = field(default=None, repr=False, compare=False)

    @property
    def test_to_train(self) -> float:
        """Test rows over training rows of a split."""
        return len(self.y_test[0]) / self.n_train if self.y_test else 0.0

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per prior, best evidence first.

        Columns: log_evidence and mcse (nats); log_bayes_factor against the first row; probability (equal prior odds
        among the rows whose evidences can be compared: no code lengths, no approximations, and no priors made from the
        data); lpd_test (nats per test point) and lpd_test_se; rmse (user's scale), and accuracy where y is a label;
        feature_information (nats); seconds; reliable.
        """
        evidence = np.array([row.log_evidence for row in self.rows])
        honest = np.array([row.has_comparable_evidence for row in self.rows])
        tested = [np.concatenate(row.lpd_test) if row.lpd_test else np.array([np.nan]) for row in self.rows]
        zeros, ratio = [np.zeros_like(points) for points in self.rows[0].lpd_test], self.test_to_train
        errors = [paired_difference(row.lpd_test, zeros, ratio)[1] if zeros else np.nan for row in self.rows]
        columns = {
            "log_evidence": evidence,
            "mcse": [row.mcse for row in self.rows],
            "log_bayes_factor": evidence - evidence[0],
            "probability": np.exp(evidence - logsumexp(evidence, b=honest)) * np.where(honest, 1.0, np.nan),
            "lpd_test": [points.mean() for points in tested],
            "lpd_test_se": errors,
            "rmse": [row.rmse for row in self.rows],
            **({"accuracy": [row.accuracy for row in self.rows]} if self.rows[0].accuracy is not None else {}),
            "feature_information": [row.feature_information for row in self.rows],
            "seconds": [row.seconds for row in self.rows],
            "reliable": [row.reliable for row in self.rows],
        }
        return pd.DataFrame(columns, index=pd.Index([row.name for row in self.rows], name="prior"))

    @cached_property
    def verdict(self) -> Verdict:
        """Which account of the network's generalisation the data support."""
        return self.judge()

    def judge(self, *, margin: float = MARGIN, level: float = LEVEL) -> Verdict:
        """:attr:`verdict` with another margin or level.

        Args:
            margin: nats per test point up to which a gain does not matter.
            level: rate at which hidden features may be called for falsely.

        Raises:
            ValueError: for a negative margin, or a level not between 0 and 1.
        """
        vectors = bool(self.settings.get("vectors", True))
        return judge(self.rows, self.n_train, margin=margin, level=level, vectors=vectors)

    @cached_property
    def feature_free(self) -> PriorResult | None:
        """All feature-free priors as one, mixed with equal weights; None for fewer than two.

        Its ``details["weights"]`` are their posterior probabilities.
        """
        return feature_free_mixture(self.rows)

    def plot_evidence(self, *, backend: Backend = "matplotlib") -> Any:
        """Evidence and test score of every prior with two standard errors, best first.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.

        Raises:
            ValueError: for another backend.
            ImportError: without Plotly, saying what to install.
        """
        scale = "standardised y" if self.standardized else "y as given"
        return by_backend(evidence_of_rows(self.rows, self.test_to_train, scale), backend)

    def plot_waterfall(self, *, backend: Backend = "matplotlib") -> Any:
        """What every rung of the ladder of priors recovers of the network's gain over the NNGP.

        Args:
            backend: as in :meth:`plot_evidence`, which raises the same.

        Raises:
            ValueError: without test data, or where the table lacks an NNGP or a Bayesian network.
        """
        return by_backend(waterfall_of_shares(self.verdict.shares, self.rows), backend)

    def plot_predictions(self, *, backend: Backend = "matplotlib") -> Any:
        """Predicted against observed test numbers, of the first output, by prior; of labels, their calibration.

        Args:
            backend: as in :meth:`plot_evidence`, which raises the same.

        Raises:
            ValueError: without test data.
        """
        if not self.y_test:
            raise ValueError("there are no test data: pass X_test and y_test, or splits=5")
        return by_backend(predictions_of_rows(self.rows, np.concatenate(self.y_test)), backend)

    def plot_diagnostics(self, prior: str, which: str = "rank_dist", *, backend: Backend = "matplotlib") -> Any:
        """One of ArviZ's figures of the draws of the first split, after a reload as well.

        Args:
            prior: the name of a row.
            which: as in :meth:`bayes_nn.Posterior.plot_diagnostics`, which raises the same.
            backend: likewise.

        Raises:
            ValueError: for a name that no row has.
        """
        rows = {row.name: row for row in self.rows}
        if prior not in rows:
            raise ValueError(f"there is no prior {prior!r}; choose from {', '.join(rows)}")
        return plot_diagnostics(sections_of([rows[prior]], self.fit_records)[0], which, backend)

    @cached_property
    def _sections(self) -> list[FitSection]:
        return sections_of(self.rows, self.fit_records)

    @cached_property
    def fit_records(self) -> dict[str, xr.DataTree]:
        """What diagnostics need of the draws of the first split, by row name, as ArviZ reads it; saved to file."""
        return {name: posterior.record for name, posterior in self.posteriors.items()} or self.records

    @cached_property
    def features(self) -> xr.Dataset | None:
        """What the features of the judged network became, under Gaussian noise; None elsewhere. Saved to file."""
        network = self.posteriors.get(self.verdict.network)
        if network is None:
            return self.feature_arrays
        if not isinstance(network.prior, BayesianNetwork) or not network.dataset.likelihood.conjugate:
            return None
        tests = (self.X_test, self.y_test[0]) if self.y_test else (None, None)
        after = after_kernel(network, *tests, progress=False)
        return feature_record(network, after, kernel_alignment(network, progress=False))

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML page and return its path; after a reload it is the same.

        For readers in a hurry it has the outcome and the waterfall, for users the table, predictions and features, for
        statisticians ArviZ's diagnostics of every fit of the first split.
        """
        return write_report(self.page, Path(path))

    @property
    def page(self) -> Page:
        """What the report shows, its own figures drawn anew, whose layout may move when one is saved twice."""
        return page_of(
            self.rows,
            self.table,
            self.verdict,
            self._sections,
            self.features,
            self.feature_free,
            {
                "waterfall": self.plot_waterfall() if self.verdict.shares else None,
                "evidence": self.plot_evidence(),
                "predictions": self.plot_predictions() if self.y_test else None,
            },
            settings=self.settings,
            provenance=self.provenance,
            n_train=self.n_train,
            standardized=self.standardized,
        )

    def save(self, path: str | Path) -> Path:
        """Write everything but the posteriors to a NetCDF file and return its path; :func:`bayes_nn.load` reads it.

        Of the posteriors it keeps :attr:`fit_records`, which is what the report shows of them.

        Raises:
            OSError: naming the folder and the reason, if it cannot be written; the file that was there then stays.
        """
        return storage.write(Path(path), *self.kept)

    @property
    def kept(self) -> tuple[Any, ...]:
        """What a file has of it: the arguments of :func:`bayes_nn.inference.comparison.storage.tree_of`."""
        what = self.rows, self.y_test, self.n_train, self.standardized, self.settings, self.provenance
        return *what, str(self.verdict), self.fit_records, self.features

    def __str__(self) -> str:
        parts = self.table.round(3).to_string(), describe_mixture(self.feature_free), str(self.verdict)
        return "\n".join(filter(None, parts))

    def _repr_html_(self) -> str:
        return comparison_html(self.table, self.rows, describe_mixture(self.feature_free), self.verdict)
