"""The distribution that adaptive importance sampling draws from: a Student t about the posterior, and some prior."""

from dataclasses import dataclass
from typing import Any, Self

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy import stats

from bayes_nn.inference.sampling.few_latents.densities import Density, draws_from_prior

#: Degrees of freedom of the Student t, whose tails should be heavier than those of the posterior.
DEGREES = 8.0
#: Share of the draws that come from the prior, which bounds every weight by the likelihood over this.
PRIOR_SHARE = 0.1


@dataclass(frozen=True)
class Proposal:
    """A mixture of a multivariate Student t and the prior, drawn from in fixed proportions.

    Draws in fixed proportions that are weighted by the density of the mixture give unbiased averages (Hesterberg 1995,
    Technometrics 37; Owen and Zhou 2000, JASA 95), to which a posterior that the Student t misses contributes as well.

    Attributes:
        centre: of the Student t.
        shape: its shape matrix, the covariance times ``(DEGREES - 2) / DEGREES``.
    """

    centre: Float[np.ndarray, " D"]
    shape: Float[np.ndarray, "D D"]

    @classmethod
    def fitted(cls, u: Float[np.ndarray, "M D"], weights: Float[np.ndarray, " M"]) -> Self:
        """The Student t with the mean and covariance of weighted points; the weights add up to 1."""
        centre = weights @ u
        covariance = (u - centre).T @ (weights[:, None] * (u - centre)) + 1e-10 * np.eye(u.shape[1])
        return cls(centre, covariance * (DEGREES - 2.0) / DEGREES)

    def sample(self, problem: Density, key: Array, count: int) -> Float[np.ndarray, "M D"]:
        """Points in random order."""
        rng, from_prior = np.random.default_rng(np.asarray(jax.random.key_data(key))), round(PRIOR_SHARE * count)
        near = self._student_t.rvs(count - from_prior, random_state=rng).reshape(-1, len(self.centre))
        return rng.permutation(np.concatenate([near, draws_from_prior(problem, key, from_prior)]))

    def log_density(self, u: Float[np.ndarray, "M D"], log_prior: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Of the mixture, nats, at points whose log prior density is known."""
        near = self._student_t.logpdf(u)
        return np.logaddexp(np.log1p(-PRIOR_SHARE) + near, np.log(PRIOR_SHARE) + log_prior)

    @property
    def _student_t(self) -> Any:
        return stats.multivariate_t(self.centre, self.shape, DEGREES, allow_singular=True)
