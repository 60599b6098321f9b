"""Transfer: what the hidden layers learn from one task is worth for another, in nats."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayes_nn.data.checks import in_order_of
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.data.scale import Scale
from bayes_nn.inference.evidence.log_evidence import estimate
from bayes_nn.inference.evidence.smc import SMCEstimator
from bayes_nn.inference.posterior.fit import checked_likelihood, checked_prior
from bayes_nn.inference.problem.data_tempering import DataTempering
from bayes_nn.inference.problem.evidence import Evidence, exact_evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.problem.repeated_estimates import MAX_SECONDS, TOLERANCE, Estimates, repeat_estimates
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.progress import Report, progress_bar
from bayes_nn.runtime.random_keys import checked_key


@dataclass(frozen=True)
class Transfer:
    """``log p(y_b | y_a) - log p(y_b)``: how much better task b is predicted after task a has been seen.

    Attributes:
        value: nats; positive where a helps. It is symmetric in the tasks, being their mutual information density.
        mcse: Monte-Carlo standard error.
        alone: log p(y_b), y_b standardised by default.
        after: log p(y_b | y_a).
        reliable: whether both can be trusted.
        reasons: why not.

    Example:
        >>> print(Transfer(2.5, 0.1, Evidence(-30.0, 0.1, "smc"), Evidence(-27.5, 0.1, "smc"), True))
        transfer +2.500 +- 0.100 nats
    """

    value: float
    mcse: float
    alone: Evidence
    after: Evidence
    reliable: bool
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        trust = "" if self.reliable else f"  NOT RELIABLE: {'; '.join(self.reasons)}"
        return f"transfer {self.value:+.3f} +- {self.mcse:.3f} nats{trust}"


def transfer(
    prior: Prior,
    task_a: tuple[Any, Any],
    task_b: tuple[Any, Any],
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    tolerance: float = 2.0 * TOLERANCE,
    max_seconds: float = 2.0 * MAX_SECONDS,
    sampler: SMC | None = None,
    duplicates: str = "error",
    progress: bool = True,
) -> Transfer:
    """How much task a tells about task b when the hidden layers are shared and the readouts independent.

    A Gaussian process with fixed hyperparameters has nothing to share: its two functions are independent, and the
    transfer is 0. Inferred standard deviations are shared, so kernel priors too gain a little by knowing them.

    Args:
        prior: any prior over functions with an evidence.
        task_a: inputs and targets (X, y) of the task seen first.
        task_b: those of the other, with as many input columns.
        likelihood: ``Gaussian()`` when left out; its noise is shared.
        standardize: inputs by the rows of both tasks together, the targets of each by themselves.
        key: a JAX key or an integer seed.
        tolerance: standard error to reach, nats.
        max_seconds: time after which nothing more is begun.
        sampler: settings of SMC.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal.

    Raises:
        ValueError: for bad data or settings, or labels, whose readout is not integrated out.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> transfer(nngp, (X[:20], X[:20, 0]), (X[20:], X[20:, 1]), bnn.Gaussian(0.3)).value
        0.0
    """
    likelihood = checked_likelihood(likelihood)
    if not likelihood.conjugate:
        raise ValueError("transfer needs Gaussian noise, under which the readouts are integrated out")
    if not (sampler is None or isinstance(sampler, SMC)):
        raise ValueError(f"sampler must be inference.SMC(...) or left out; got {sampler!r}")
    if not tolerance > 0.0 or not max_seconds > 0.0:
        raise ValueError(f"tolerance and max_seconds must be positive; got {tolerance} and {max_seconds}")
    parts = _both(checked_prior(prior), task_a, task_b, likelihood, standardize, duplicates)
    if not prior.updated:
        raise ValueError(f"{prior.name} is never updated by the data, so nothing can be transferred")
    settings, keys = sampler or SMC(), jax.random.split(checked_key(key))
    if not parts[0].latents:
        alone = exact_evidence(parts[1])
        return Transfer(0.0, 0.0, alone, alone, True)

    def second_given_first(key: Array, effort: int, report: Report) -> Estimates:
        return _second_given_first(parts, settings, key, effort, report)

    with progress_bar(f"transfer, {prior.name}", enabled=progress) as report:
        limits = tolerance / np.sqrt(2.0), max_seconds / 2.0
        alone = estimate(parts[1], SMCEstimator(settings), keys[0], *limits, report)
        after = repeat_estimates(second_given_first, "smc", keys[1], *limits, report)
    reasons = tuple(f"alone: {reason}" for reason in alone.reasons) + tuple(f"after: {one}" for one in after.reasons)
    error = float(np.hypot(alone.mcse, after.mcse))
    return Transfer(after.value - alone.value, error, alone, after, not reasons, reasons)


def _both(
    prior: Prior, task_a: tuple, task_b: tuple, likelihood: Likelihood, standardize: bool, duplicates: str
) -> tuple[Problem, Problem]:
    """Both tasks as problems, their inputs on one scale.

    Raises:
        ValueError: naming the task that is at fault.
    """
    checked: list[Dataset] = []
    for name, task in (("task_a", task_a), ("task_b", task_b)):
        if not isinstance(task, tuple | list) or len(task) != 2:
            raise ValueError(f"{name} must be a pair (X, y)")
        try:
            X = in_order_of(task[0], checked[0].columns, "X") if checked else task[0]
            checked.append(Dataset.of(X, task[1], likelihood, standardize, duplicates))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    a, b = checked
    if a.inputs.shape[1:] != b.inputs.shape[1:]:
        raise ValueError(
            f"the tasks have inputs of shapes {a.inputs.shape[1:]} and {b.inputs.shape[1:]}: they must be alike"
        )
    common = Scale.of(np.concatenate([a.inputs, b.inputs]), a.targets, standardize)
    first, second = (
        problem_of(prior, one.with_scale(replace(one.scale, x_mean=common.x_mean, x_std=common.x_std)))
        for one in (a, b)
    )
    if not first.independent_rows:
        raise ValueError(f"{prior.name} is a model of all rows together: fit it to each part of the data instead")
    return first, second


def _second_given_first(
    parts: tuple[Problem, Problem], settings: SMC, key: Array, effort: int, report: Report
) -> Estimates:
    """``log p(y_b | y_a)`` by SMC from the prior to the posterior of a, and from there to that of both."""
    from bayes_nn.inference.sampling.smc_run import follow

    key_start, key_run = jax.random.split(key)
    settings = replace(settings, particles=settings.particles * effort)
    start = np.asarray(parts[0].sample_prior(key_start, (settings.islands, settings.particles)))
    to_first = DataTempering(parts[:1], jnp.array([0.0]), jnp.array([1.0]))
    to_both = DataTempering(parts, jnp.array([1.0, 0.0]), jnp.array([1.0, 1.0]))
    runs = follow([to_first, to_both], start, settings, key_run, report)
    reasons = tuple(dict.fromkeys(reason for run in runs for reason in run.evidence.reasons))
    details = runs[-1].evidence.details
    log_evidence, variance = (np.array(details[f"{name}_by_island"]) for name in ("log_evidence", "variance"))
    return Estimates(log_evidence, variance, reasons, details)
