"""Evidence as the mean likelihood of draws from the prior: exact for any number of draws, useful for few data.

The effective number of draws falls like exp(-KL(posterior || prior)) (Chatterjee and Diaconis 2018, Annals of Applied
Probability 28), so that it also says how many frozen hypotheses plain reweighting needs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from bayes_nn.environment import one_blas_thread_per_device
from bayes_nn.inference.rounds import Round
from bayes_nn.inference.target import Target
from bayes_nn.parallel import map_islands
from bayes_nn.progress import Report

#: Independent means of one round, and prior draws of each at effort 1.
GROUPS, DRAWS = 4, 5_000
#: Effective draws of a round below which its mean is not trusted.
SMALLEST_EFFECTIVE_DRAWS = 100.0


def log_likelihood_of_draw(target: Target, _: None, u: Float[Array, " D"]) -> Float[Array, ""]:
    """``log p(y | z)``, nats."""
    return target.log_likelihood(u)


def _as_they_are(results: Any) -> Any:
    return results


@partial(jax.jit, static_argnames=("draws", "what", "summary"))
def prior_draws(
    target: Target,
    shared: Any,
    keys: Array,
    draws: int,
    what: Callable[..., Any] = log_likelihood_of_draw,
    summary: Callable[[Any], Any] = _as_they_are,
) -> Any:
    """``what(target, shared, u)`` of draws u from the prior, in groups that run side by side.

    Args:
        target: prior, likelihood and data.
        shared: what every draw needs besides.
        keys: data of one key per group, (G, ...).
        draws: in every group.
        what: computes one draw.
        summary: of what all draws of a group gave.

    Returns:
        The summaries, with a leading axis G.
    """

    def one_group(everyones: tuple[Target, Any], key: Array) -> Any:
        target, shared = everyones
        one = jax.random.split(jax.random.wrap_key_data(key), draws)
        return summary(jax.lax.map(lambda key: what(target, shared, target.sample_prior(key)), one))

    return map_islands(one_group, len(keys))((target, shared), keys)


def prior_log_likelihoods(target: Target, key: Array, draws: int) -> Float[np.ndarray, "G M"]:
    """``log p(y | z)`` for z from the prior, nats, in ``GROUPS`` groups of ``draws`` each."""
    keys = jax.random.key_data(jax.random.split(key, GROUPS))
    with one_blas_thread_per_device():
        return np.asarray(prior_draws(target, None, keys, draws))


def importance_round(target: Target, key: Array, effort: int, report: Report) -> Round:
    """The log of the mean likelihood in every group."""
    from blackjax.smc.ess import ess

    report(0.5, f"{GROUPS * DRAWS * effort} draws from the prior")
    log_likelihood = prior_log_likelihoods(target, key, DRAWS * effort)
    log_evidence = np.asarray(logsumexp(log_likelihood, axis=1)) - np.log(DRAWS * effort)
    effective = np.asarray(jax.vmap(ess)(log_likelihood))
    total = float(ess(log_likelihood.ravel()))
    reasons: tuple[str, ...] = ()
    if total < SMALLEST_EFFECTIVE_DRAWS:
        reasons = (f"only {total:.0f} of {log_likelihood.size} prior draws carry the evidence: use method='smc'",)
    variance = 1.0 / effective - 1.0 / (DRAWS * effort)
    return Round(log_evidence, variance, reasons, {"effective_draws": total})
