"""Exact evidence, of Gaussian processes without latents."""

from dataclasses import dataclass

from jaxtyping import Array

from bayes_nn.inference.evidence.estimator import Estimator
from bayes_nn.inference.problem.evidence import Evidence, exact_evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.progress import Report


@dataclass(frozen=True)
class Exact(Estimator):
    """The log density of y where nothing is left to integrate over; refuses everything else.

    Example:
        >>> Exact().method
        'exact'
    """

    method = "exact"

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """The log density of y.

        Raises:
            ValueError: naming the latents, if there are any.
        """
        return exact_evidence(problem)
