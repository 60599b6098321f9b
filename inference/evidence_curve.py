"""Evidence of the first rows, of more and of all of them, in one pass of SMC that adds rows as it goes."""

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from bayes_nn.inference.evidence import Evidence, combine_islands
from bayes_nn.inference.fit import checked_likelihood, prepare
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.update import Rows, Update, follow, refuse_dependent_rows
from bayes_nn.likelihood import Gaussian, Likelihood
from bayes_nn.parallel import map_islands
from bayes_nn.priors.gaussian_process import leave_one_out_log_densities
from bayes_nn.priors.prior import Prior
from bayes_nn.progress import progress_bar
from bayes_nn.random_keys import checked_key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Shares of the rows whose evidence is found where the user names none.
FRACTIONS = (0.125, 0.25, 0.5, 0.75, 1.0)


class LeaveOneOut(NamedTuple):
    """Predictive density of every row given all others.

    Attributes:
        elpd: summed over the rows, nats.
        se: its standard error over rows.
        pareto_k: largest shape of the tail of the importance weights; above 0.7 the figure is not to be trusted.
    """

    elpd: float
    se: float
    pareto_k: float


@dataclass(frozen=True)
class EvidenceCurve:
    """How the code length of the data grows with their number.

    Attributes:
        name: of the prior.
        sizes: numbers of rows, rising; the last is all of them.
        increments: log evidence, nats, of every batch of rows given those before it, by island, (S, islands).
        variances: of each, as far as its weights tell.
        loo: leave-one-out scores at each size.
        reasons: why not to trust the evidences; empty if none.
    """

    name: str
    sizes: tuple[int, ...]
    increments: Float[np.ndarray, "S I"]
    variances: Float[np.ndarray, "S I"]
    loo: tuple[LeaveOneOut, ...]
    reasons: tuple[str, ...] = ()

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
        if self.increments.shape[1] == 1:
            return Evidence(float(islands[0]), 0.0, "exact", not self.reasons, self.reasons)
        value, mcse, doubts = combine_islands(islands, variances)
        reasons = tuple(dict.fromkeys(self.reasons + doubts))
        return Evidence(value, mcse, "smc", not reasons, reasons, {"log_evidence_by_island": islands.tolist()})

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
            "pareto_k": [one.pareto_k for one in self.loo],
        }
        return pd.DataFrame(columns, index=pd.Index(self.sizes, name="rows"))

    def plot(self) -> "Figure":
        """Code length and leave-one-out loss per row against the number of rows, with two standard errors."""
        from bayes_nn.inference.plots import Plot

        table, sizes = self.table, np.array(self.sizes)
        figure = Plot(figsize=(6.0, 3.6), layout="constrained")
        axes = figure.subplots()
        rows_before = np.array((0, *self.sizes[:-1]))
        added = sizes - rows_before
        axes.errorbar(
            (sizes + rows_before) / 2, -table.conditional / added, 2.0 * table.conditional_mcse / added, added / 2,
            fmt="o", label="code length of the rows added",
        )  # fmt: skip
        axes.plot(sizes, -table.log_evidence / sizes, "s-", label="code length of all rows so far")
        axes.plot(sizes, -table.elpd_loo / sizes, "^--", label="leave-one-out loss of all rows so far")
        axes.set(xlabel="rows", ylabel="nats per row", title=self.name)
        axes.legend(frameon=False, fontsize=8)
        return figure

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
    likelihood = checked_likelihood(likelihood)
    if not (sampler is None or isinstance(sampler, SMC)):
        raise ValueError(f"sampler must be inference.SMC(...) or left out; got {sampler!r}")
    target, _ = prepare(prior, X, y, likelihood, standardize, duplicates)
    if not prior.updated:
        raise ValueError(f"{prior.name} has a code length instead of an evidence: use inference.learning_curves")
    refuse_dependent_rows(target)
    stops = checked_sizes(sizes, len(target.Y))
    key_order, key_start, key_run = jax.random.split(checked_key(key), 3)
    order = jax.random.permutation(key_order, len(target.Y)) if shuffle else jnp.arange(len(target.Y))
    rows = [
        Rows(target.X[order], target.Y[order], prior, target.likelihood, (jnp.arange(len(order)) < size).astype(float))
        for size in (0, *stops)
    ]
    if not target.latents:
        values = np.array([float(one.log_likelihood(jnp.zeros(0))) for one in rows])
        increments = np.diff(values)[:, None]
        loo = tuple(_leave_one_out(one, jnp.zeros((1, 1, 0)), size) for one, size in zip(rows[1:], stops, strict=True))
        return EvidenceCurve(prior.name, stops, increments, 0.0 * increments, loo)
    settings = sampler or SMC()
    begin, end = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
    updates = [Update(pair, begin, end) for pair in itertools.pairwise(rows)]
    start = np.asarray(target.sample_prior(key_start, (settings.islands, settings.particles)))
    with progress_bar(f"evidence curve of {prior.name}", enabled=progress) as report:
        runs = follow(updates, start, settings, key_run, report)
        ends = zip(rows[1:], runs, stops, strict=True)
        loo = tuple(_leave_one_out(one, jnp.asarray(run.u), size) for one, run, size in ends)
    increments, variances = (
        np.array([run.evidence.details[f"{what}_by_island"] for run in runs]) for what in ("log_evidence", "variance")
    )
    reasons = tuple(dict.fromkeys(reason for run in runs for reason in run.evidence.reasons))
    return EvidenceCurve(prior.name, stops, increments, variances, loo, reasons)


