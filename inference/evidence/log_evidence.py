"""Evidence of one prior by the method the user asks for."""

from typing import Any

from jaxtyping import Array

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.evidence.bridge import BridgeSampling
from bayes_nn.inference.evidence.estimator import Estimator
from bayes_nn.inference.evidence.exact import Exact
from bayes_nn.inference.evidence.importance import AdaptiveImportanceEstimator, ImportanceSampling
from bayes_nn.inference.evidence.laplace import Laplace
from bayes_nn.inference.evidence.nested import NestedSampling
from bayes_nn.inference.evidence.quadrature import Quadrature
from bayes_nn.inference.evidence.replica_exchange import ReplicaExchangeEstimator
from bayes_nn.inference.evidence.smc import SMCEstimator
from bayes_nn.inference.evidence.thermodynamic import ThermodynamicIntegration
from bayes_nn.inference.evidence.unbiased_smc import UnbiasedSMC
from bayes_nn.inference.posterior.fit import checked_likelihood, checked_prior
from bayes_nn.inference.problem.evidence import Evidence, exact_evidence, with_approximation
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.problem.repeated_estimates import MAX_SECONDS, TOLERANCE
from bayes_nn.inference.sampling.few_latents.trusted_evidence import trusted_evidence
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.progress import Report, progress_bar
from bayes_nn.runtime.random_keys import checked_key

#: Estimators by the name of their method; to add one, list it here.
ESTIMATORS: dict[str, type[Estimator]] = {
    one.method: one
    for one in (
        Exact,
        SMCEstimator,
        UnbiasedSMC,
        ReplicaExchangeEstimator,
        ThermodynamicIntegration,
        BridgeSampling,
        AdaptiveImportanceEstimator,
        ImportanceSampling,
        NestedSampling,
        Quadrature,
        Laplace,
    )
}


def log_evidence(
    prior: Prior,
    X: Any,
    y: Any,
    method: str | None = None,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    tolerance: float = TOLERANCE,
    max_seconds: float = MAX_SECONDS,
    sampler: str | Sampler | None = None,
    duplicates: str = "error",
    progress: bool = True,
) -> Evidence:
    """Estimate log p(y) in nats, for y on the standardised scale by default.

    Args:
        prior: any of :mod:`bayes_nn.priors`, or :class:`bayes_nn.BayesianNetwork`.
        X: inputs, as in :func:`bayes_nn.fit`.
        y: targets, likewise.
        method: ``"exact"`` (no latents), ``"smc"``, ``"unbiased_smc"`` (all that SMC adapts fixed by a pilot; seldom
            too high, at a guaranteed rate, even where particles miss modes), ``"thermodynamic"`` (SMC, the mean log
            likelihood integrated over the tempering), ``"replica_exchange"`` (where modes are separated: rounds until
            both sides of the evidence, its systems and successive rounds agree), ``"bridge"`` (Markov chains against a
            reference; needs a posterior that is not far from its prior), ``"adaptive_importance"`` (draws from
            a distribution fitted to the posterior; few latents), ``"importance"`` (draws from the prior; few data or
            wide networks), ``"nested"`` (nested slice sampling; at most 100 latents), ``"quadrature"`` (a grid;
            at most 3 latents), ``"laplace"`` (one peak only, an approximation without an error bar, never
            ``reliable``), or None for the sensible one: exact without latents, quadrature where there are at most 3,
            adaptive importance sampling where there are at most 20 and each is a scale, and SMC where there are more or
            these do not trust themselves.
        likelihood: ``Gaussian()`` when left out.
        standardize: as in :func:`bayes_nn.fit`.
        key: a JAX key or an integer seed.
        tolerance: standard error to reach, nats; islands are added until it is, and particles where islands disagree.
        max_seconds: time after which nothing more is begun; one round is always run.
        sampler: settings: ``inference.SMC(...)`` for ``"smc"``, ``"unbiased_smc"`` and ``"thermodynamic"``,
            ``inference.ReplicaExchange(...)``, those of Markov chains for ``"bridge"``; the other methods take none.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal, with the running estimate and its error.

    Returns:
        The evidence. Where a method looks at tolerance and time, ``details["stopped"]`` says whether the tolerance was
        reached or the time was spent.

    Raises:
        ValueError: for bad data or settings, or a method that does not fit the prior.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=50)
        >>> evidence = log_evidence(network, X, X[:, 0], "importance", bnn.Gaussian(0.5))
        >>> evidence.mcse < 0.1 and evidence.reliable
        True
    """
    if method is not None and method not in ESTIMATORS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(map(repr, ESTIMATORS))}")
    if not tolerance > 0.0 or not max_seconds > 0.0:
        raise ValueError(f"tolerance and max_seconds must be positive; got {tolerance} and {max_seconds}")
    key = checked_key(key)
    if not checked_prior(prior).updated:
        raise ValueError(f"{prior.name} has a code length instead of an evidence: use bayes_nn.fit")
    estimator = ESTIMATORS[method or "smc"].of(sampler)
    problem = problem_of(prior, Dataset.of(X, y, checked_likelihood(likelihood), standardize, duplicates))
    with progress_bar(f"evidence of {prior.name}", enabled=progress) as report:
        if method is None and sampler is None:
            found = trusted_evidence(problem, key, tolerance, max_seconds, report)
            if found is not None:
                return found
        return estimate(problem, estimator, key, tolerance, max_seconds, report)


def estimate(
    problem: Problem, estimator: Estimator, key: Array, tolerance: float, max_seconds: float, report: Report
) -> Evidence:
    """The evidence of a problem: exact where there are no latents, else by an estimator.

    Args:
        problem: the posterior.
        estimator: used where there are latents.
        key: random key.
        tolerance: standard error to reach, nats.
        max_seconds: time after which nothing more is begun.
        report: told the running estimate and its error.
    """
    if not problem.latents:
        return exact_evidence(problem)
    return with_approximation(estimator.log_evidence(problem, key, tolerance, max_seconds, report), problem)
