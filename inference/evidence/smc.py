"""Evidence by sequential Monte Carlo: the product of the mean weights on the way from the prior to the posterior."""

from dataclasses import dataclass, field
from typing import Any, Self

from jaxtyping import Array

from bayes_nn.inference.evidence.estimator import RepeatedEstimator
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.runtime.progress import Report


@dataclass(frozen=True)
class SMCEstimator(RepeatedEstimator):
    """The product of mean weights of SMC, whose Z is unbiased in every island (Del Moral, Doucet and Jasra 2006).

    Args:
        sampler: settings of SMC.

    Example:
        >>> SMCEstimator.of(SMC(particles=64)).sampler.particles
        64
    """

    method = "smc"
    sampler: SMC = field(default_factory=SMC)

    @classmethod
    def of(cls, sampler: Any) -> Self:
        """The estimator with these settings of SMC."""
        if sampler is None or sampler == "smc":
            return cls()
        if not isinstance(sampler, SMC):
            raise ValueError(f"method {cls.method!r} takes inference.SMC(...) as its sampler; got {sampler!r}")
        return cls(sampler)

    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The evidence of every island of one run."""
        return self.sampler.estimate(problem, key, effort, report)
