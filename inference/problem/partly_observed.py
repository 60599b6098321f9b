"""A problem of which only some rows count."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.priors.gaussian.repeated_inputs import AnyProcess, PooledProcess


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["X", "Y", "fixed", "seen", "repeated"],
    meta_fields=["prior", "likelihood"],
)
@dataclass(frozen=True)
class PartlyObserved(CollapsedProblem):
    """A problem that has seen some of its rows; which ones is traced, so that all subsets share compiled code.

    Attributes:
        seen: 1 for rows that count, 0 for others, (N,).

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian(0.5))
        >>> abs(round(float(PartlyObserved.of_rows(problem, jnp.zeros(3)).log_likelihood(jnp.zeros(0))), 9))
        0.0
    """

    seen: Float[Array, " N"]

    @classmethod
    def of_rows(cls, problem: CollapsedProblem, seen: Float[Array, " N"]) -> "PartlyObserved":
        """The problem with only the rows where ``seen`` is 1."""
        return cls(problem.X, problem.Y, problem.prior, problem.likelihood, problem.fixed, seen)

    def log_likelihood_given(self, process: AnyProcess, values: dict[str, Array]) -> Float[Array, ""]:
        """``log p(y_seen | z)`` in nats: the density of y with f = 0 and y = 0 in rows not seen, less their share."""
        assert not isinstance(process, PooledProcess)
        if self.likelihood.conjugate:
            return process.log_marginal_of_rows(self.Y, self.noise_variance(values).astype(self.Y.dtype), self.seen)
        f = process.function(values[self.prior.function_site])
        return jnp.vdot(self.seen, self.likelihood.log_prob(self.at_rows(values), self.Y, f))
