"""Evidence by quadrature over the latents, where there are at most three of them."""

from dataclasses import dataclass

from jaxtyping import Array

from bayes_nn.inference.evidence.estimator import Estimator
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.few_latents.quadrature import quadrature
from bayes_nn.runtime.progress import Report


@dataclass(frozen=True)
class Quadrature(Estimator):
    """A sum over a grid about the highest peak; :mod:`bayes_nn.inference.sampling.few_latents.quadrature` has more.

    Example:
        >>> Quadrature().method
        'quadrature'
    """

    method = "quadrature"

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """The sum over the grid; tolerance and time are not used.

        Raises:
            ValueError: for more than three latents.
        """
        return quadrature(problem, key, report)
