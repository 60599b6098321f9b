"""Evidence as the mean likelihood of draws from the prior: exact for any number of draws, useful for few data.

The effective number of draws falls like exp(-KL(posterior || prior)) (Chatterjee and Diaconis 2018, Annals of Applied
Probability 28), so that it also says how many frozen hypotheses plain reweighting needs.
"""

from functools import partial

import jax
import numpy as np
from blackjax.smc.ess import ess
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from bayes_nn.inference.parallel import map_islands
from bayes_nn.inference.progress import Report
from bayes_nn.inference.rounds import Round
from bayes_nn.inference.target import Target

#: Independent means of one round, and prior draws of each at effort 1.
GROUPS, DRAWS = 4, 5_000
#: Effective draws of a round below which its mean is not trusted.
SMALLEST_EFFECTIVE_DRAWS = 100.0


@partial(jax.jit, static_argnames="draws")
def _log_likelihoods(target: Target, keys: Array, draws: int) -> Float[Array, "G M"]:
    def one_group(target: Target, key: Array) -> Float[Array, " M"]:
        one = jax.random.split(jax.random.wrap_key_data(key), draws)
        return jax.lax.map(lambda key: target.log_likelihood(target.sample_prior(key)), one)

    return map_islands(one_group, GROUPS)(target, keys)


def prior_log_likelihoods(target: Target, key: Array, draws: int) -> Float[np.ndarray, "G M"]:
    """``log p(y | z)`` for z from the prior, nats, in ``GROUPS`` groups of ``draws`` each."""
    keys = jax.random.key_data(jax.random.split(key, GROUPS))
    return np.asarray(_log_likelihoods(target, keys, draws))


def importance_round(target: Target, key: Array, effort: int, report: Report) -> Round:
    """The log of the mean likelihood in every group."""
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
