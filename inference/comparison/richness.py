"""Rich or lazy: evidence and feature information of a network along the scale of its readout."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial, checked_net, checked_width
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior.fit import checked_likelihood, fit_dataset
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.report.richness_plot import plot_richness
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.priors.architecture_prior import ArchitecturePrior
from bayes_nn.priors.finite_width import BayesianNetwork
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.runtime.progress import ConvergenceWarning
from bayes_nn.runtime.random_keys import checked_key

#: Scales between the NTK's and the mean-field parameterisation's, both included, and how far the grid goes beyond them.
STEPS, BEYOND = 5, 2.0
#: Nats below the highest log evidence that a scale may lie and still count as supported.
SUPPORTED = 2.0


class BestScale(NamedTuple):
    """A scale of highest evidence.

    Attributes:
        gamma: on the grid.
        lower: end of the scales around it whose log evidence is within 2 nats of its own, by linear interpolation in
            log gamma; the end of the grid where it is not left.
        upper: the other end.
        inside: whether the grid was left at both ends, so that the interval is not cut off.

    Example:
        >>> print(BestScale(4.0, 2.5, 5.0, True))
        gamma = 4 (2.5 to 5)
    """

    gamma: float
    lower: float
    upper: float
    inside: bool

    def __str__(self) -> str:
        cut = "" if self.inside else "; the grid of scales cuts it off"
        return f"gamma = {self.gamma:.3g} ({self.lower:.3g} to {self.upper:.3g}{cut})"


@dataclass(frozen=True, eq=False)
class Richness:
    """What the data say about the scale of a network's readout.

    Attributes:
        table: a row for each gamma. Columns: log_evidence and mcse of the network, feature_information and
            feature_information_mcse, nngp_log_evidence and nngp_mcse of the NNGP whose readout has the same scale,
            over_nngp (the log Bayes factor between the two), all in nats, and reliable, whether both can be trusted.
        width: n of the last hidden layer: gamma = sqrt(n) is the mean-field parameterisation.
        name: of the network.

    Example:
        >>> row = dict(log_evidence=-9.0, mcse=0.1, feature_information=2.0, feature_information_mcse=0.1)
        >>> row |= dict(nngp_log_evidence=-9.5, nngp_mcse=0.0, over_nngp=0.5, reliable=True)
        >>> low, index = row | dict(log_evidence=-14.0), pd.Index([1.0, 2.0, 4.0], name="gamma")
        >>> Richness(pd.DataFrame([low, row, low], index=index), 4, "network").best.gamma
        2.0
    """

    table: pd.DataFrame
    width: int
    name: str

    @property
    def best(self) -> BestScale:
        """The scale at which the network's evidence is highest."""
        return _best(self.table.log_evidence)

    @property
    def best_of_nngp(self) -> BestScale:
        """The scale at which the NNGP's evidence is highest: what scale the targets have for a kernel that is fixed."""
        return _best(self.table.nngp_log_evidence)

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """Evidence, with the NNGP's beside it, and feature information against gamma.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.
        """
        return by_backend(plot_richness(self.table, self.width, self.best[:3]), backend)

    def __str__(self) -> str:
        gain = self.table.log_evidence.max() - self.table.nngp_log_evidence.max()
        lines = [
            f"{self.name}: the readout's weight_std divided by gamma (1: NTK, {math.sqrt(self.width):.3g}: mean-field)",
            self.table.round(3).to_string(),
            f"highest evidence of the network: {self.best}",
            f"highest evidence of the NNGP: {self.best_of_nngp}; the network's, at its own, is {gain:+.2f} nats above",
        ]
        doubtful = ", ".join(f"{gamma:.3g}" for gamma in self.table.index[~self.table.reliable])
        lines += [f"NOT RELIABLE at gamma = {doubtful}"] if doubtful else []
        return "\n".join(lines)