def checked_sizes(sizes: Any, rows: int) -> tuple[int, ...]:
    """Rising numbers of rows that end with all of them.

    Raises:
        ValueError: if they are neither fractions nor numbers of rows, or do not rise.
    """
    given = np.atleast_1d(np.asarray(sizes, dtype=float))
    numbers = np.round(given * rows) if (given <= 1.0).all() else given
    stops = tuple(dict.fromkeys(int(number) for number in numbers)) if given.ndim == 1 else ()
    if not len(stops) or (np.diff(stops) <= 0).any() or stops[0] < 1 or stops[-1] > rows:
        raise ValueError(f"sizes must be rising numbers between 1 and {rows}, or fractions of the rows; got {sizes!r}")
    return stops if stops[-1] == rows else (*stops, rows)


@jax.jit
def _pointwise(target: Rows, u: Float[Array, "I P D"]) -> Float[Array, "I P N"]:
    """``log p(y_i | y_-i, z)`` where f is integrated out, ``log p(y_i | z)`` where it is not."""

    def one(target: Rows, u: Float[Array, " D"]) -> Float[Array, " N"]:
        values = target.values(u)
        process = target.prior.process(values, target.X)
        if isinstance(target.likelihood, Gaussian):
            variance = target.likelihood.noise_variance(values)
            return leave_one_out_log_densities(process, target.Y, variance, target.seen)
        return target.likelihood.log_prob(values, target.Y, process.function(values[target.prior.function_site]))

    return map_islands(lambda shared, own: jax.lax.map(partial(one, shared), own), len(u))(target, u)


def _leave_one_out(target: Rows, u: Float[Array, "I P D"], size: int) -> LeaveOneOut:
    """By Pareto-smoothed importance sampling over z.

    Since ``p(z | y_-i)`` is proportional to ``p(z | y) / p(y_i | y_-i, z)``, weights from densities with f integrated
    out are lighter in the tail than those given f (Vehtari et al. 2016, JMLR 17, section 3.6).
    """
    pointwise = np.asarray(_pointwise(target, u))[..., :size]
    if pointwise.shape[:2] == (1, 1):
        values = pointwise[0, 0]
        return LeaveOneOut(float(values.sum()), float(np.sqrt(size) * values.std()), 0.0)
    tree = az.from_dict({"posterior": {"number": np.zeros(pointwise.shape[:2])}, "log_likelihood": {"y": pointwise}})
    loo: Any = az.loo(tree, var_name="y", reff=1.0)
    return LeaveOneOut(float(loo.elpd), float(loo.se), float(loo.pareto_k.max()))
