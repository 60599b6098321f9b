"""Code length of frozen random features: what prediction costs when the data may not update hidden weights.

``sum_i log E_w[p(y_i | y_<i, w, h)]`` with hidden weights w always from the prior is a normalised joint
density q_h(y). Hyperparameters h are updated as everywhere: ``q(y) = E_h[q_h(y)]``, estimated by
importance sampling from the NNGP's posterior over h, whose evidence is known:
``q(y) = Z_NNGP E_NNGP[q_h(y) / p_NNGP(y | h)]``.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from bayes_nn.inference.evidence import Evidence
from bayes_nn.inference.parallel import map_islands
from bayes_nn.inference.progress import Report
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Target
from bayes_nn.priors.finite_width import FrozenFeatures
from bayes_nn.priors.gaussian_process import prequential_log_densities
from bayes_nn.priors.kernel_priors import NNGP

#: Orders of the data averaged over; draws of the hidden weights for each; draws of the hyperparameters.
PERMUTATIONS, WEIGHT_DRAWS, HYPERPARAMETER_DRAWS = 4, 48, 24
#: Predictive draws kept for each permutation.
KEPT_DRAWS = 48


def run_frozen(target: Target, key: Array, report: Report) -> dict[str, Any]:
    """Draws, log likelihoods and the code length of frozen features, as the fields of a posterior."""
    key_surrogate, key_weights, key_order, key_keep = jax.random.split(key, 4)
    hyperparameters, log_density, surrogate = _surrogate(target, key_surrogate, report)
    weight_draws = WEIGHT_DRAWS if target.n_hyperparameters else WEIGHT_DRAWS * 4
    weights = _sample_weights(target, key_weights, (PERMUTATIONS, weight_draws))
    n_rows = len(target.Y)
    orders = jnp.stack([jax.random.permutation(one, n_rows) for one in jax.random.split(key_order, PERMUTATIONS)])
    report(0.7, "code length")
    codes, corrections = map(np.asarray, _code_lengths(target, (hyperparameters, weights, orders)))
    log_weights = codes - log_density
    log_total = logsumexp(log_weights, axis=1)
    effective = np.exp(2 * log_total - logsumexp(2 * log_weights, axis=1))
    by_permutation = np.asarray(surrogate.value + log_total - np.log(codes.shape[1]))
    value = float(by_permutation.mean())
    mcse = float(np.sqrt(by_permutation.var(ddof=1) / PERMUTATIONS + surrogate.mcse**2))
    reasons = list(surrogate.reasons)
    if target.n_hyperparameters and effective.mean() < 3.0:
        reasons.append(f"only {effective.mean():.1f} of {codes.shape[1]} hyperparameter draws carry the code length")
    if corrections.mean() > 1.0:
        reasons.append(
            f"too few draws of the hidden weights: the correction for their number is {corrections.mean():.1f} nats"
        )
    details = {
        "code_length_by_permutation": by_permutation.tolist(),
        "correction": float(corrections.mean()),
        "effective_hyperparameter_draws": effective.tolist(),
    }
    values = _keep(key_keep, hyperparameters, weights, log_weights)
    from bayes_nn.inference.fit import log_likelihoods

    return {
        "values": values,
        "log_likelihood": log_likelihoods(target, values),
        "sample_stats": {},
        "sampler": "frozen",
        "evidence": Evidence(value, mcse, "code length", not reasons, tuple(reasons), details),
    }


def _surrogate(target: Target, key: Array, report: Report) -> tuple[dict[str, Array], np.ndarray, Evidence]:
    """Hyperparameter draws (permutations, K) from the NNGP's posterior, their log likelihood, and its evidence."""
    if not target.n_hyperparameters:
        return {}, np.zeros((PERMUTATIONS, 1)), Evidence(0.0, 0.0, "exact")
    from bayes_nn.inference.smc import run_smc

    assert isinstance(target.prior, FrozenFeatures)
    nngp = Target(target.X, target.Y, NNGP(target.prior.net), target.likelihood)
    settings = SMC(particles=HYPERPARAMETER_DRAWS, islands=PERMUTATIONS)
    run = run_smc(nngp, settings, key, lambda fraction, text: report(0.7 * fraction, f"hyperparameters, {text}"))
    values = jax.vmap(jax.vmap(nngp.values))(jnp.asarray(run.u))
    return values, run.log_likelihood, run.evidence


def _sample_weights(target: Target, key: Array, shape: tuple[int, int]) -> dict[str, Array]:
    priors = target.prior.hidden_weights(target.X.shape[1])
    keys = jax.random.split(key, len(priors))
    return {name: prior.sample(one, shape) for one, (name, prior) in zip(keys, priors.items(), strict=True)}


@jax.jit
def _code_lengths(target: Target, stacked: tuple) -> tuple[Float[Array, "R K"], Float[Array, "R K"]]:
    """log q_h(y) for every permutation and hyperparameter draw, with the correction made to it.

    The log of a mean of M draws is biased by -var/(2 M mean^2); the correction adds that back.
    """

    def one_order(shared: Target, own: tuple) -> tuple[Array, Array]:
        hyperparameters, weights, order = own
        X, Y = shared.X[order], shared.Y[order]

        def one_hyperparameter(h: dict[str, Array]) -> tuple[Array, Array]:
            noise_variance = shared.likelihood.noise_variance(h)

            def one_draw(w: dict[str, Array]) -> Float[Array, " N"]:
                return prequential_log_densities(shared.prior.process(h | w, X), Y, noise_variance)

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

    return map_islands(one_order, PERMUTATIONS)(target, stacked)


@jax.jit
def _keep(key: Array, hyperparameters: dict, weights: dict, log_weights: Array) -> dict[str, Array]:
    """Equally weighted pairs of hyperparameters (by weight) and hidden weights (all alike)."""
    rows = jnp.arange(PERMUTATIONS)[:, None]
    chosen = jax.random.categorical(key, log_weights[:, None, :], shape=(PERMUTATIONS, KEPT_DRAWS))
    kept = {name: value[rows, chosen] for name, value in hyperparameters.items()}
    return kept | {name: value[:, :KEPT_DRAWS] for name, value in weights.items()}
