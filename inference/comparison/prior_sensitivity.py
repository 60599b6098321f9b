"""Whether a comparison hangs on how wide the priors of the standard deviations are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array
from scipy import stats

from bayes_nn.architecture.widened import widened
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior.changed_prior import Change, refitted, reweighted, summed_error
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.report.sensitivity_plot import plot_sensitivity
from bayes_nn.inference.verdict.evidence_bounds import COVERAGE
from bayes_nn.inference.verdict.judge import LEVEL, MARGIN
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.verdict import Verdict
from bayes_nn.priors.prior import Latents
from bayes_nn.runtime.random_keys import checked_key


@dataclass(frozen=True)
class PriorSensitivity:
    """What :func:`prior_sensitivity` found.

    Attributes:
        changes: one row per site, factor and prior: change (of the log evidence, nats), mcse, pareto_k (NaN where
            nothing was weighted), source (``"draws"``, ``"refit"`` or ``"not affected"``), reliable, rung (in words).
        table: one row per site and factor: log_e_value and outcome of the verdict then, largest_k, reliable, and the
            change of every prior, nats.
        verdict: as it was.
        splits: of the comparison.
        level: rate at which hidden features may be called for falsely.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(30, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> found = prior_sensitivity(bnn.compare([nngp], X, X[:, 0], likelihood=bnn.Gaussian(0.3), splits=0))
        >>> print(found)
        No standard deviation is inferred: there is no prior to change.
    """

    changes: pd.DataFrame
    table: pd.DataFrame
    verdict: Verdict
    splits: int
    level: float

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """The log e-value under every changed prior, and the change of every log evidence.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.

        Raises:
            ValueError: if no standard deviation is inferred.
        """
        if self.table.empty:
            raise ValueError("no standard deviation is inferred: there is no prior to change")
        needed = float(np.log(1.0 / self.level))
        return by_backend(plot_sensitivity(self.table, self.changes, self.verdict.log_e_value, needed), backend)

    def __str__(self) -> str:
        if self.table.empty:
            return "No standard deviation is inferred: there is no prior to change."
        was = self.verdict
        others = self.table[self.table.outcome != was.outcome]
        lines = [
            f"Priors of standard deviations, log std spread by a factor about its median. As given: {was.outcome}, "
            f"log e-value {was.log_e_value:+.2f}. Changes of the log evidence in nats:",
            self.table.round(2).to_string(),
            "The outcome is the same under all of them."
            if others.empty
            else "The outcome differs: "
            + "; ".join(f"{row.outcome} with {site} x {factor:g}" for (site, factor), row in others.iterrows())
            + ".",
            "Test predictions are those under the priors as given.",
        ]
        if self.splits > 1:
            lines.append(f"Changes are those of the first of {self.splits} splits, taken for all.")
        failed = self.changes[~self.changes.reliable.astype(bool)]
        lines += [
            f"NOT RELIABLE: {name} with {site} x {factor:g}, "
            + (f"Pareto k {row.pareto_k:.2f}: pass refit=True" if row.source == "draws" else "fitted again")
            for (site, factor, name), row in failed.iterrows()
        ]
        return "\n".join(lines)


class _Found(NamedTuple):
    """How the log evidence of a row changes, and how that is known."""

    change: Change
    source: str


NOT_AFFECTED = _Found(Change(0.0), "not affected")


def prior_sensitivity(
    result: Comparison,
    factors: Iterable[float] = (0.5, 2.0),
    *,
    refit: bool = False,
    margin: float = MARGIN,
    level: float = LEVEL,
    key: int | Array = 0,
    progress: bool = True,
) -> PriorSensitivity:
    """What the evidences and the verdict become where the prior of an inferred standard deviation is wider or narrower.

    One standard deviation at a time, in all priors of the comparison that infer it: they share it by its name
    (``weight_std_0``, ..., ``noise_std``). Its prior is spread by a factor about its median
    (:func:`bayes_nn.architecture.widened.widened`). Evidences change by importance weights on the draws at hand,
    ``log Z'/Z = log E_post[p'(std) / p(std)]``; test predictions are kept. Where there are several splits, whose
    training rows are mostly the same, the change in the first one is taken for all, and its error counts once, not once
    a split.

    A prior that does not infer the standard deviation, since it is a number or shared with another layer, does not
    change, nor does a NumPyro model, whose latents may depend on each other.

    Args:
        result: a comparison whose posteriors are at hand, which they are not after a reload.
        factors: that log std is spread by.
        refit: fit again, with the sampler of the comparison, where the draws do not carry over to the changed prior.
        margin: as in ``Comparison.judge``.
        level: likewise.
        key: a JAX key or an integer seed, for refits.
        progress: show progress bars of refits on a terminal.

    Returns:
        Tables, a plot, and the same in words.

    Raises:
        ValueError: for a comparison without posteriors, a factor that is not positive, or a prior of a standard
            deviation that leaves out some positive numbers.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(30, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> settings = bnn.inference.SMC(particles=64, islands=2)
        >>> result = bnn.compare([nngp], X, X[:, 0], splits=0, sampler=settings)
        >>> list(prior_sensitivity(result).table.index)
        [('noise_std', 0.5), ('noise_std', 2.0)]
    """
    if not result.posteriors:
        raise ValueError("the posteriors are not at hand, since files do not keep them: compare again")
    key, factors = checked_key(key), tuple(factors)
    names = [row.name for row in result.rows]
    stds = {name: _stds(result.posteriors[name]) for name in names}
    cases = [(site, float(factor)) for site in dict.fromkeys(site for own in stds.values() for site in own)
             for factor in factors]  # fmt: skip
    # Refuses what cannot be widened before anything is fitted again.
    priors = {(*case, name): widened(stds[name][case[0]], case[1])
              for case in cases for name in names if case[0] in stds[name]}  # fmt: skip
    table, changes = [], []
    for case in cases:
        found = dict.fromkeys(names, NOT_AFFECTED)
        for name in (name for name in names if (*case, name) in priors):
            key, own_key = jax.random.split(key)
            title = f"{name}, {case[0]} x {case[1]:g}" if progress else False
            change = reweighted(result.posteriors[name], {case[0]: priors[*case, name]})
            found[name] = _Found(change, "draws")
            if refit and change.reasons:
                again = refitted(
                    result.posteriors[name], {case[0]: priors[*case, name]}, result.sampler, own_key, progress=title
                )
                found[name] = _Found(again._replace(pareto_k=change.pareto_k), "refit")
        verdict = replace(result, rows=[_shifted(row, found[row.name]) for row in result.rows]).judge(
            margin=margin, level=level
        )
        table.append(_summary(verdict, found))
        changes += [_line(found[row.name]) | {"rung": row.rung_name} for row in result.rows]
    index = pd.MultiIndex.from_tuples(cases, names=["site", "factor"])
    each = pd.MultiIndex.from_tuples(
        [(*case, name) for case in cases for name in names], names=["site", "factor", "prior"]
    )
    return PriorSensitivity(
        pd.DataFrame(changes, each, columns=["change", "mcse", "pareto_k", "source", "reliable", "rung"]),
        pd.DataFrame(table, index, columns=["log_e_value", "outcome", "largest_k", "reliable", *names]),
        result.judge(margin=margin, level=level),
        len(result.rows[0].log_evidence_by_split),
        level,
    )


def _stds(posterior: Posterior) -> Latents:
    """Priors of the standard deviations that a posterior infers, by site name."""
    if not isinstance(posterior.problem, CollapsedProblem):
        return {}
    return {
        site: prior
        for site, prior in posterior.problem.hyperparameters.items()
        if "std" in site.split("_") and not prior.event_shape
    }


def _summary(verdict: Verdict, found: dict[str, _Found]) -> dict[str, object]:
    """A row of the table."""
    return {
        "log_e_value": verdict.log_e_value,
        "outcome": verdict.outcome,
        "largest_k": max(one.change.pareto_k for one in found.values() if one is not NOT_AFFECTED),
        "reliable": not any(one.change.reasons for one in found.values()),
        **{name: one.change.nats for name, one in found.items()},
    }


def _line(found: _Found) -> dict[str, object]:
    """A row of the changes."""
    change, source = found
    return {
        "change": change.nats,
        "mcse": change.mcse,
        "pareto_k": change.pareto_k,
        "source": source,
        "reliable": not change.reasons,
    }


def _shifted(row: PriorResult, found: _Found) -> PriorResult:
    """The row of a prior whose evidence changed by so much in every split, by the same draws."""
    if found is NOT_AFFECTED:
        return row
    change, splits = found.change, len(row.log_evidence_by_split)
    known = row.degrees_of_freedom_by_split or (float("inf"),) * splits
    # Errors of splits are taken to be independent further on, so that one that they share is made larger beforehand.
    own = splits**0.5 * change.mcse, change.degrees_of_freedom
    errors = [summed_error(error, own) for error in zip(row.mcse_by_split, known, strict=True)]
    reach = change.mcse * float(stats.t.ppf(0.5 + 0.5 * COVERAGE, change.degrees_of_freedom))
    bounds = row.bounds_by_split or (row.bounds,) * splits
    return replace(
        row,
        log_evidence_by_split=tuple(value + change.nats for value in row.log_evidence_by_split),
        mcse_by_split=tuple(mcse for mcse, _ in errors),
        degrees_of_freedom_by_split=tuple(degrees for _, degrees in errors),
        bounds_by_split=tuple((low + change.nats - reach, high + change.nats + reach) for low, high in bounds),
        unbiased=False,
        reasons=tuple(dict.fromkeys((*row.reasons, *change.reasons))),
    )
