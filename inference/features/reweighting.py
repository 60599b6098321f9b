"""What it costs to reproduce a network's posterior without learning: reweighting draws from the prior.

With w(z) = p(z | D) / p(z), of mean 1 under the prior, two numbers say how many draws that takes:

* the divergence ``I = KL(p(z | D) || p(z)) = E_post[log w]``: about exp(I) draws are needed, and fewer by much do not
  do (Chatterjee and Diaconis 2018, Annals of Applied Probability 28, theorem 1.1);
* Renyi's divergence of order 2, ``D_2 = log E_prior[w^2] = log E_post[w]``: M draws are worth about ``M exp(-D_2)``,
  the effective sample size (Agapiou et al. 2017, Statistical Science 32).

``D_2 >= I`` by Jensen's inequality, so that the effective fraction is at most exp(-I). Where log w is Gaussian,
E_prior[w] = 1 makes D_2 = 2 I, which is also the limit of small I.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.monte_carlo_errors import (
    SMALLEST_EFFECTIVE_DRAWS,
    Average,
    average_over_draws,
    standard_errors,
)
from bayes_nn.inference.problem.prior_draws import GROUPS, log_likelihood_of_draw, prior_draws
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.progress import Report, progress_bar
from bayes_nn.runtime.random_keys import checked_key

#: Draws of a group in one compiled call; memory does not grow with the number of calls.
GROUP_DRAWS_PER_CALL = 2_500


@dataclass(frozen=True)
class Reweighting:
    """Draws from the prior, weighted by their likelihood, and the posterior that they approximate.

    Attributes:
        draws: number M of draws from the prior, which are never moved.
        ess: their effective sample size, ``(sum w)^2 / sum w^2``.
        log_evidence: of the draws, nats, for y on the model's scale.
        divergence: I = KL( p(z | D) || p(z) ) over all of z, nats, by the posterior's own draws: the feature
            information, where no hyperparameters are inferred. It takes the evidence that SMC estimated with the
            posterior; after Markov chains that of the prior draws, which is too low, and I too high, where they fail.
        renyi: D_2 in nats, by the posterior's draws too: a prediction of ``ess`` that does not use the weights.
        mean: reweighted posterior mean of y at the test inputs, on the user's scale, (T, C); (0, C) without any.
        mean_error: its standard error, of a self-normalised average.
        posterior_mean: the same by the posterior's draws.
        posterior_mean_error: its MCSE.

    Example:
        >>> I, D2, nothing = Average(2.0, 0.1, 1.0), Average(4.0, 0.2, 1.0), np.empty((0, 1))
        >>> result = Reweighting(1000, 20.0, Evidence(-9.0, 0.1, "importance"), I, D2, *[nothing] * 4)
        >>> round(result.hypotheses, 2), round(result.largest_ess), round(result.predicted_ess)
        (7.39, 135, 18)
    """

    draws: int
    ess: float
    log_evidence: Evidence
    divergence: Average
    renyi: Average
    mean: Float[np.ndarray, "T C"]
    mean_error: Float[np.ndarray, "T C"]
    posterior_mean: Float[np.ndarray, "T C"]
    posterior_mean_error: Float[np.ndarray, "T C"]

    @property
    def hypotheses(self) -> float:
        """exp(I): the order of the number of frozen hypotheses that plain reweighting needs."""
        return float(np.exp(self.divergence.value))

    @property
    def largest_ess(self) -> float:
        """M exp(-I), which the effective sample size does not exceed."""
        return self.draws * float(np.exp(-self.divergence.value))

    @property
    def predicted_ess(self) -> float:
        """M exp(-D_2) by the posterior's own draws, to be compared with ``ess``."""
        return self.draws * float(np.exp(-self.renyi.value))

    @property
    def gap(self) -> Float[np.ndarray, "T C"]:
        """Reweighted mean minus posterior mean, in standard errors of the difference."""
        return (self.mean - self.posterior_mean) / np.hypot(self.mean_error, self.posterior_mean_error)

    def __str__(self) -> str:
        return (
            f"divergence of the posterior from the prior: {self.divergence} nats, "
            f"so about {self.hypotheses:.3g} frozen hypotheses are needed\n"
            f"effective sample size of {self.draws} frozen draws: {self.ess:.0f} "
            f"(at most {self.largest_ess:.0f} by exp(-I); {self.predicted_ess:.0f} by exp(-D_2))"
        )


class _Sums(NamedTuple):
    """Sums over draws of weights ``w = exp(log p(y | z) - largest)`` and of f, the mean of y at test inputs given z."""

    largest: Any
    w: Any
    w2: Any
    wf: Any
    w2f: Any
    w2f2: Any


