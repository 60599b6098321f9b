"""Leave-one-out scores of a posterior that has seen some of the rows."""

from functools import partial
from typing import Any, NamedTuple

import arviz as az
import jax
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from bayes_nn.inference.problem.monte_carlo_errors import jackknife_error
from bayes_nn.inference.problem.partly_observed import PartlyObserved
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each


class LeaveOneOut(NamedTuple):
    """Predictive density of every row given all others.

    Attributes:
        elpd: summed over the rows, nats.
        se: its standard error over rows.
        pareto_k: largest shape of the tail of the importance weights; above 0.7 the figure is not to be trusted.
        mcse: Monte-Carlo standard error of ``elpd``, between islands; 0 where it is exact, NaN for one island.

    Example:
        >>> LeaveOneOut(elpd=-20.0, se=2.0, pareto_k=0.3).pareto_k < 0.7
        True
    """

    elpd: float
    se: float
    pareto_k: float
    mcse: float = float("nan")


def _by_harmonic_means(pointwise: Float[np.ndarray, "I P N"]) -> float:
    """The sum over rows without smoothing: near enough to tell how the figure varies from island to island."""
    draws = -pointwise.reshape(-1, pointwise.shape[-1])
    return float(np.sum(np.log(len(draws)) - logsumexp(draws, axis=0)))


@jax.jit
def _pointwise(problem: PartlyObserved, u: Float[Array, "I P D"]) -> Float[Array, "I P N"]:
    """``log p(y_i | y_-i, z)`` where f is integrated out, ``log p(y_i | z)`` where it is not."""

    def one(problem: PartlyObserved, u: Float[Array, " D"]) -> Float[Array, " N"]:
        values = problem.values(u)
        process, likelihood = problem.process(values), problem.likelihood
        if likelihood.conjugate:
            return process.leave_one_out(problem.Y, problem.noise_variance(values), problem.seen)
        f = process.function(values[problem.prior.function_site])
        return likelihood.log_prob(problem.at_rows(values), problem.Y, f)

    return map_over_devices(lambda shared, own: map_each(partial(one, shared), own), len(u))(problem, u)


@one_blas_thread_per_device()
def leave_one_out(problem: PartlyObserved, u: Float[Array, "I P D"], size: int) -> LeaveOneOut:
    """Leave-one-out scores of the first rows, by Pareto-smoothed importance sampling over z.

    Since ``p(z | y_-i)`` is proportional to ``p(z | y) / p(y_i | y_-i, z)``, weights from densities with f integrated
    out are lighter in the tail than those given f (Vehtari et al. 2016, JMLR 17, section 3.6).

    Args:
        problem: has seen the first rows.
        u: draws from its posterior.
        size: number of rows that it has seen.
    """
    pointwise = np.asarray(_pointwise(problem, u))[..., :size]
    if not problem.latents:
        values = pointwise[0, 0]
        return LeaveOneOut(float(values.sum()), float(np.sqrt(size) * values.std()), 0.0, 0.0)
    tree = az.from_dict({"posterior": {"number": np.zeros(pointwise.shape[:2])}, "log_likelihood": {"y": pointwise}})
    loo: Any = az.loo(tree, var_name="y", reff=1.0)
    mcse = jackknife_error(_by_harmonic_means, pointwise) if len(pointwise) > 1 else float("nan")
    return LeaveOneOut(float(loo.elpd), float(loo.se), float(loo.pareto_k.max()), mcse)
