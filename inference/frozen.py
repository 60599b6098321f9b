"""Code length of frozen random features: what prediction costs when the data may not update hidden weights.

``sum_i log E_w[p(y_i | y_<i, w, h)]`` with hidden weights w always from the prior is a normalised joint
density q_h(y). Hyperparameters h are updated as everywhere: ``q(y) = E_h[q_h(y)]``, by importance
sampling from Gaussians: one around the NNGP's posterior over h, widened, then two moved to what the
earlier ones found; all weighted as one mixture (Owen and Zhou 2000, JASA 95).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.smc.ess import ess
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from scipy import stats

from bayes_nn.inference.evidence import Evidence
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Target, log_likelihoods
from bayes_nn.likelihood import Gaussian
from bayes_nn.parallel import map_islands
from bayes_nn.priors.finite_width import FrozenFeatures
from bayes_nn.priors.gaussian_process import prequential_log_densities
from bayes_nn.priors.kernel_priors import NNGP
from bayes_nn.progress import Report

#: Orders of the data averaged over; draws of the hidden weights for each; draws of h from each Gaussian.
PERMUTATIONS, WEIGHT_DRAWS, HYPERPARAMETER_DRAWS = 4, 32, 16
#: Predictive draws kept for each permutation.
KEPT_DRAWS = 32
#: Effective number of hyperparameter draws below which the code length is not trusted.
SMALLEST_EFFECTIVE_DRAWS = 5.0


class _Draws(NamedTuple):
    """Hyperparameter draws and the code length of each under every order of the data."""

    values: dict[str, Array]
    log_weights: Float[np.ndarray, "R K"]
    corrections: Float[np.ndarray, "R K"]


def run_frozen(target: Target, settings: SMC, key: Array, report: Report) -> dict[str, Any]:
    """Draws, log likelihoods and the code length of frozen features, as the fields of a posterior.

    The settings are those of the NNGP's SMC run, where hyperparameters are inferred.
    """
    key_h, key_weights, key_order, key_keep = jax.random.split(key, 4)
    weight_draws = WEIGHT_DRAWS if target.n_hyperparameters else WEIGHT_DRAWS * 8
    weights = _sample_weights(target, key_weights, (PERMUTATIONS, weight_draws))
    rows = len(target.Y)
    orders = jnp.stack([jax.random.permutation(one, rows) for one in jax.random.split(key_order, PERMUTATIONS)])
    if target.n_hyperparameters:
        draws = _hyperparameter_draws(target, settings, key_h, weights, orders, report)
    else:
        codes, corrections = map(np.asarray, _code_lengths((target, {}), (weights, orders)))
        draws = _Draws({}, codes, corrections)
    values = _keep(key_keep, draws.values, weights, jnp.asarray(draws.log_weights))
    return {
        "values": values,
        "log_likelihood": log_likelihoods(target, values),
        "sample_stats": {},
        "sampler": "frozen",
        "evidence": _evidence(draws),
    }


def _evidence(draws: _Draws) -> Evidence:
    """Mean over orders of the log of the mean weight, with the errors of both averages."""
    count = draws.log_weights.shape[1]
    log_total = logsumexp(draws.log_weights, axis=1)
    by_order = np.asarray(log_total - np.log(count))
    effective = np.asarray(jax.vmap(ess)(draws.log_weights))
    of_hyperparameters = np.mean(1.0 / effective - 1.0 / count)
    correction = float(draws.corrections.mean())
    reasons = []
    if count > 1 and effective.mean() < SMALLEST_EFFECTIVE_DRAWS:
        reasons.append(f"only {effective.mean():.1f} of {count} hyperparameter draws carry the code length")
    if correction > 1.0:
        reasons.append(f"too few draws of the hidden weights: the correction for their number is {correction:.1f} nats")
    details = {
        "code_length_by_permutation": by_order.tolist(),
        "correction": correction,
        "effective_hyperparameter_draws": effective.tolist(),
    }
    mcse = float(np.sqrt(by_order.var(ddof=1) / len(by_order) + of_hyperparameters))
    return Evidence(float(by_order.mean()), mcse, "code length", not reasons, tuple(reasons), details)


def _hyperparameter_draws(
    target: Target, settings: SMC, key: Array, weights: dict[str, Array], orders: Array, report: Report
) -> _Draws:
    from bayes_nn.inference.smc import run_smc

    assert isinstance(target.prior, FrozenFeatures)
    nngp = Target(target.X, target.Y, NNGP(target.prior.net), target.likelihood)
    key_run, *keys = jax.random.split(key, 4)
    run = run_smc(nngp, settings, key_run, lambda fraction, text: report(0.5 * fraction, f"hyperparameters, {text}"))
    u = run.u.reshape(-1, target.n_hyperparameters)
    mean, covariance = u.mean(axis=0), np.atleast_2d(np.cov(u, rowvar=False))
    proposals: list[Any] = []
    codes: list[np.ndarray] = []
    corrections: list[np.ndarray] = []
    points = np.empty((0, u.shape[1]))
    for stage, one in enumerate(keys):
        report(0.5 + 0.15 * stage, "code length")
        proposals.append(stats.multivariate_normal(mean, 2.0 * covariance))
        normal = np.asarray(jax.random.normal(one, (HYPERPARAMETER_DRAWS, u.shape[1])))
        points = np.concatenate([points, mean + normal @ np.linalg.cholesky(2.0 * covariance).T])
        values = jax.vmap(nngp.values)(jnp.asarray(points[-HYPERPARAMETER_DRAWS:]))
        for found, parts in zip(_code_lengths((target, values), (weights, orders)), (codes, corrections), strict=True):
            parts.append(np.asarray(found))
        densities = np.stack([np.atleast_1d(q.logpdf(points)) for q in proposals])
        log_mixture = np.asarray(logsumexp(densities, axis=0)) - np.log(len(proposals))
        log_prior = np.asarray(jax.vmap(nngp.log_prior)(jnp.asarray(points)))
        log_weights = np.concatenate(codes, axis=1) + log_prior - log_mixture
        pooled = np.exp(log_weights - np.asarray(logsumexp(log_weights, axis=1))[:, None]).mean(axis=0)
        mean = pooled @ points
    return _Draws(jax.vmap(nngp.values)(jnp.asarray(points)), log_weights, np.concatenate(corrections, axis=1))


def _sample_weights(target: Target, key: Array, shape: tuple[int, int]) -> dict[str, Array]:
    priors = target.prior.hidden_weights(target.X.shape[1:])
    keys = jax.random.split(key, len(priors))
    return {name: prior.sample(one, shape) for one, (name, prior) in zip(keys, priors.items(), strict=True)}


@jax.jit
def _code_lengths(
    shared: tuple[Target, dict[str, Array]], stacked: tuple[dict[str, Array], Array]
) -> tuple[Float[Array, "R K"], Float[Array, "R K"]]:
    """log q_h(y) for every order of the data and hyperparameter draw, with the correction made to it.

    The log of a mean of M draws is biased by -var/(2 M mean^2); the correction adds that back.
    """

    def one_order(shared: tuple[Target, dict[str, Array]], own: tuple) -> tuple[Array, Array]:
        (target, hyperparameters), (weights, order) = shared, own
        X, Y = target.X[order], target.Y[order]

        def one_hyperparameter(h: dict[str, Array]) -> tuple[Array, Array]:
            assert isinstance(target.likelihood, Gaussian)
            noise_variance = target.likelihood.noise_variance(h)

            def one_draw(w: dict[str, Array]) -> Float[Array, " N"]:
                return prequential_log_densities(target.prior.process(h | w, X), Y, noise_variance)

            log_densities = jax.lax.map(one_draw, weights)
            draws = len(log_densities)
            log_mean = logsumexp(log_densities, axis=0) - jnp.log(draws)
            relative_variance = jnp.var(jnp.exp(log_densities - log_mean), axis=0, ddof=1)
            correction = jnp.sum(relative_variance) / (2.0 * draws)
            return jnp.sum(log_mean) + correction, correction

        if not hyperparameters:
            code, correction = one_hyperparameter({})
            return code[None], correction[None]
        return jax.lax.map(one_hyperparameter, hyperparameters)

    return map_islands(one_order, PERMUTATIONS)(shared, stacked)


@jax.jit
def _keep(key: Array, hyperparameters: dict, weights: dict, log_weights: Array) -> dict[str, Array]:
    """Equally weighted pairs of hyperparameters (by weight) and hidden weights (all alike)."""
    chosen = jax.random.categorical(key, log_weights[:, None, :], shape=(PERMUTATIONS, KEPT_DRAWS))
    kept = {name: value[chosen] for name, value in hyperparameters.items()}
    return kept | {name: value[:, :KEPT_DRAWS] for name, value in weights.items()}
