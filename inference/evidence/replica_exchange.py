"""Evidence by replica exchange: Bennett's estimate between neighbouring temperings, enclosed from below and above."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from jaxtyping import Array

from bayes_nn.inference.evidence.estimator import Estimator
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.exchange.replica_exchange import ReplicaExchange
from bayes_nn.runtime.progress import Report

#: Most rounds where the user gives no settings: a time limit ends them earlier.
MOST_ROUNDS = 12


@dataclass(frozen=True)
class ReplicaExchangeEstimator(Estimator):
    """Rounds of replica exchange until the error is small enough and nothing contradicts, or the time is spent.

    Args:
        sampler: settings of replica exchange; their ``tolerance`` gives way to the one asked for.

    Example:
        >>> ReplicaExchangeEstimator.of(ReplicaExchange(rounds=4)).sampler.rounds
        4
    """

    method = "replica_exchange"
    sampler: ReplicaExchange = field(default_factory=lambda: ReplicaExchange(rounds=MOST_ROUNDS))

    @classmethod
    def of(cls, sampler: Any) -> Self:
        """The estimator with these settings of replica exchange."""
        if sampler is None or sampler == "replica_exchange":
            return cls()
        if not isinstance(sampler, ReplicaExchange):
            raise ValueError(
                f"method {cls.method!r} takes inference.ReplicaExchange(...) as its sampler; got {sampler!r}"
            )
        return cls(sampler)

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """See :class:`Estimator`."""
        settings = replace(self.sampler, tolerance=tolerance)
        evidence = settings.run(problem, key, report, max_seconds=max_seconds).evidence
        assert evidence is not None
        reached = evidence.reliable and evidence.mcse <= tolerance
        last = len(evidence.details["log_evidence_by_round"]) >= settings.rounds
        stopped = "tolerance" if reached else "rounds" if last else "max_seconds"
        return replace(evidence, details=evidence.details | {"stopped": stopped})
