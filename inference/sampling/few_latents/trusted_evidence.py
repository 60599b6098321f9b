"""The evidence where latents are few, by the method that can be trusted: a grid, or else weighted draws."""

from functools import partial

import jax
from jaxtyping import Array

from bayes_nn.inference.problem.evidence import Evidence, exact_evidence, with_approximation
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import MAX_SECONDS, TOLERANCE, Estimates, repeat_estimates
from bayes_nn.inference.sampling.few_latents.adaptive_importance import AdaptiveImportance, has_few_latents
from bayes_nn.inference.sampling.few_latents.quadrature import quadrature_where_reliable
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.runtime.progress import Report


def trusted_evidence(
    problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
) -> Evidence | None:
    """The evidence by quadrature, or by adaptive importance sampling; None where neither trusts itself.

    Args:
        problem: the posterior.
        key: random key.
        tolerance: standard error to reach, nats.
        max_seconds: that each may take.
        report: told the fraction that is done.
    """
    found = quadrature_where_reliable(problem, key, report, max_seconds)
    if found is not None or not problem.latents or not has_few_latents(problem):
        return found
    settings, own = AdaptiveImportance(), jax.random.fold_in(key, 3)

    def estimate(key: Array, effort: int, report: Report) -> Estimates:
        return settings.estimate(problem, key, effort, report)

    # Where the first round is not trusted, more of the same seldom is.
    found = repeat_estimates(estimate, settings.name, own, tolerance, max_seconds, report, give_up=True)
    return with_approximation(found, problem) if found.reliable else None


def default_evidence(problem: Problem, key: Array, report: Report) -> Evidence:
    """The evidence where no method is asked for: exact without latents, as above where they are few, else by SMC.

    Args:
        problem: the posterior.
        key: random key.
        report: told the running estimate and its error.
    """
    if not problem.latents:
        return exact_evidence(problem)
    found = trusted_evidence(problem, key, TOLERANCE, MAX_SECONDS, report)
    if found is not None:
        return found
    estimate = partial(SMC().estimate, problem)
    return with_approximation(repeat_estimates(estimate, SMC.name, key, TOLERANCE, MAX_SECONDS, report), problem)
