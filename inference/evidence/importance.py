"""Evidence as a mean weight: of draws from the prior, or from a proposal that was fitted to the posterior.

The effective number of draws from the prior falls like exp(-KL(posterior || prior)) (Chatterjee and Diaconis 2018,
Annals of Applied Probability 28), so that it also says how many frozen hypotheses plain reweighting needs.
"""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from jaxtyping import Array
from scipy.special import logsumexp

from bayes_nn.inference.evidence.estimator import RepeatedEstimator
from bayes_nn.inference.problem.monte_carlo_errors import SMALLEST_EFFECTIVE_DRAWS, log_effective_draws
from bayes_nn.inference.problem.prior_draws import GROUPS, prior_log_likelihoods
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.few_latents.adaptive_importance import AdaptiveImportance
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.progress import Report


@dataclass(frozen=True)
class ImportanceSampling(RepeatedEstimator):
    """The log of the mean likelihood of draws from the prior, in ``GROUPS`` groups.

    Args:
        draws: in each group, at effort 1.

    Example:
        >>> ImportanceSampling().draws
        5000
    """

    method = "importance"
    draws: int = 5_000

    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The log of the mean likelihood in every group."""
        report(0.5, f"{GROUPS * self.draws * effort} draws from the prior")
        log_likelihood = prior_log_likelihoods(problem, key, self.draws * effort)
        log_evidence = logsumexp(log_likelihood, axis=1) - np.log(self.draws * effort)
        effective = np.exp(log_effective_draws(log_likelihood))
        total = float(np.exp(log_effective_draws(log_likelihood.ravel())))
        reasons: tuple[str, ...] = ()
        if total < SMALLEST_EFFECTIVE_DRAWS:
            what = f"only {total:.0f} of {log_likelihood.size} prior draws carry the evidence: use method='smc'"
            reasons = (coded("B209", what),)
        variance = 1.0 / effective - 1.0 / (self.draws * effort)
        return Estimates(log_evidence, variance, reasons, {"effective_draws": total})


@dataclass(frozen=True)
class AdaptiveImportanceEstimator(RepeatedEstimator):
    """The mean weight of every chain of adaptive importance sampling, which is unbiased.

    Args:
        sampler: its settings.

    Example:
        >>> AdaptiveImportanceEstimator().sampler.chains
        4
    """

    method = "adaptive_importance"
    sampler: AdaptiveImportance = field(default_factory=AdaptiveImportance)

    @classmethod
    def of(cls, sampler: Any) -> Self:
        """The estimator with these settings."""
        if sampler is None or sampler == cls.method:
            return cls()
        if not isinstance(sampler, AdaptiveImportance):
            message = "method 'adaptive_importance' takes inference.AdaptiveImportance(...) as its sampler"
            raise ValueError(f"{message}; got {sampler!r}")
        return cls(sampler)

    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The evidence of every chain."""
        return self.sampler.estimate(problem, key, effort, report)
