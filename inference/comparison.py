"""The result of a comparison: one row per prior, the table, the verdict, plots, report and file."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import logsumexp

from bayes_nn.inference.verdict import Verdict, judge, paired_difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayes_nn.inference.posterior import Posterior


@dataclass(frozen=True)
class Row:
    """What a comparison knows of one prior.

    Attributes:
        name: unique among the candidates.
        kind: the class of the prior.
        learns_features: whether the data update hidden weights.
        has_hidden_weights: whether there are any, updated or frozen.
        log_evidence_by_split: nats, one per split.
        mcse_by_split: Monte-Carlo standard errors, one per split.
        method: how the evidence was obtained.
        reasons: why the evidence or the sampler is not reliable; empty where both are.
        lpd_test: log predictive density of every test point, one array per split, nats, user's scale;
            empty without test data.
        test_mean: predictive means, one array (T, C) per split, user's scale.
        test_std: predictive standard deviations, likewise.
        rmse: over all test points, user's scale; of the class probabilities where y is a label.
        feature_information: nats, mean over splits; NaN where the readout is sampled.
        feature_information_mcse: its error.
        seconds: wall time of the fits.
        details: what the evidence method reported for the first split.
        accuracy: fraction of test points whose most probable class is right; None where y is no label.
        sampler_reasons: those of ``reasons`` that concern the sampler, and so the predictions.
        peeks: whether the prior was made from the data: its evidence ranks nothing and is given no probability.
        approximation: what makes the evidence approximate; empty where it is not.
    """

    name: str
    kind: str
    learns_features: bool
    has_hidden_weights: bool
    log_evidence_by_split: tuple[float, ...]
    mcse_by_split: tuple[float, ...]
    method: str
    reasons: tuple[str, ...]
    lpd_test: list[Float[np.ndarray, " T"]]
    test_mean: list[Float[np.ndarray, "T C"]]
    test_std: list[Float[np.ndarray, "T C"]]
    rmse: float
    feature_information: float
    feature_information_mcse: float
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)
    accuracy: float | None = None
    sampler_reasons: tuple[str, ...] = ()
    peeks: bool = False
    approximation: str = ""

    @property
    def log_evidence(self) -> float:
        """Mean over splits, nats."""
        return float(np.mean(self.log_evidence_by_split))

    @property
    def mcse(self) -> float:
        """Monte-Carlo standard error of :attr:`log_evidence`, nats."""
        return float(np.sqrt(np.sum(np.square(self.mcse_by_split))) / len(self.mcse_by_split))

    @property
    def reliable(self) -> bool:
        """Whether no diagnostic failed."""
        return not self.reasons


@dataclass(frozen=True)
class Comparison:
    """Several priors on the same data, best evidence first.

    Attributes:
        rows: one per prior.
        y_test: targets of the test points, one array (T, C) per split, user's scale; labels as one column per class.
        n_train: training rows of a split.
        standardized: whether the evidence is that of the standardised y.
        settings: what the comparison was run with, for the report.
        posteriors: the posteriors of the first split by row name; not saved to file.
        X_test: the test inputs of the first split, None without; not saved to file.
    """

    rows: list[Row]
    y_test: list[Float[np.ndarray, "T C"]]
    n_train: int
    standardized: bool
    settings: dict[str, Any]
    posteriors: dict[str, "Posterior"] = field(default_factory=dict, repr=False, compare=False)
    X_test: Any = field(default=None, repr=False, compare=False)

    @property
    def test_to_train(self) -> float:
        """Test rows over training rows of a split."""
        return len(self.y_test[0]) / self.n_train if self.y_test else 0.0

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per prior, best evidence first.

        Columns: log_evidence and mcse (nats); log_bayes_factor against the first row; probability (equal prior odds
        among the rows not made from the data); lpd_test (nats per test point) and lpd_test_se; rmse (user's scale), and
        accuracy where y is a label; feature_information (nats); seconds; reliable.
        """
        evidence = np.array([row.log_evidence for row in self.rows])
        honest = np.array([not row.peeks for row in self.rows])
        tested = [np.concatenate(row.lpd_test) if row.lpd_test else np.array([np.nan]) for row in self.rows]
        zeros = [[np.zeros_like(points) for points in row.lpd_test] for row in self.rows]
        errors = [
            paired_difference(row.lpd_test, zero, self.test_to_train)[1] if row.lpd_test else np.nan
            for row, zero in zip(self.rows, zeros, strict=True)
        ]
        columns = {
            "log_evidence": evidence,
            "mcse": [row.mcse for row in self.rows],
            "log_bayes_factor": evidence - evidence[0],
            "probability": np.exp(evidence - logsumexp(evidence[honest])) * np.where(honest, 1.0, np.nan),
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
        return judge(self)

    def plot_evidence(self) -> "Figure":
        """Evidence and test score of every prior with two standard errors, best first."""
        from bayes_nn.inference.plots import plot_evidence

        return plot_evidence(self)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML page and return its path.

        What the features of the judged network became is on it where its posterior is at hand, that is not after a
        reload, and under Gaussian noise.
        """
        from bayes_nn.inference.report import write_report

        return write_report(self, Path(path))

    def save(self, path: str | Path) -> Path:
        """Write everything but the posteriors to a NetCDF file and return its path; :func:`bayes_nn.load` reads it."""
        from bayes_nn.inference.storage import save

        return save(self, Path(path))

    def __str__(self) -> str:
        return f"{self.table.round(3).to_string()}\n{self.verdict}"
