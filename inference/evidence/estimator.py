"""What every estimator of the evidence is: settings with one method."""

import abc
from typing import Any, ClassVar

from jaxtyping import Array

from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates, repeat_estimates
from bayes_nn.runtime.progress import Report


class Estimator(abc.ABC):
    """An estimator of log p(y); to add one, derive it in a file of this folder and list it in ``log_evidence.py``.

    Attributes:
        method: what :func:`bayes_nn.inference.log_evidence` calls it.
    """

    method: ClassVar[str]

    @classmethod
    def of(cls, sampler: Any) -> "Estimator":
        """The estimator that uses a sampler's settings.

        Args:
            sampler: settings, the name of a sampler, or None for the default.

        Raises:
            ValueError: if the method does not take such a sampler.
        """
        if sampler is not None:
            raise ValueError(f"method {cls.method!r} takes no sampler: leave it out; got {sampler!r}")
        return cls()

    @abc.abstractmethod
    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """Estimate log p(y) of a problem with latents, in nats.

        Args:
            problem: the posterior.
            key: random key.
            tolerance: standard error to reach, nats.
            max_seconds: time after which nothing more is begun.
            report: told the running estimate.

        Raises:
            ValueError: if the method does not fit the problem.
        """


class RepeatedEstimator(Estimator):
    """An estimator whose runs are repeated until the error is small enough; derive :meth:`estimate`."""

    @abc.abstractmethod
    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """Independent estimates of log Z made in one go.

        Args:
            problem: the posterior.
            key: random key.
            effort: 1, 2, 4, ...: multiples of the usual number of particles or draws.
            report: told the fraction done.
        """

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """See :class:`Estimator`."""
        return repeat_estimates(
            lambda key, effort, report: self.estimate(problem, key, effort, report),
            self.method,
            key,
            tolerance,
            max_seconds,
            report,
        )
