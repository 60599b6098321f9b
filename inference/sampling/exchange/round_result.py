"""What one round of replica exchange found."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bayes_nn.inference.sampling.exchange.system import Sweep
from bayes_nn.inference.sampling.exchange.two_sided import TwoSidedEvidence, two_sided_evidence

#: Most replicas of a system, and most sweeps of a round, whose levels are kept for a picture.
REPLICAS_SHOWN, SWEEPS_SHOWN = 8, 500
#: Rejection rate above which it says little of how far apart two levels are; most of the barrier put between two.
SATURATED, LARGEST_LOCAL_BARRIER = 0.8, 4.0


class RoundResult(NamedTuple):
    """Evidence and mixing of one round, whose levels, steps and references were fixed.

    Attributes:
        tempering: levels from 0 to 1, (T,).
        evidence: of every system.
        rejection: of swaps between neighbours, averaged over systems and sweeps, (T - 1,).
        expected_log_likelihood: E[l] at every level of every system, nats, (systems, T).
        journeys: of replicas from one end of the ladder to the other, in every system.
        gradient_evaluations: of all systems.
    """

    tempering: Float[np.ndarray, " T"]
    evidence: list[TwoSidedEvidence]
    rejection: Float[np.ndarray, " T-1"]
    expected_log_likelihood: Float[np.ndarray, "S T"]
    journeys: Int[np.ndarray, " S"]
    gradient_evaluations: int

    @property
    def barrier(self) -> float:
        """Lambda, the rejection rates summed over the levels."""
        return float(self.rejection.sum())

    @property
    def local_barriers(self) -> Float[np.ndarray, " T-1"]:
        """The barrier between neighbours, (T - 1,), which their rejection rate understates where it is close to 1.

        With l Gaussian and of equal variance at both levels, ``d (E'[l] - E[l]) = pi r^2`` for small rates r, d the
        step in tempering; the left side goes on growing where levels share no draws.
        """
        gain = np.diff(self.expected_log_likelihood.mean(axis=0))
        divergence = np.maximum(np.diff(self.tempering) * np.where(np.isfinite(gain), gain, 0.0), 0.0)
        apart = np.clip(np.sqrt(divergence / np.pi), self.rejection, LARGEST_LOCAL_BARRIER)
        return np.where(self.rejection > SATURATED, apart, self.rejection)

    @classmethod
    def of(cls, tempering: Float[np.ndarray, " T"], sweeps: Sweep) -> "RoundResult":
        """The result of these sweeps, (systems, sweeps, ...)."""
        return cls(
            tempering,
            [two_sided_evidence(tempering, one) for one in sweeps.log_likelihood],
            sweeps.rejection.mean(axis=(0, 1)),
            sweeps.log_likelihood.mean(axis=1),
            np.array([count_journeys(one) for one in sweeps.replica]),
            int(sweeps.steps.sum()),
        )


def index_process(replica: Int[np.ndarray, "S sweeps T"]) -> dict[str, Any]:
    """Where some replicas were in a round, for a picture, as plain lists of modest size.

    Args:
        replica: which replica is at every level of every system after every sweep.

    Returns:
        The number of the level of every replica shown, (systems, replicas, sweeps), and the number of sweeps from one
        entry to the next.

    Example:
        >>> index_process(np.array([[[0, 1], [1, 0], [0, 1]]]))
        {'level_of_replica': [[[0, 1, 0], [1, 0, 1]]], 'sweeps_between': 1}
    """
    _, sweeps, levels = replica.shape
    stride = -(-sweeps // SWEEPS_SHOWN)
    shown = np.linspace(0, levels - 1, min(REPLICAS_SHOWN, levels)).astype(int)
    level = np.argsort(replica[:, ::stride], axis=2)[:, :, shown]
    return {"level_of_replica": level.swapaxes(1, 2).tolist(), "sweeps_between": stride}


def count_journeys(replica: Int[np.ndarray, "sweeps T"]) -> int:
    """Journeys of replicas from the prior to the posterior or from there to the prior; a round trip is two.

    Args:
        replica: which replica is at every level after every sweep.

    Example:
        >>> count_journeys(np.array([[0, 1], [1, 0], [0, 1]]))
        4
    """
    last_end: dict[int, int] = {}
    journeys = 0
    for ends in replica[:, [0, -1]].tolist():
        for end, traveller in enumerate(ends):
            journeys += last_end.get(traveller, end) != end
            last_end[traveller] = end
    return journeys