def reweighting(
    posterior: Posterior,
    X_test: Any = None,
    draws: int = 100_000,
    key: int | Array = 0,
    *,
    progress: bool = True,
) -> Reweighting:
    """Weight draws from the prior by their likelihood, and say how many it takes to reproduce a posterior.

    The draws are made, weighted and forgotten group by group, so that a million of them need no memory; with large I
    all of the weight falls on a few, ``ess`` says so, and no number of draws in reach reproduces the posterior.

    Args:
        posterior: of any prior that the data update; with Gaussian noise where there are test inputs.
        X_test: inputs at which to compare posterior means, or None.
        draws: from the prior, rounded up to whole groups.
        key: a JAX key or an integer seed.
        progress: show a progress bar on a terminal.

    Raises:
        ValueError: for a posterior without latents, test inputs without Gaussian noise, or too few draws.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(12, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, X[:, 0], bnn.Gaussian(0.5), bnn.inference.InfiniteHMC(draws=50))
        >>> result = reweighting(posterior, X[:3], draws=10_000)
        >>> bool(result.ess > 1_000 and abs(result.gap).max() < 4)
        True
    """
    problem, scale = posterior.problem, posterior.dataset.scale
    if not problem.latents or not problem.prior.updated:
        raise ValueError(f"{problem.prior.name} has no latents that the data update: nothing is reweighted")
    if X_test is not None and not problem.likelihood.conjugate:
        raise ValueError("posterior means are compared under Gaussian noise: for labels and counts leave X_test out")
    if draws < 1:
        raise ValueError(f"at least 1 draw is needed; got {draws}")
    inputs = None if X_test is None else posterior.dataset.new_inputs(X_test, "X_test")
    with one_blas_thread_per_device(), progress_bar("reweighting", enabled=progress) as report:
        sums, count = _sums_over_draws(problem, inputs, int(draws), checked_key(key), report)
    if not np.isfinite(sums.largest):
        raise ValueError(f"the likelihood of all {count} prior draws is 0: none of them can be weighted")
    ess = float(sums.w**2 / sums.w2)
    log_evidence = float(sums.largest + np.log(sums.w) - np.log(count))
    few = coded("B209", f"only {ess:.0f} of {count} prior draws carry the weight")
    reasons = (few,) if ess < SMALLEST_EFFECTIVE_DRAWS else ()
    evidence = Evidence(log_evidence, float(np.sqrt(max(1 / ess - 1 / count, 0.0))), "importance", not reasons, reasons)
    mean = sums.wf / sums.w
    # Variance of a self-normalised average (Owen 2013, Monte Carlo theory, methods and examples, eq. 9.9).
    variance = (sums.w2f2 - 2.0 * mean * sums.w2f + mean**2 * sums.w2) / sums.w**2
    mean, error = scale.original(mean), scale.original_std(np.sqrt(np.maximum(variance, 0.0)))
    posterior_mean, posterior_error = np.zeros_like(mean), np.zeros_like(mean)
    if X_test is not None:
        predictive: Any = posterior.predict(X_test)
        components = predictive.component_means.reshape(*posterior.shape, *mean.shape)
        posterior_mean = predictive.average(predictive.component_means)
        posterior_error = standard_errors(components, posterior.sampler)
    divergences = _divergences(posterior, posterior.sampler_evidence or evidence)
    return Reweighting(count, ess, evidence, *divergences, mean, error, posterior_mean, posterior_error)


def _divergences(posterior: Posterior, evidence: Evidence) -> tuple[Average, Average]:
    """I and D_2 by the posterior's draws: the mean of log w, and the log of the mean of w."""
    log_w = posterior.log_likelihood - evidence.value
    divergence = average_over_draws(log_w, posterior.sampler)
    relative = average_over_draws(np.exp(log_w - log_w.max()), posterior.sampler)
    renyi = np.log(relative.value) + log_w.max()
    relative_error = relative.mcse / relative.value
    return (
        divergence._replace(mcse=float(np.hypot(divergence.mcse, evidence.mcse))),
        Average(float(renyi), float(np.hypot(relative_error, evidence.mcse)), relative.std / relative.value),
    )


def _sums_over_draws(
    problem: Problem, X_new: Array | None, draws: int, key: Array, report: Report
) -> tuple[_Sums, int]:
    """Sums over all draws, group by group, and their number."""
    calls = -(-draws // (GROUPS * GROUP_DRAWS_PER_CALL))
    size = -(-draws // (GROUPS * calls))
    found: list[_Sums] = []
    for call in range(calls):
        keys = jax.random.key_data(jax.random.split(jax.random.fold_in(key, call), GROUPS))
        sums = prior_draws(problem, X_new, keys, size, _weight_and_mean, _sum)
        found.append(jax.tree.map(np.asarray, sums))
        report((call + 1) / calls, f"{(call + 1) * GROUPS * size} draws from the prior")
    of_groups = _Sums(*(np.concatenate(each) for each in zip(*found, strict=True)))
    largest = of_groups.largest.max()
    factor = np.exp(of_groups.largest - (largest if np.isfinite(largest) else 0.0))

    def total(each: np.ndarray, power: int) -> np.ndarray:
        return np.tensordot(factor**power, each, axes=1)

    sums = _Sums(
        largest,
        total(of_groups.w, 1),
        total(of_groups.w2, 2),
        total(of_groups.wf, 1),
        total(of_groups.w2f, 2),
        total(of_groups.w2f2, 2),
    )
    return sums, calls * GROUPS * size


def _weight_and_mean(problem: Problem, X_new: Array | None, u: Float[Array, " D"]) -> tuple[Array, Float[Array, "T C"]]:
    """log p(y | z), and the mean of y at the new inputs given z and the data."""
    log_likelihood = log_likelihood_of_draw(problem, None, u)
    if X_new is None:
        return log_likelihood, jnp.zeros((0, problem.Y.shape[1]))
    mean, _ = problem.predict(X_new, problem.values(u), jax.random.key(0))  # the key is for labels only
    return log_likelihood, jnp.where(jnp.isfinite(log_likelihood), mean, 0.0)


def _sum(results: tuple[Float[Array, " M"], Float[Array, "M T C"]]) -> _Sums:
    log_likelihood, f = results
    largest = jnp.max(log_likelihood)
    # A group whose likelihoods are all 0 has no weight: exp(-inf - 0) = 0, where exp(-inf - -inf) were NaN.
    w = jnp.exp(log_likelihood - jnp.where(jnp.isfinite(largest), largest, 0.0))
    w2 = w * w

    def total(weight: Array, what: Array) -> Array:
        return jnp.tensordot(weight, what, axes=1)

    return _Sums(largest, jnp.sum(w), jnp.sum(w2), total(w, f), total(w2, f), total(w2, f * f))
