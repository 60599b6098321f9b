"""The cold end of a tempering path, where draws from the prior serve without being moved.

Draws cost a likelihood each, moves many gradients. As far as the draws carry, every temperature is reached by weighting
them; a network whose posterior is near its prior needs little else.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from bayes_nn.inference.importance import prior_draws
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Target
from bayes_nn.parallel import map_islands

#: Draws from the prior for every particle.
DRAWS_PER_PARTICLE = 16
#: Effective draws per particle that are left where moves take over.
EFFECTIVE_DRAWS_PER_PARTICLE = 2.0
#: Stands for a log likelihood of minus infinity, whose product with temperature 0 would not be a number.
NEVER = -1e300


class ColdEnd(NamedTuple):
    """Where the path of every island stands when its particles are first to be moved.

    Attributes:
        u: equally weighted particles at ``temperature``, which repeat some draws, (I, P, D).
        temperature: the highest that all islands reach by weighting.
        log_evidence: log of the mean likelihood to this power, nats, (I,).
        variance: of ``log_evidence``, (I,).
        visited: the temperatures below, with as many log likelihoods as particles, [(I,), (I, P)].
    """

    u: Float[np.ndarray, "I P D"]
    temperature: float
    log_evidence: Float[np.ndarray, " I"]
    variance: Float[np.ndarray, " I"]
    visited: list[tuple[Float[np.ndarray, " I"], Float[np.ndarray, "I P"]]]


def cold_end(target: Target, key: Array, settings: SMC) -> ColdEnd:
    """Draw from the prior and temper by weights alone, as far as they leave enough effective draws.

    Steps are those of SMC: each leaves ``settings.target_ess`` of the effective draws, by the conditional effective
    sample size of Zhou, Johansen and Aston 2016 (Journal of Computational and Graphical Statistics 25, eq. 3.13).
    """
    key_draws, key_resampling = jax.random.split(key)
    draws = DRAWS_PER_PARTICLE * settings.particles
    keys = jax.random.key_data(jax.random.split(key_draws, settings.islands))
    log_likelihood = np.maximum(np.asarray(prior_draws(target, None, keys, draws)), NEVER)
    offsets = np.asarray(jax.random.uniform(key_resampling, (settings.islands, 1)))
    enough = EFFECTIVE_DRAWS_PER_PARTICLE * settings.particles
    last = _highest(lambda t: _effective(t * log_likelihood).min() >= enough, 0.0)
    temperature, visited = 0.0, [(np.zeros(settings.islands), log_likelihood[:, : settings.particles])]
    while True:
        temperature = min(last, _next(temperature, log_likelihood, settings.target_ess))
        chosen = _resample(temperature * log_likelihood, offsets, settings.particles)
        if temperature >= last:
            break
        of_chosen = np.take_along_axis(log_likelihood, chosen, axis=1)
        visited.append((np.full(settings.islands, temperature), of_chosen))
    log_weights = temperature * log_likelihood
    return ColdEnd(
        np.asarray(_redraw(target, keys, jnp.asarray(chosen), draws)),
        temperature,
        logsumexp(log_weights, axis=1) - np.log(draws),
        1.0 / _effective(log_weights) - 1.0 / draws,
        visited,
    )


def _effective(log_weights: Float[np.ndarray, "I M"]) -> Float[np.ndarray, " I"]:
    """Effective sample size of every island's weights."""
    return np.exp(2.0 * logsumexp(log_weights, axis=1) - logsumexp(2.0 * log_weights, axis=1))


def _next(temperature: float, log_likelihood: Float[np.ndarray, "I M"], target_ess: float) -> float:
    """The highest temperature that leaves, in every island, this fraction of the draws effective at the present one."""
    weights = temperature * log_likelihood
    weights = weights - logsumexp(weights, axis=1, keepdims=True)

    def leaves_enough(t: float) -> bool:
        step = (t - temperature) * log_likelihood
        fraction = 2.0 * logsumexp(weights + step, axis=1) - logsumexp(weights + 2.0 * step, axis=1)
        return fraction.min() >= np.log(target_ess)

    return _highest(leaves_enough, temperature)


def _highest(holds: Callable[[float], bool], low: float) -> float:
    """The highest temperature up to 1 at which a condition holds, as it does at ``low``, by bisecting its logarithm."""
    if holds(1.0):
        return 1.0
    low, high = np.log(max(low, 1e-12)), 0.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(float(np.exp(middle))) else (low, middle)
    return float(np.exp(low))


def _resample(
    log_weights: Float[np.ndarray, "I M"], offsets: Float[np.ndarray, "I 1"], particles: int
) -> Float[np.ndarray, "I P"]:
    """Systematic resampling in every island."""
    cumulated = np.cumsum(np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True)), axis=1)
    points = (np.arange(particles) + offsets) / particles
    found = [np.searchsorted(each, at) for each, at in zip(cumulated, points, strict=True)]
    return np.minimum(found, log_weights.shape[1] - 1)


@partial(jax.jit, static_argnames="draws")
def _redraw(target: Target, keys: Array, chosen: Array, draws: int) -> Float[Array, "I P D"]:
    """The chosen ones of the draws that these keys gave."""

    def of_island(target: Target, own: tuple[Array, Array]) -> Array:
        key, chosen = own
        every = jax.random.split(jax.random.wrap_key_data(key), draws)
        return jax.lax.map(target.sample_prior, every[chosen])

    return map_islands(of_island, len(keys))(target, (keys, chosen))
