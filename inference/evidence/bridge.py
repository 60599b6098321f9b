"""Bridge sampling: evidence from draws of the posterior and of a reference whose density is known.

The reference is the prior for the hidden weights, which are only identified up to symmetries and many, and a Gaussian
fitted to half of the draws for the hyperparameters.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from bayes_nn.inference.evidence.estimator import RepeatedEstimator
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.chains import Chains
from bayes_nn.inference.sampling.infinite_hmc import InfiniteHMC
from bayes_nn.inference.sampling.moves.reference import Reference, fit_reference
from bayes_nn.inference.sampling.samplers import SAMPLERS
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report

#: Draws of the reference for every draw of the posterior: they need no gradient, so they are cheap.
REFERENCE_DRAWS = 4
#: Chains behind one estimate, so that a run of four gives two that can disagree.
GROUP = 2
#: Effective draws of either side below which the bridge does not reach.
SMALLEST_EFFECTIVE_DRAWS = 100.0


@partial(jax.jit, static_argnames="draws")
def _reference_side(problem: Problem, reference: Reference, key: Array, draws: int) -> Float[Array, " M"]:
    """``log p(y, u) - log q(u)`` for u from the reference q."""
    normals = jax.random.normal(key, (draws, problem.dimension))

    def one(shared: tuple[Problem, Reference], z: Float[Array, " D"]) -> Float[Array, ""]:
        problem, reference = shared
        u = reference.to_u(z)
        return problem.log_likelihood(u) + _log_ratio(problem, reference, u)

    return map_over_devices(one, draws)((problem, reference), normals)


def _log_ratio(problem: Problem, reference: Reference, u: Float[Array, " D"]) -> Float[Array, ""]:
    """``log p(u) - log q(u)``."""
    z = reference.to_z(u)
    log_determinant = jnp.sum(jnp.log(jnp.diagonal(reference.factor)))
    return problem.log_prior(u) + 0.5 * jnp.vdot(z, z) + 0.5 * len(z) * jnp.log(2.0 * jnp.pi) + log_determinant


@jax.jit
def _log_ratios(problem: Problem, reference: Reference, u: Float[Array, "M D"]) -> Float[Array, " M"]:
    return map_each(lambda one: _log_ratio(problem, reference, one), u)


@dataclass(frozen=True)
class BridgeSampling(RepeatedEstimator):
    """A bridge from every ``GROUP`` of the chains of one run to the reference.

    Args:
        sampler: settings of Markov chains.

    Example:
        >>> BridgeSampling.of("nuts").sampler.name
        'nuts'
    """

    method = "bridge"
    sampler: Chains = field(default_factory=InfiniteHMC)

    @classmethod
    def of(cls, sampler: Any) -> Self:
        """The estimator with these settings of Markov chains."""
        if sampler is None:
            return cls()
        settings = SAMPLERS[sampler]() if isinstance(sampler, str) and sampler in SAMPLERS else sampler
        if not isinstance(settings, Chains):
            raise ValueError(f"method {cls.method!r} takes settings of Markov chains as its sampler; got {sampler!r}")
        return cls(settings)

    @one_blas_thread_per_device()
    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The bridges of one run of the chains."""
        key_chains, key_reference = jax.random.split(key)
        longer = replace(self.sampler, warmup=self.sampler.warmup * effort, draws=self.sampler.draws * effort)
        u, log_likelihood, _ = longer.draw_u(problem, key_chains, report)
        half = u.shape[1] // 2
        reference = fit_reference(jnp.asarray(u[:, :half].reshape(-1, u.shape[2])), problem.n_hyperparameters)
        kept = u[:, half:]
        ratios = np.asarray(_log_ratios(problem, reference, jnp.asarray(kept.reshape(-1, u.shape[2]))))
        posterior_side = log_likelihood[:, half:] + ratios.reshape(kept.shape[:2])
        count = REFERENCE_DRAWS * kept.shape[0] * kept.shape[1]
        report(0.99, f"{count} draws of the reference")
        reference_side = np.asarray(_reference_side(problem, reference, key_reference, count))
        groups = max(1, len(kept) // GROUP)
        r_hat, reasons = _judged(u, log_likelihood)
        sides = zip(np.array_split(posterior_side, groups), np.array_split(reference_side, groups), strict=True)
        log_evidence, variance, overlaps = np.array([bridge(*each) for each in sides]).T
        overlap = overlaps.min()
        if overlap < SMALLEST_EFFECTIVE_DRAWS:
            what = f"posterior and reference overlap in {overlap:.0f} effective draws: use method='smc'"
            reasons += (coded("B209", what),)
        return Estimates(log_evidence, variance, reasons, {"overlap": float(overlap), "r_hat": r_hat})


def _judged(
    u: Float[np.ndarray, "chains draws D"], log_likelihood: Float[np.ndarray, "chains draws"]
) -> tuple[float, tuple[str, ...]]:
    """R-hat of the log likelihood, NaN where it has none, and why not to trust the chains."""
    if len(u) == 1:
        return float("nan"), (coded("B105", "a single chain cannot be checked: run at least 2"),)
    if np.ptp(u, axis=1).max() == 0.0:
        return float("nan"), (coded("B104", "no chain has moved: all its draws are the same"),)
    if np.ptp(log_likelihood) == 0.0:  # y does not depend on the latents: there is nothing to disagree about
        return float("nan"), ()
    r_hat = float(az.rhat(log_likelihood))
    return r_hat, () if r_hat <= 1.05 else (coded("B101", f"R-hat {r_hat:.3f} of the chains exceeds 1.05"),)


def bridge(
    posterior_side: Float[np.ndarray, "chains draws"], reference_side: Float[np.ndarray, " M"]
) -> tuple[float, float, float]:
    """The optimal bridge (Meng and Wong 1996, Statistica Sinica 6, eq. 4.1) and its error.

    Args:
        posterior_side: ``log p(y, u) - log q(u)`` for draws of the posterior.
        reference_side: the same for draws of the reference.

    Returns:
        log Z in nats; its variance, autocorrelation included (Fruehwirth-Schnatter 2004, Econometrics Journal 7,
        eq. 17); and the smaller effective number of draws of the two sides.

    Example:
        >>> import numpy as np
        >>> normal = np.random.default_rng(0).normal(size=(2, 4, 4000))
        >>> ratio = lambda u: 3.0 + 0.5 * u**2 - 0.5 * (u - 0.5) ** 2  # N(0.5, 1) times e^3 over N(0, 1)
        >>> value, variance, overlap = bridge(ratio(normal[0] + 0.5), ratio(normal[1].ravel()))
        >>> abs(value - 3.0) < 4.0 * variance**0.5
        True
    """
    effective = min(float(az.ess(posterior_side)), posterior_side.size)
    weight = effective / (effective + reference_side.size)
    value = float(np.median(posterior_side))
    for _ in range(1000):
        above = reference_side - np.logaddexp(np.log(weight) + reference_side, np.log1p(-weight) + value)
        below = -np.logaddexp(np.log(weight) + posterior_side, np.log1p(-weight) + value)
        # Both means as logarithms; their ratio is the next Z.
        updated = float(logsumexp(above) - np.log(above.size) - logsumexp(below.ravel()) + np.log(below.size))
        converged = abs(updated - value) < 1e-10
        value = updated
        if converged:
            break
    terms = np.exp(below - below.max())
    of_reference = np.exp(above - above.max())
    relative = [np.var(each) / np.mean(each) ** 2 for each in (of_reference, terms)]
    autocorrelated = min(float(az.ess(terms)), terms.size) if np.ptp(terms) > 0 else terms.size
    variance = relative[0] / reference_side.size + relative[1] / autocorrelated
    overlap = min(reference_side.size / (1.0 + relative[0]), autocorrelated / (1.0 + relative[1]))
    return value, float(variance), float(overlap)
