"""What a comparison knows of one prior."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from bayes_nn.inference.posterior.tempering_plot import plot_tempering


@dataclass(frozen=True)
class PriorResult:
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
        degrees_of_freedom_by_split: of ``mcse_by_split``, infinite where the error rests on no few repeats; empty in
            files of earlier versions.
        unbiased: whether the mean of exp(log evidence) is the evidence itself, in every split.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> (row,) = bnn.compare([nngp], X, X[:, 0], likelihood=bnn.Gaussian(0.3)).rows
        >>> row.kind, row.method, row.reliable
        ('NNGP', 'exact', True)
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
    degrees_of_freedom_by_split: tuple[float, ...] = ()
    unbiased: bool = False

    @property
    def log_evidence(self) -> float:
        """Mean over splits, nats."""
        return float(np.mean(self.log_evidence_by_split))

    @property
    def mcse(self) -> float:
        """Monte-Carlo standard error of :attr:`log_evidence`, nats."""
        return float(np.sqrt(np.sum(np.square(self.mcse_by_split))) / len(self.mcse_by_split))

    @property
    def degrees_of_freedom(self) -> float:
        """Of :attr:`mcse`, by the formula of Welch (1947, Biometrika 34) and Satterthwaite."""
        degrees = self.degrees_of_freedom_by_split or (float("inf"),) * len(self.mcse_by_split)
        squares = np.square(self.mcse_by_split)
        shares = float(np.sum(squares**2 / np.array(degrees)))
        return float(np.sum(squares)) ** 2 / shares if shares > 0.0 else float("inf")

    @property
    def reliable(self) -> bool:
        """Whether no diagnostic failed."""
        return not self.reasons

    def plot_tempering(self) -> Figure:
        """The way from the prior to the posterior in the fit of the first split, after a reload as well.

        Raises:
            ValueError: if its sampler took none; see ``plot_tempering`` of the posterior.
        """
        return plot_tempering(self.details, self.name, self.learns_features)
