"""Code length of frozen random features: what prediction costs when the data may not update hidden weights.

``sum_i log E_w[p(y_i | y_<i, w, h)]`` with hidden weights w always from the prior is a normalised joint
density q_h(y). Hyperparameters h are updated as everywhere: ``q(y) = E_h[q_h(y)]``, by importance
sampling from Gaussians: one around the NNGP's posterior over h, widened, then two moved to what the
earlier ones found; all weighted as one mixture (Owen and Zhou 2000, JASA 95).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import stats
from scipy.special import logsumexp

from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.evidence import Evidence, degrees_between
from bayes_nn.inference.problem.monte_carlo_errors import log_effective_draws
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.sampler import Judge, SampledDraws, Sampler, draw_nothing_more, silent
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.priors.finite_width import FrozenFeatures
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report

#: Orders of the data averaged over; draws of the hidden weights for each; draws of h from each Gaussian.
PERMUTATIONS, WEIGHT_DRAWS, HYPERPARAMETER_DRAWS = 4, 32, 16
#: Predictive draws kept for each permutation.
KEPT_DRAWS = 32
#: Effective number of hyperparameter draws below which the code length is not trusted.
SMALLEST_EFFECTIVE_DRAWS = 5.0


@dataclass(frozen=True)
class CodeLength(Sampler):
    """Frozen random features: hidden weights from the prior, hyperparameters by importance sampling.

    Args:
        smc: settings of the NNGP's SMC run, around whose posterior hyperparameters are proposed.

    Example:
        >>> CodeLength().smc.islands
        4
    """

    name = "frozen"
    smc: SMCSettings = field(default_factory=SMCSettings)

    @one_blas_thread_per_device()
    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """Draws, log likelihoods and the code length, which takes the place of the evidence.

        Raises:
            ValueError: for a prior that the data update.
        """
        if not isinstance(problem, CollapsedProblem) or not isinstance(problem.prior, FrozenFeatures):
            raise ValueError(f"{problem.prior.name} is updated by the data: it has an evidence, not a code length")
        key_h, key_weights, key_order, key_keep = jax.random.split(key, 4)
        weight_draws = WEIGHT_DRAWS if problem.n_hyperparameters else WEIGHT_DRAWS * 8
        weights = _sample_weights(problem, key_weights, (PERMUTATIONS, weight_draws))
        rows = len(problem.Y)
        orders = jnp.stack([jax.random.permutation(one, rows) for one in jax.random.split(key_order, PERMUTATIONS)])
        if problem.n_hyperparameters:
            draws = _hyperparameter_draws(problem, self.smc, key_h, weights, orders, report)
        else:
            codes, corrections = map(np.asarray, _code_lengths((problem, {}), (weights, orders)))
            draws = _HyperparameterDraws({}, codes, corrections)
        values = _keep(key_keep, draws.values, weights, jnp.asarray(draws.log_weights))
        log_likelihood = np.asarray(_log_likelihoods(problem, values))
        return SampledDraws(jax.tree.map(np.asarray, values), log_likelihood, evidence=_evidence(draws))


@jax.jit
def _log_likelihoods(problem: CollapsedProblem, values: dict[str, Array]) -> Float[Array, "R K"]:
    return map_each(lambda chain: map_each(problem.log_likelihood_of, chain), values)


class _HyperparameterDraws(NamedTuple):
    """Hyperparameter draws and the code length of each under every order of the data."""

    values: dict[str, Array]
    log_weights: Float[np.ndarray, "R K"]
    corrections: Float[np.ndarray, "R K"]


def _evidence(draws: _HyperparameterDraws) -> Evidence:
    """Mean over orders of the log of the mean weight, with the errors of both averages."""
    count = draws.log_weights.shape[1]
    log_total = logsumexp(draws.log_weights, axis=1)
    by_order = log_total - np.log(count)
    effective = np.exp(log_effective_draws(draws.log_weights))
    of_hyperparameters = np.mean(1.0 / effective - 1.0 / count)
    correction = float(draws.corrections.mean())
    reasons = []
    if count > 1 and effective.mean() < SMALLEST_EFFECTIVE_DRAWS:
        what = f"only {effective.mean():.1f} of {count} hyperparameter draws carry the code length"
        reasons.append(coded("B209", what))
    if correction > 1.0:
        what = f"too few draws of the hidden weights: the correction for their number is {correction:.1f} nats"
        reasons.append(coded("B209", what))
    details = {
        "code_length_by_permutation": by_order.tolist(),
        "correction": correction,
        "effective_hyperparameter_draws": effective.tolist(),
    }
    mcse = float(np.sqrt(by_order.var(ddof=1) / len(by_order) + of_hyperparameters))
    return Evidence(
        float(by_order.mean()),
        mcse,
        "code length",
        not reasons,
        tuple(reasons),
        details,
        degrees_of_freedom=degrees_between(len(by_order)),
    )


def _hyperparameter_draws(
    problem: CollapsedProblem,
    settings: SMCSettings,
    key: Array,
    weights: dict[str, Array],
    orders: Array,
    report: Report,
) -> _HyperparameterDraws:
    from bayes_nn.inference.sampling.smc_run import run_smc

    assert isinstance(problem.prior, FrozenFeatures)
    nngp = problem.with_prior(NNGP(problem.prior.net))
    key_run, *keys = jax.random.split(key, 4)
    run = run_smc(nngp, settings, key_run, lambda fraction, text: report(0.5 * fraction, f"hyperparameters, {text}"))
    u = run.u.reshape(-1, problem.n_hyperparameters)
    mean, covariance = u.mean(axis=0), np.atleast_2d(np.cov(u, rowvar=False))
    proposals: list[Any] = []
    codes: list[np.ndarray] = []
    corrections: list[np.ndarray] = []
    all_values: list[dict[str, Array]] = []
    log_prior: list[np.ndarray] = []
    points = np.empty((0, u.shape[1]))
    for stage, one in enumerate(keys):
        report(0.5 + 0.15 * stage, "code length")
        proposals.append(stats.multivariate_normal(mean, 2.0 * covariance))
        normal = np.asarray(jax.random.normal(one, (HYPERPARAMETER_DRAWS, u.shape[1])))
        points = np.concatenate([points, mean + normal @ np.linalg.cholesky(2.0 * covariance).T])
        values, own_log_prior = _values_and_log_prior(nngp, jnp.asarray(points[-HYPERPARAMETER_DRAWS:]))
        all_values.append(values)
        log_prior.append(np.asarray(own_log_prior))
        for found, parts in zip(_code_lengths((problem, values), (weights, orders)), (codes, corrections), strict=True):
            parts.append(np.asarray(found))
        densities = np.stack([np.atleast_1d(q.logpdf(points)) for q in proposals])
        log_mixture = logsumexp(densities, axis=0) - np.log(len(proposals))
        log_weights = np.concatenate(codes, axis=1) + np.concatenate(log_prior) - log_mixture
        pooled = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True)).mean(axis=0)
        mean = pooled @ points
    joined = {name: jnp.concatenate([one[name] for one in all_values]) for name in all_values[0]}
    return _HyperparameterDraws(joined, log_weights, np.concatenate(corrections, axis=1))


@jax.jit
def _values_and_log_prior(nngp: CollapsedProblem, points: Float[Array, "K H"]) -> tuple[dict[str, Array], Array]:
    return jax.vmap(nngp.values)(points), jax.vmap(nngp.log_prior)(points)


def _sample_weights(problem: CollapsedProblem, key: Array, shape: tuple[int, int]) -> dict[str, Array]:
    priors = problem.prior.hidden_weights(problem.X.shape[1:])
    keys = jax.random.split(key, len(priors))
    return {name: prior.sample(one, shape) for one, (name, prior) in zip(keys, priors.items(), strict=True)}


@jax.jit
def _code_lengths(
    shared: tuple[CollapsedProblem, dict[str, Array]], stacked: tuple[dict[str, Array], Array]
) -> tuple[Float[Array, "R K"], Float[Array, "R K"]]:
    """log q_h(y) for every order of the data and hyperparameter draw, with the correction made to it.

    The log of a mean of M draws is biased by -var/(2 M mean^2); the correction adds that back.
    """

    def one_order(shared: tuple[CollapsedProblem, dict[str, Array]], own: tuple) -> tuple[Array, Array]:
        (problem, hyperparameters), (weights, order) = shared, own
        X, Y = problem.X[order], problem.Y[order]

        def one_hyperparameter(h: dict[str, Array]) -> tuple[Array, Array]:
            noise_variance = problem.noise_variance(h)

            def one_draw(w: dict[str, Array]) -> Float[Array, " N"]:
                return problem.prior.process(problem.fixed | h | w, X).prequential(Y, noise_variance)

            log_densities = map_each(one_draw, weights)
            draws = len(log_densities)
            log_mean = jax.scipy.special.logsumexp(log_densities, axis=0) - jnp.log(draws)
            relative_variance = jnp.var(jnp.exp(log_densities - log_mean), axis=0, ddof=1)
            correction = jnp.sum(relative_variance) / (2.0 * draws)
            return jnp.sum(log_mean) + correction, correction

        if not hyperparameters:
            code, correction = one_hyperparameter({})
            return code[None], correction[None]
        return map_each(one_hyperparameter, hyperparameters)

    return map_over_devices(one_order, PERMUTATIONS)(shared, stacked)


@jax.jit
def _keep(key: Array, hyperparameters: dict, weights: dict, log_weights: Array) -> dict[str, Array]:
    """Equally weighted pairs of hyperparameters (by weight) and hidden weights (all alike)."""
    chosen = jax.random.categorical(key, log_weights[:, None, :], shape=(PERMUTATIONS, KEPT_DRAWS))
    kept = {name: value[chosen] for name, value in hyperparameters.items()}
    return kept | {name: value[:, :KEPT_DRAWS] for name, value in weights.items()}
