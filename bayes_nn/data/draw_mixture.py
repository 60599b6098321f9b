"""What predictive distributions have in common: they are mixtures over posterior draws, alike or weighted."""

import abc
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import logsumexp


@dataclass(frozen=True, eq=False)
class DrawMixture(abc.ABC):
    """A mixture over M posterior draws.

    Attributes:
        draw_weights: of the draws, (M,), summing to 1; None where all draws count alike.
    """

    draw_weights: Float[np.ndarray, " M"] | None = field(default=None, kw_only=True)

    @abc.abstractmethod
    def log_prob_of_draws(self, y: Any) -> Float[np.ndarray, "M T"]:
        """Log density of every row of y under every draw by itself."""

    def log_prob(self, y: Any) -> Float[np.ndarray, " T"]:
        """Log predictive density (of whole numbers and labels: probability) of every row of y, in nats.

        Outputs are independent given the draw, so their logs add up within each.

        Raises:
            ValueError: if y does not have the shape of the predictions, or holds a label that is no class.
        """
        of_draw = self.log_prob_of_draws(y)
        if self.draw_weights is None:
            return logsumexp(of_draw, axis=0) - np.log(len(of_draw))
        return logsumexp(of_draw, axis=0, b=self.draw_weights[:, None])

    def average(self, of_draws: Float[np.ndarray, "M *what"]) -> Float[np.ndarray, " *what"]:
        """The mean over draws of something that there is of each.

        Args:
            of_draws: a leading axis of draws.
        """
        return of_draws.mean(axis=0) if self.draw_weights is None else np.tensordot(self.draw_weights, of_draws, 1)

    def _choose(self, key: Array, n: int, draws: int) -> Int[np.ndarray, " n"]:
        """Numbers of n of the draws, at random."""
        if self.draw_weights is None:
            return np.asarray(jax.random.randint(key, (n,), 0, draws))
        return np.asarray(jax.random.choice(key, draws, (n,), p=self.draw_weights))
