"""What every chain counts in predictions: all alike, by its evidence, or by stacking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

from bayes_nn.inference.problem.monte_carlo_errors import LARGEST_K, pareto_smoothed

#: Concentration of the Dirichlet prior of stacking weights, which makes their maximum unique and every weight positive.
CONCENTRATION = 1.001
#: Fraction of the rows that must be left out with a Pareto k up to ``LARGEST_K`` for stacking.
SMALLEST_TRUSTED = 0.8
#: Why chains count what they do.
ALIKE, EVIDENCE, STACKING = "alike", "evidence", "stacking"


@dataclass(frozen=True)
class ChainWeights:
    """What every chain counts in predictions.

    Attributes:
        logs: logarithms of the weights of the chains (islands, systems), which sum to 1.
        method: "alike", "evidence" or "stacking".
        note: why chains that disagree count alike; empty otherwise.

    Example:
        >>> print(ChainWeights.by_evidence([-100.0, -102.0]))
        chains disagree; predictions weigh them by evidence: 0.88, 0.12
    """

    logs: tuple[float, ...]
    method: str
    note: str = ""

    @classmethod
    def alike(cls, chains: int, note: str = "") -> Self:
        """The same for all.

        Args:
            chains: their number.
            note: why, where they disagree.
        """
        return cls((-float(np.log(chains)),) * chains, ALIKE, note)

    @classmethod
    def by_evidence(cls, log_evidence: Sequence[float]) -> Self:
        """Weights proportional to the evidence of every island of SMC.

        An island's evidence times its mean of any function is an unbiased estimate of the evidence times the posterior
        mean, whatever phase the island found; so these are the weights under which islands together are consistent.

        Args:
            log_evidence: of every island, nats.
        """
        return cls(tuple(log_softmax(log_evidence).tolist()), EVIDENCE)

    @classmethod
    def by_stacking(cls, log_density: Float[np.ndarray, "chains N"]) -> Self:
        """The weights whose mixture predicts every row best by the draws that have not seen it.

        They maximise ``sum_i log sum_c w_c p_c(y_i | y_-i)`` (Yao, Vehtari and Gelman 2022, Journal of Machine Learning
        Research 23). They are no posterior probabilities of what the chains found: they say which mixture predicts.

        Args:
            log_density: log p(y_i | y_-i) of every row by every chain, nats; see :func:`left_out_by_chain`.

        Example:
            >>> ChainWeights.by_stacking(np.log([[0.9, 0.9, 0.1], [0.1, 0.1, 0.9]])).values.round(2).tolist()
            [0.71, 0.29]
        """
        chains, rows = log_density.shape

        def loss(u: Float[np.ndarray, " chains"]) -> tuple[float, Float[np.ndarray, " chains"]]:
            log_w = log_softmax(u)
            joint = log_w[:, None] + log_density
            mixture = logsumexp(joint, axis=0)
            value = mixture.sum() + (CONCENTRATION - 1.0) * log_w.sum()
            taken = np.exp(joint - mixture).sum(axis=1) + CONCENTRATION - 1.0
            return -value / rows, (np.exp(log_w) * taken.sum() - taken) / rows

        found: Any = minimize(loss, np.zeros(chains), jac=True, method="BFGS", options={"gtol": 1e-7})
        return cls(tuple(log_softmax(found.x).tolist()), STACKING)

    @property
    def values(self) -> Float[np.ndarray, " chains"]:
        """The weights."""
        return np.exp(self.logs)

    def of_draws(self, draws: int) -> Float[np.ndarray, " M"] | None:
        """The weights of all draws, chain by chain, summing to 1; None where all count alike.

        Args:
            draws: in each chain.
        """
        return None if self.method == ALIKE else np.repeat(self.values / draws, draws)

    @property
    def details(self) -> dict[str, Any]:
        """What is kept with a result; empty where chains agree."""
        if self.method == ALIKE and not self.note:
            return {}
        return {"chain_weights": self.values.tolist(), "predictions": str(self)}

    def __str__(self) -> str:
        if self.method != ALIKE:
            listed = ", ".join(f"{weight:.2f}" for weight in self.values)
            return f"chains disagree; predictions weigh them by {self.method}: {listed}"
        return f"chains disagree; predictions weigh them alike: {self.note}" if self.note else "chains count alike"


def left_out_by_chain(
    pointwise: Float[np.ndarray, "chains draws N"],
) -> tuple[Float[np.ndarray, "chains N"], Float[np.ndarray, "chains N"]]:
    """``log p(y_i | y_-i)`` of every row by the draws of every chain alone: Pareto-smoothed importance sampling.

    Vehtari, Gelman and Gabry (2017, Statistics and Computing 27).

    Args:
        pointwise: log p(y_i | y_-i, z) of every draw z where f is integrated out, else log p(y_i | z).

    Returns:
        The densities, and Pareto k of each.

    Example:
        >>> densities, k = left_out_by_chain(np.log([[[0.2], [0.2]], [[0.2], [0.3]]]))
        >>> densities.round(3).tolist()
        [[-1.609], [-1.427]]
    """
    found = np.array([[_left_out(of_row) for of_row in chain.T] for chain in pointwise])
    return found[..., 0], found[..., 1]


def _left_out(log_density: Float[np.ndarray, " draws"]) -> tuple[float, float]:
    log_weights, k = pareto_smoothed(-log_density)
    return float(logsumexp(log_weights + log_density) - logsumexp(log_weights)), k


def stacked(pointwise: Float[np.ndarray, "chains draws N"]) -> ChainWeights:
    """Stacking weights where leaving rows out can be trusted, else equal ones with a note.

    Draws of a chain that has hardly moved know every row that they are weighted to forget, and the less it moved the
    better it seems to predict: docs/decisions/0022. Rows with a Pareto k above 0.7 do not count.

    Args:
        pointwise: as :func:`left_out_by_chain` takes it.

    Example:
        >>> print(stacked(np.zeros((2, 10, 0))))
        chains disagree; predictions weigh them alike: no row can be left out
    """
    pointwise = pointwise[..., np.isfinite(pointwise).all(axis=(0, 1))]
    chains, _, rows = pointwise.shape
    if not rows:
        return ChainWeights.alike(chains, "no row can be left out")
    log_density, k = left_out_by_chain(pointwise)
    trusted = (k <= LARGEST_K).all(axis=0)
    if trusted.mean() < SMALLEST_TRUSTED:
        what = f"{1.0 - trusted.mean():.0%} of the rows cannot be left out by weights"
        return ChainWeights.alike(chains, what)
    return ChainWeights.by_stacking(log_density[:, trusted])
