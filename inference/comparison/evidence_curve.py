"""Evidence of the first rows, of more and of all of them, in one pass of SMC that adds rows as it goes."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.comparison.leave_one_out import LeaveOneOut, leave_one_out
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior.fit import checked_likelihood, checked_prior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.data_tempering import DataTempering
from bayes_nn.inference.problem.evidence import (
    Evidence,
    adaptation_bias,
    combine_islands,
    degrees_between,
    exact_evidence,
    with_approximation,
)
from bayes_nn.inference.problem.partly_observed import PartlyObserved
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.report.evidence_plot import plot_evidence_curve
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.priors.prior import RUNG_NAMES, Prior
from bayes_nn.runtime.progress import progress_bar
from bayes_nn.runtime.random_keys import checked_key

#: Shares of the rows whose evidence is found where the user names none.
FRACTIONS = (0.125, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class EvidenceCurve:
    """How the code length of the data grows with their number.

    Attributes:
        name: of the prior.
        sizes: numbers of rows, rising; the last is all of them.
        increments: log evidence, nats, of every batch of rows given those before it, by island, (S, islands); a single
            column where it is exact.
        variances: of each, as far as its weights tell.
        loo: leave-one-out scores at each size.
        reasons: why not to trust the evidences; empty if none.
        exact: whether there was nothing to sample, the prior having no latents.
        method: how the evidences were obtained.
        rung: of the prior, in words.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> curve = evidence_curve(nngp, X, X[:, 0], [10, 40], bnn.Gaussian(0.3))
        >>> curve.table.index.tolist()
        [10, 40]
    """

    name: str
    sizes: tuple[int, ...]
    increments: Float[np.ndarray, "S I"]
    variances: Float[np.ndarray, "S I"]
    loo: tuple[LeaveOneOut, ...]
    reasons: tuple[str, ...] = ()
    exact: bool = False
    method: str = "smc"
    rung: str = RUNG_NAMES[None]

    def conditional(self, first: int, last: int | None = None) -> Evidence:
        """Conditional evidence ``log p(y_(first+1..last) | y_(1..first))``, nats (Lotfi et al. 2022, arXiv:2202.11678).

        It judges a prior by what it predicts after it has seen some rows, which forgives a prior that is only vague.

        Args:
            first: one of the sizes, or 0 for the evidence itself.
            last: a larger one; all rows when left out.

        Raises:
            ValueError: for numbers of rows that were not stopped at.
        """
        ends = (0, *self.sizes)
        last = self.sizes[-1] if last is None else last
        if first not in ends or last not in ends or first >= last:
            raise ValueError(f"first < last must be among {ends}; got {first} and {last}")
        part = slice(ends.index(first), ends.index(last))
        islands, variances = self.increments[part].sum(axis=0), self.variances[part].sum(axis=0)
        if self.exact:
            return Evidence(float(islands[0]), 0.0, self.method)
        value, mcse, of_islands = combine_islands(islands, variances)
        mcse = float(np.hypot(mcse, adaptation_bias(islands, variances)))
        reasons = tuple(dict.fromkeys(self.reasons + of_islands))
        details = {"log_evidence_by_island": islands.tolist()}
        degrees = degrees_between(len(islands))
        return Evidence(value, mcse, self.method, not reasons, reasons, details, degrees_of_freedom=degrees)

    @property
    def table(self) -> pd.DataFrame:
        """One row per size: the evidence so far, that of the rows added given those before, and leave-one-out."""
        whole = [self.conditional(0, size) for size in self.sizes]
        added = [self.conditional(first, last) for first, last in zip((0, *self.sizes), self.sizes, strict=False)]
        columns = {
            "log_evidence": [one.value for one in whole],
            "mcse": [one.mcse for one in whole],
            "conditional": [one.value for one in added],
            "conditional_mcse": [one.mcse for one in added],
            "elpd_loo": [one.elpd for one in self.loo],
            "elpd_loo_se": [one.se for one in self.loo],
            "elpd_loo_mcse": [one.mcse for one in self.loo],
            "pareto_k": [one.pareto_k for one in self.loo],
        }
        return pd.DataFrame(columns, index=pd.Index(self.sizes, name="rows"))

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """Code length and leave-one-out loss per row against the number of rows, with two standard errors.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.
        """
        table = self.table.assign(rows_before=(0, *self.sizes[:-1]))
        return by_backend(plot_evidence_curve(table, self.name, self.rung), backend)

    def __str__(self) -> str:
        text = f"{self.name}\n{self.table.round(3).to_string()}"
        return text if not self.reasons else f"{text}\nNOT RELIABLE: {'; '.join(self.reasons)}"


def evidence_curve(
    prior: Prior,
    X: Any,
    y: Any,
    sizes: Any = FRACTIONS,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    shuffle: bool = True,
    sampler: SMC | None = None,
    duplicates: str = "error",
    progress: bool = True,
) -> EvidenceCurve:
    """The evidence of several fractions of the data in one pass, with leave-one-out scores beside it.

    SMC goes from the prior to the posterior of the first rows, from there to that of more rows (Chopin 2002, Biometrika
    89), and so on. Differences of its evidences are conditional evidences.

    Args:
        prior: any prior with an evidence.
        X: inputs, as in :func:`bayes_nn.fit`.
        y: targets, likewise; the scale of all rows is used throughout.
        sizes: numbers of rows, or fractions of them, rising; all rows are added where they are missing.
        likelihood: ``Gaussian()`` when left out.
        standardize: as in :func:`bayes_nn.fit`.
        key: a JAX key or an integer seed.
        shuffle: bring the rows into a random order first; without, they are added in the order given.
        sampler: settings of SMC.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal.

    Returns:
        The curve, with a table, a plot, and the conditional evidence of any part given an earlier one.

    Raises:
        ValueError: for bad data or settings.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> curve = evidence_curve(nngp, X, X[:, 0], [10, 40], bnn.Gaussian(0.3))
        >>> curve.conditional(10).method
        'exact'
    """
    from bayes_nn.inference.sampling.smc_run import follow

    likelihood = checked_likelihood(likelihood)
    if not (sampler is None or isinstance(sampler, SMC)):
        raise ValueError(f"sampler must be inference.SMC(...) or left out; got {sampler!r}")
    dataset = Dataset.of(X, y, likelihood, standardize, duplicates)
    if not checked_prior(prior).updated:
        raise ValueError(f"{prior.name} has a code length instead of an evidence: use inference.learning_curves")
    stops = checked_sizes(sizes, len(dataset))
    key_order, key_start, key_run = jax.random.split(checked_key(key), 3)
    if shuffle:
        dataset = dataset.rows(np.asarray(jax.random.permutation(key_order, len(dataset))))
    problem = problem_of(prior, dataset)
    if not isinstance(problem, CollapsedProblem):
        raise ValueError(f"{prior.name} is a model of all rows together: fit it to each part of the data instead")
    parts = [PartlyObserved.of_rows(problem, (jnp.arange(len(dataset)) < size).astype(float)) for size in (0, *stops)]
    if not problem.latents:
        values = [exact_evidence(part) for part in parts]
        increments = np.diff([one.value for one in values])[:, None]
        nothing = jnp.zeros((1, 1, 0))
        loo = tuple(leave_one_out(part, nothing, size) for part, size in zip(parts[1:], stops, strict=True))
        known: Any = {"method": values[-1].method, "rung": prior.rung_name}
        return EvidenceCurve(prior.name, stops, increments, 0.0 * increments, loo, exact=True, **known)
    settings = sampler or SMC()
    begin, end = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
    paths = [DataTempering(pair, begin, end) for pair in itertools.pairwise(parts)]
    start = np.asarray(problem.sample_prior(key_start, (settings.islands, settings.particles)))
    with progress_bar(f"evidence curve of {prior.name}", enabled=progress) as report:
        runs = follow(paths, start, settings, key_run, report)
        ends = zip(parts[1:], runs, stops, strict=True)
        loo = tuple(leave_one_out(part, jnp.asarray(run.u), size) for part, run, size in ends)
    increments, variances = (
        np.array([run.evidence.details[f"{what}_by_island"] for run in runs]) for what in ("log_evidence", "variance")
    )
    reasons = tuple(dict.fromkeys(reason for run in runs for reason in run.evidence.reasons))
    method = with_approximation(runs[-1].evidence, problem).method
    return EvidenceCurve(prior.name, stops, increments, variances, loo, reasons, method=method, rung=prior.rung_name)


def checked_sizes(sizes: Any, rows: int) -> tuple[int, ...]:
    """Rising numbers of rows that end with all of them.

    Raises:
        ValueError: if they are neither fractions nor numbers of rows, or do not rise.
    """
    sizes = list(sizes) if isinstance(sizes, Iterable) else sizes
    given = np.atleast_1d(np.asarray(sizes, dtype=float))
    numbers = np.round(given * rows) if (given <= 1.0).all() else given
    stops = tuple(dict.fromkeys(int(number) for number in numbers)) if given.ndim == 1 else ()
    if not len(stops) or (np.diff(stops) <= 0).any() or stops[0] < 1 or stops[-1] > rows:
        raise ValueError(f"sizes must be rising numbers between 1 and {rows}, or fractions of the rows; got {sizes!r}")
    return stops if stops[-1] == rows else (*stops, rows)
