"""Draws from the prior, computed with in groups that run side by side."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each

#: Groups, whose means are independent estimates.
GROUPS = 4


def log_likelihood_of_draw(problem: Problem, _: None, u: Float[Array, " D"]) -> Float[Array, ""]:
    """``log p(y | z)``, nats."""
    return problem.log_likelihood(u)


def _as_they_are(results: Any) -> Any:
    return results


@partial(jax.jit, static_argnames=("draws", "what", "summary"))
def prior_draws(
    problem: Problem,
    shared: Any,
    keys: Array,
    draws: int,
    what: Callable[..., Any] = log_likelihood_of_draw,
    summary: Callable[[Any], Any] = _as_they_are,
) -> Any:
    """``what(problem, shared, u)`` of draws u from the prior, in groups that run side by side.

    Args:
        problem: prior, likelihood and data.
        shared: what every draw needs besides.
        keys: data of one key per group, (G, ...).
        draws: in every group.
        what: computes one draw.
        summary: of what all draws of a group gave.

    Returns:
        The summaries, with a leading axis G.
    """

    def one_group(everyones: tuple[Problem, Any], key: Array) -> Any:
        problem, shared = everyones
        one = jax.random.split(jax.random.wrap_key_data(key), draws)
        return summary(map_each(lambda key: what(problem, shared, problem.sample_prior(key)), one))

    return map_over_devices(one_group, len(keys))((problem, shared), keys)


def prior_log_likelihoods(problem: Problem, key: Array, draws: int) -> Float[np.ndarray, "G M"]:
    """``log p(y | z)`` for z from the prior, nats, in ``GROUPS`` groups of ``draws`` each."""
    keys = np.asarray(jax.random.key_data(jax.random.split(key, GROUPS)))
    with one_blas_thread_per_device():
        return np.asarray(prior_draws(problem, None, keys, draws))