def richness(
    net: Serial,
    width: int | tuple[int, ...],
    X: Any,
    y: Any,
    scales: Iterable[float] | None = None,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    sampler: SMC | SMCFirst | None = None,
    max_seconds: float = 120.0,
    duplicates: str = "error",
    progress: bool = True,
) -> Richness:
    """Evidence and feature information along the readout's scale: how far into the rich regime the data want a network.

    The readout's weight_std is divided by gamma. At gamma = 1 the network is that of the NTK parameterisation, lazy
    where it is wide; at sqrt(n) of the mean-field one. The smaller the readout, the more hidden weights have to move to
    fit the same data. (Chizat, Oyallon and Bach 2019, arXiv:1812.07956; Bordelon and Pehlevan 2022, arXiv:2205.09653;
    for training, Atanasov, Meterez, Simon and Pehlevan 2024, arXiv:2410.04642.)

    **Scale and richness are one number here.** A smaller readout also makes the prior's functions smaller, which any
    kernel would feel: the evidence of the NNGP with the same readout is beside each of the network's. A gamma that both
    prefer is the scale of the targets; that the network prefers a richer one than the NNGP, or beats it by more there,
    is about features. Feature information rises with gamma in any case and is no evidence for richness by itself. Where
    the readout's weight_std is inferred, its prior is shifted, and the posterior may undo some of that.

    Args:
        net: the architecture.
        width: of every hidden layer, or one per layer.
        X: inputs, as in :func:`bayes_nn.fit`.
        y: targets, likewise; several outputs share the scale.
        scales: the gammas; when left out 1/2, five in equal ratios from 1 to sqrt(n), and 2 sqrt(n).
        likelihood: ``Gaussian()`` when left out. Feature information is NaN where the readout is not integrated out.
        standardize: as in :func:`bayes_nn.fit`.
        key: a JAX key or an integer seed.
        sampler: as in :func:`bayes_nn.compare`.
        max_seconds: that one fit may take, likewise.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal.

    Returns:
        A table, the best scale with its interval, and a plot. All scales share compiled code.

    Raises:
        ValueError: for bad data or settings, before any fit.

    Warns:
        ConvergenceWarning: if a sampler has not converged.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> few, net = bnn.inference.SMC(particles=8, islands=2), bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> found = richness(net, 4, X, X[:, 0], [1.0, 2.0], bnn.Gaussian(1.0), sampler=few, progress=False)
        >>> found.table.index.to_list()
        [1.0, 2.0]
    """
    n = checked_width(width, checked_net(net).depth)[-1]
    gammas, key = checked_scales(scales, n), checked_key(key)
    if not (sampler is None or isinstance(sampler, SMC | SMCFirst)):
        raise ValueError(f"richness needs evidences: sampler must be inference.SMC(...) or left out; got {sampler!r}")
    settings = SMCFirst(max_seconds=max_seconds) if sampler is None else sampler
    likelihood = checked_likelihood(likelihood).of_targets(y)
    dataset = Dataset.of(X, y, likelihood, standardize, duplicates)
    candidates: list[ArchitecturePrior] = [BayesianNetwork(net, width), NNGP(net)]  # type: ignore[arg-type]
    for prior in candidates:
        prior.check_inputs(dataset.inputs.shape[1:])
        prior.check_targets(likelihood, dataset.targets.shape[1])
    rows = []
    for place, gamma in enumerate(gammas):
        pair = []
        for number, prior in enumerate(candidates):
            title = f"gamma {place + 1}/{len(gammas)}, {prior.name}"
            one = jax.random.fold_in(jax.random.fold_in(key, place), number)
            scaled = prior.with_readout_scale(1.0 / gamma)
            posterior, kept = fit_dataset(scaled, dataset, settings, one, progress=title if progress else False)
            kept.remove()
            for reason in _reasons(posterior):
                warnings.warn(f"{scaled.name}: {reason}", ConvergenceWarning, stacklevel=2)
            pair.append(posterior)
        rows.append(_row(*pair))
    return Richness(pd.DataFrame(rows, index=pd.Index(gammas, name="gamma")), n, candidates[0].name)


def checked_scales(scales: Iterable[float] | None, width: int) -> list[float]:
    """Rising gammas, or the default ones.

    Args:
        scales: as given.
        width: n of the last hidden layer.

    Raises:
        ValueError: if there are fewer than two, or one is not a positive number or given twice.

    Example:
        >>> checked_scales(None, 16)[:2], checked_scales([4, 1], 16)
        ([0.5, 1.0], [1.0, 4.0])
    """
    if scales is None:
        between = np.geomspace(1.0, math.sqrt(width), STEPS) if width > 1 else np.ones(1)
        return [1.0 / BEYOND, *between.tolist(), BEYOND * math.sqrt(width)]
    given = list(scales) if isinstance(scales, Iterable) else [scales]
    numbers = all(isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in given)
    positive = numbers and all(0.0 < one < math.inf for one in given)
    if not positive or len(set(map(float, given))) < max(2, len(given)):
        raise ValueError(f"scales must be at least two different positive numbers, such as [1.0, 2.0]; got {scales!r}")
    return sorted(map(float, given))


def _reasons(posterior: Posterior) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*posterior.log_evidence.reasons, *posterior.convergence.reasons)))


def _row(network: Posterior, nngp: Posterior) -> dict[str, Any]:
    evidence, of_nngp, information = network.log_evidence, nngp.log_evidence, network.feature_information
    return {
        "log_evidence": evidence.value,
        "mcse": evidence.mcse,
        "feature_information": information.value,
        "feature_information_mcse": information.mcse,
        "nngp_log_evidence": of_nngp.value,
        "nngp_mcse": of_nngp.mcse,
        "over_nngp": evidence.value - of_nngp.value,
        "reliable": not _reasons(network) and not _reasons(nngp),
    }


def _best(log_evidence: pd.Series) -> BestScale:
    """The highest of a curve over gamma, and where it falls by ``SUPPORTED`` on either side."""
    log_gamma, below = np.log(log_evidence.index.to_numpy()), log_evidence.to_numpy() - log_evidence.max() + SUPPORTED
    top = int(np.argmax(below))
    ends, inside = [], True
    for path in (range(top, -1, -1), range(top, len(below))):
        outer = next((place for place in path if below[place] < 0.0), None)
        if outer is None:
            inside = False
            ends.append(log_gamma[path[-1]])
            continue
        inner = outer + (1 if outer < top else -1)
        share = below[inner] / (below[inner] - below[outer])
        ends.append(log_gamma[inner] + share * (log_gamma[outer] - log_gamma[inner]))
    lower, upper = (float(np.exp(end)) for end in ends)
    return BestScale(float(log_evidence.index[top]), lower, upper, inside)
