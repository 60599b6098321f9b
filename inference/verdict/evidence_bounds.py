"""How low and how high the evidence of a fit may be, given what its estimator knows."""

import numpy as np

from bayes_nn.inference.problem.evidence import Evidence

#: Rate at which an interval by quantiles of Student's t covers an evidence, or a gain.
COVERAGE = 0.95
#: Nats by which the mean of unbiased estimates of Z exceeds Z with a probability of 1 % at most (Markov's inequality).
MARKOV = float(np.log(100.0))


def evidence_bounds(evidence: Evidence) -> tuple[float, float]:
    """Bounds on log p(y), nats.

    An interval of 95 % by quantiles of Student's t. Where the estimator encloses the evidence from two sides, these
    with two standard errors. Where it is not reliable and has one side only, the lower bound is that of Markov's
    inequality for the mean of unbiased estimates, and nothing is known from above: the upper bound is then
    no more than the estimate's own.

    Args:
        evidence: an estimate.

    Example:
        >>> evidence_bounds(Evidence(-10.0, 0.0, "exact"))
        (-10.0, -10.0)
        >>> evidence_bounds(Evidence(-10.0, 0.25, "replica_exchange", lower=-10.5, upper=-9.75))
        (-11.0, -9.25)
    """
    if evidence.lower is not None and evidence.upper is not None:
        reach = 2.0 * evidence.mcse
        return min(evidence.lower, evidence.value) - reach, max(evidence.upper, evidence.value) + reach
    low, high = evidence.interval(COVERAGE)
    return (low, high) if evidence.reliable else (min(evidence.value - MARKOV, low), high)
