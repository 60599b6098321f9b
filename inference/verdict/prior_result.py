"""What a comparison knows of one prior."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior.tempering_plot import plot_tempering
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.verdict.evidence_bounds import evidence_bounds
from bayes_nn.priors.prior import RUNG_NAMES

#: Method of the score of frozen features, which is no evidence.
CODE_LENGTH = "code length"


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
        rung: of the ladder of priors, 0 to 3; None for priors on none.
        mixes_inputs: whether z may pick any direction of the inputs, and not only single inputs.
        bounds_by_split: how low and how high the evidence may be in every split, nats; empty in files of earlier
            versions.
        caveat: how the prior differs from what it describes; empty where it does not.
        nats_on_scale: spent on the overall scale of the kernel, mean over splits; for networks a lower bound.
        nats_on_shape: spent on its shape, an upper bound; NaN where that is not known.
        nats_on_shape_mcse: its Monte-Carlo error.
        lpd_mcse_by_split: Monte-Carlo error of the mean log predictive density in every split, nats per test point;
            empty without test data.
        noise_notes: what in the first split contradicts Gaussian noise, by kind; empty where nothing does.

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
    rung: int | None = None
    mixes_inputs: bool = False
    bounds_by_split: tuple[tuple[float, float], ...] = ()
    lpd_mcse_by_split: tuple[float, ...] = ()
    caveat: str = ""
    nats_on_scale: float = 0.0
    nats_on_shape: float = float("nan")
    nats_on_shape_mcse: float = float("nan")
    noise_notes: dict[str, str] = field(default_factory=dict)

    @property
    def rung_name(self) -> str:
        """The rung in words, as :attr:`bayes_nn.priors.Prior.rung_name`."""
        return RUNG_NAMES[3 if self.learns_features else self.rung]

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
        squares = np.square(self.mcse_by_split)
        shares = float(np.sum(squares**2 / np.array(self._degrees)))
        return float(np.sum(squares)) ** 2 / shares if shares > 0.0 else float("inf")

    @property
    def bounds(self) -> tuple[float, float]:
        """How low and how high :attr:`log_evidence` may be, nats."""
        pairs = self.bounds_by_split or [
            evidence_bounds(Evidence(value, mcse, self.method, self.reliable, degrees_of_freedom=degrees))
            for value, mcse, degrees in zip(self.log_evidence_by_split, self.mcse_by_split, self._degrees, strict=True)
        ]
        low, high = np.mean(pairs, axis=0)
        return float(low), float(high)

    @property
    def lpd_mcse(self) -> float:
        """Monte-Carlo error of the mean log predictive density over all splits, nats per test point."""
        return float(np.sqrt(np.sum(np.square(self.lpd_mcse_by_split))) / max(len(self.lpd_mcse_by_split), 1))

    @property
    def evidence_reasons(self) -> tuple[str, ...]:
        """Those of :attr:`reasons` that concern the evidence alone."""
        return tuple(reason for reason in self.reasons if reason not in self.sampler_reasons)

    @property
    def has_comparable_evidence(self) -> bool:
        """Whether the evidence is log p(y) under a prior that has not seen y: no code length and no approximation."""
        return not (self.peeks or self.approximation or self.method == CODE_LENGTH)

    @property
    def reliable(self) -> bool:
        """Whether no diagnostic failed."""
        return not self.reasons

    @property
    def _degrees(self) -> tuple[float, ...]:
        return self.degrees_of_freedom_by_split or (float("inf"),) * len(self.mcse_by_split)

    def plot_tempering(self, *, backend: Backend = "matplotlib") -> Any:
        """The way from the prior to the posterior in the fit of the first split, after a reload as well.

        Raises:
            ValueError: if its sampler took none; see ``plot_tempering`` of the posterior.
        """
        return by_backend(plot_tempering(self.details, self.name, self.rung_name), backend)
