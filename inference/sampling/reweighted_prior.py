"""The beginning of a tempering path, where weighted draws from the prior serve without being moved.

Draws cost a likelihood each, moves many gradients. As far as the draws carry, every tempering is reached by weighting
them; a network whose posterior is near its prior needs little else.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import brentq
from scipy.special import log_softmax, logsumexp

from bayes_nn.inference.problem.monte_carlo_errors import log_effective_draws
from bayes_nn.inference.problem.prior_draws import prior_draws
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.mapping import map_each

#: Draws from the prior for every particle.
DRAWS_PER_PARTICLE = 16
#: Effective draws per particle that are left where moves take over.
EFFECTIVE_DRAWS_PER_PARTICLE = 2.0
#: Stands for a log likelihood of minus infinity, whose product with tempering 0 would not be a number.
NEVER = -1e300


class ReweightedPrior(NamedTuple):
    """Where the path of every island stands when its particles are first to be moved.

    Attributes:
        u: equally weighted particles at ``tempering``, which repeat some draws, (I, P, D).
        tempering: reached by weighting, the same in all islands.
        log_evidence: log of the mean likelihood to this power, nats, (I,).
        variance: of ``log_evidence``, (I,).
        visited: the temperings below, with as many log likelihoods as particles, [(I,), (I, P)].
    """

    u: Float[np.ndarray, "I P D"]
    tempering: float
    log_evidence: Float[np.ndarray, " I"]
    variance: Float[np.ndarray, " I"]
    visited: list[tuple[Float[np.ndarray, " I"], Float[np.ndarray, "I P"]]]


def reweight_prior(
    problem: Problem, key: Array, particles: int, islands: int, target_ess: float, reach: float | None = None
) -> ReweightedPrior:
    """Draw from the prior and temper by weights alone: to ``reach``, or as far as they leave enough effective draws.

    Steps are those of SMC: each leaves ``target_ess`` of the effective draws, by the conditional effective
    sample size of Zhou, Johansen and Aston 2016 (Journal of Computational and Graphical Statistics 25, eq. 3.13).
    """
    key_draws, key_resampling = jax.random.split(key)
    draws = DRAWS_PER_PARTICLE * particles
    keys = np.asarray(jax.random.key_data(jax.random.split(key_draws, islands)))
    log_likelihood = np.maximum(np.asarray(prior_draws(problem, None, keys, draws)), NEVER)
    offsets = np.asarray(jax.random.uniform(key_resampling, (islands, 1)))
    enough = np.log(EFFECTIVE_DRAWS_PER_PARTICLE * particles)
    if reach is None:
        reach = highest_tempering(lambda t: float(np.min(log_effective_draws(t * log_likelihood))) - enough, 0.0)
    tempering, visited = 0.0, [(np.zeros(islands), log_likelihood[:, :particles])]
    while True:
        tempering = min(reach, _next(tempering, log_likelihood, target_ess))
        chosen = _resample(tempering * log_likelihood, offsets, particles)
        if tempering >= reach:
            break
        of_chosen = np.take_along_axis(log_likelihood, chosen, axis=1)
        visited.append((np.full(islands, tempering), of_chosen))
    log_weights = tempering * log_likelihood
    return ReweightedPrior(
        np.asarray(_redraw(problem, keys, chosen, draws)),
        tempering,
        logsumexp(log_weights, axis=1) - np.log(draws),
        np.exp(-log_effective_draws(log_weights)) - 1.0 / draws,
        visited,
    )


def _log_fraction(tempering: float, higher: float, log_likelihood: Float[np.ndarray, "I M"]) -> Float[np.ndarray, " I"]:
    """Logarithm of the fraction of the draws effective at one tempering that is left at a higher one."""
    weights = log_softmax(tempering * log_likelihood, axis=1)
    step = (higher - tempering) * log_likelihood
    return 2.0 * logsumexp(weights + step, axis=1) - logsumexp(weights + 2.0 * step, axis=1)


def _next(tempering: float, log_likelihood: Float[np.ndarray, "I M"], target_ess: float) -> float:
    """The highest tempering that leaves, in every island, this fraction of the draws effective at the present one."""

    def margin(t: float) -> float:
        return float(np.min(_log_fraction(tempering, t, log_likelihood))) - np.log(target_ess)

    return highest_tempering(margin, tempering)


def highest_tempering(margin: Callable[[float], float], low: float) -> float:
    """The highest tempering up to 1 with a margin, by Brent's method on the logarithm; at least ``low`` or 1e-12."""

    def of_log(log_t: float) -> float:
        return margin(float(np.exp(log_t)))

    lowest = float(np.log(max(low, 1e-12)))
    if of_log(0.0) >= 0.0:
        return 1.0
    return float(np.exp(brentq(of_log, lowest, 0.0) if of_log(lowest) > 0.0 else lowest))


def _resample(
    log_weights: Float[np.ndarray, "I M"], offsets: Float[np.ndarray, "I 1"], particles: int
) -> Float[np.ndarray, "I P"]:
    """Systematic resampling in every island."""
    cumulated = np.cumsum(np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True)), axis=1)
    points = (np.arange(particles) + offsets) / particles
    found = [np.searchsorted(each, at) for each, at in zip(cumulated, points, strict=True)]
    return np.minimum(found, log_weights.shape[1] - 1)


@partial(jax.jit, static_argnames="draws")
def _redraw(problem: Problem, keys: Array, chosen: Array, draws: int) -> Float[Array, "I P D"]:
    """The chosen ones of the draws that these keys gave."""

    def of_island(problem: Problem, own: tuple[Array, Array]) -> Array:
        key, chosen = own
        every = jax.random.split(jax.random.wrap_key_data(key), draws)
        return map_each(problem.sample_prior, every[chosen])

    return map_over_devices(of_island, len(keys))(problem, (keys, chosen))
